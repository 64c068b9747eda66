//! Finished operations in the hands of the SDK's span processors: the SDK itself is the oracle for what they get.
#![cfg(feature = "sdk")]

#[path = "support/support.rs"]
mod support;

use obs_core::otel::trace::{
    Event as SdkEvent, Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt,
    TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use obs_core::otel::{Array, Context, InstrumentationScope, KeyValue, Value};
use obs_core::sdk::SpanProcessorSubscriber;
use obs_core::setup::resource::Resource;
use obs_core::{
    Builder, Clock, Event, Labels, ManualClock, OpRef, Outcome, Parent, StatsLevel, Telemetry,
};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::runtime;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor as AsyncBatch;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, IdGenerator, InMemorySpanExporter, SdkTracerProvider, SimpleSpanProcessor,
    SpanData, SpanProcessor,
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{METHOD, SCOPE, WORK, rig_with, sampler};

/// A parent in another process.
fn remote_parent() -> SpanContext {
    SpanContext::new(
        TraceId::from(0x1234_5678_9abc_def0_1234_5678_9abc_def0),
        SpanId::from(0xfeed),
        TraceFlags::SAMPLED,
        true,
        TraceState::from_key_value([("vendor", "x")]).expect("a valid state"),
    )
}

fn linked() -> SpanContext {
    SpanContext::new(
        TraceId::from(7),
        SpanId::from(9),
        TraceFlags::default(),
        true,
        Default::default(),
    )
}

/// An operation with everything a span can have.
fn full_operation(telemetry: &Telemetry, clock: &ManualClock) {
    let kind = telemetry.kind(&WORK);
    kind.set_level(StatsLevel::Detailed);
    let labels = Labels::NONE.with(METHOD, kind.label(METHOD, "full"));
    let parent = remote_parent();
    let mut operation = kind.start(labels, Parent::Of(&parent));
    clock.advance(Duration::from_millis(3));
    operation.stamp(Event::WRITE_START);
    let mut active = operation.active().expect("recording");
    active.set(support::CHUNKS, 12_i64);
    active.set_static(obs_core::Key::new(&"static"), "text");
    active.set(obs_core::Key::new(&"copied"), "copied text");
    active.set(obs_core::Key::new(&"share"), 0.25);
    active.set(obs_core::Key::new(&"yes"), true);
    active.set_dynamic(KeyValue::new("list", Value::Array(Array::I64(vec![1, 2]))));
    clock.advance(Duration::from_millis(3));
    active.add_event("thing", vec![KeyValue::new("n", 1_i64)]);
    active.add_link(linked(), vec![KeyValue::new("why", "because")]);
    clock.advance(Duration::from_millis(4));
    operation.end(Outcome::failed(obs_core::ErrorType::own(0)));
}

/// The same as the SDK records it, with the ids and start of `ours`.
fn recorded_by_the_sdk(ours: &SpanData) -> SpanData {
    #[derive(Debug)]
    struct Fixed(SpanId);
    impl IdGenerator for Fixed {
        fn new_trace_id(&self) -> TraceId {
            unreachable!("the span has a parent")
        }
        fn new_span_id(&self) -> SpanId {
            self.0
        }
    }
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_id_generator(Fixed(ours.span_context.span_id()))
        .build();
    let scope = InstrumentationScope::builder(SCOPE.name)
        .with_version(SCOPE.version)
        .with_schema_url(SCOPE.schema_url)
        .build();
    let tracer = provider.tracer_with_scope(scope);
    let start = ours.start_time;
    let after = |ms| start + Duration::from_millis(ms);
    let attributes = [
        KeyValue::new("test.step", "full"),
        KeyValue::new("error.type", "bad"),
        KeyValue::new("test.chunks", 12_i64),
        KeyValue::new("static", "text"),
        KeyValue::new("copied", "copied text"),
        KeyValue::new("share", 0.25),
        KeyValue::new("yes", true),
        KeyValue::new("list", Value::Array(Array::I64(vec![1, 2]))),
    ];
    let builder = tracer
        .span_builder("work full")
        .with_kind(SpanKind::Server)
        .with_start_time(start)
        .with_attributes(attributes)
        .with_links(vec![Link::new(
            linked(),
            vec![KeyValue::new("why", "because")],
            0,
        )])
        .with_events(vec![
            SdkEvent::new("write_start", after(3), vec![], 0),
            SdkEvent::new("thing", after(6), vec![KeyValue::new("n", 1_i64)], 0),
        ]);
    let context = Context::new().with_remote_span_context(remote_parent());
    let mut span = tracer.build_with_context(builder, &context);
    span.set_status(Status::error(""));
    span.end_with_timestamp(after(10));
    let mut spans = exporter
        .get_finished_spans()
        .expect("an exporter in memory");
    spans.remove(0)
}

fn manual(sampled: bool, processor: impl SpanProcessor + 'static) -> (Telemetry, ManualClock) {
    let clock = ManualClock::new();
    let builder = support::builder()
        .manual()
        .with_clock(Clock::manual(&clock))
        .with_sampler(sampler(sampled))
        .with_subscriber(SpanProcessorSubscriber::new(processor));
    (builder.build().expect("usable"), clock)
}

/// What a processor exported is what the SDK would have recorded.
#[track_caller]
fn check(exported: Vec<SpanData>) {
    let [ours] = &exported[..] else {
        panic!("one span expected: {exported:#?}")
    };
    let theirs = recorded_by_the_sdk(ours);
    assert_eq!(ours.span_context, theirs.span_context);
    assert_eq!(ours.events, theirs.events);
    assert_eq!(ours.attributes, theirs.attributes);
    assert_eq!(*ours, theirs);
    assert_eq!(ours.span_context.trace_id(), remote_parent().trace_id());
    assert_eq!(ours.parent_span_id, remote_parent().span_id());
    assert!(ours.parent_span_is_remote);
    let epoch = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    assert_eq!(ours.start_time, epoch, "the manual clock's start");
    assert_eq!(ours.end_time, epoch + Duration::from_millis(10));
}

#[test]
fn the_simple_processor_gets_what_the_sdk_would_have_recorded() {
    let exporter = InMemorySpanExporter::default();
    let (telemetry, clock) = manual(true, SimpleSpanProcessor::new(exporter.clone()));
    full_operation(&telemetry, &clock);
    telemetry.collect(Duration::from_secs(5)).expect("manual");
    check(exporter.get_finished_spans().expect("in memory"));
}

#[test]
fn the_batch_processor_gets_what_the_sdk_would_have_recorded() {
    let exporter = InMemorySpanExporter::default();
    let processor = BatchSpanProcessor::builder(exporter.clone()).build();
    let (telemetry, clock) = manual(true, processor);
    full_operation(&telemetry, &clock);
    telemetry.flush(Duration::from_secs(5)).expect("manual");
    check(exporter.get_finished_spans().expect("in memory"));
}

#[test]
fn the_async_runtime_processor_gets_what_the_sdk_would_have_recorded() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let exporter = InMemorySpanExporter::default();
    let processor = {
        let _entered = runtime.enter();
        AsyncBatch::builder(exporter.clone(), runtime::Tokio).build()
    };
    let (telemetry, clock) = manual(true, processor);
    full_operation(&telemetry, &clock);
    telemetry.flush(Duration::from_secs(5)).expect("manual");
    check(exporter.get_finished_spans().expect("in memory"));
    telemetry.shutdown(Duration::from_secs(5)).expect("manual");
}

#[test]
fn parents_of_all_sorts_are_told_apart() {
    let exporter = InMemorySpanExporter::default();
    let (telemetry, _) = manual(true, SimpleSpanProcessor::new(exporter.clone()));
    let kind = telemetry.kind(&WORK);
    let mut root = kind.start(Labels::NONE, Parent::Root);
    let handle: OpRef = root.handle().expect("recording");
    kind.start(Labels::NONE, Parent::Operation(&handle))
        .end(Outcome::ANSWERED);
    root.end(Outcome::ANSWERED);
    telemetry.collect(Duration::from_secs(5)).expect("manual");
    let spans = exporter.get_finished_spans().expect("in memory");
    assert_eq!(spans.len(), 2);
    let (child, root) = (&spans[0], &spans[1]);
    assert_eq!(root.parent_span_id, SpanId::INVALID);
    assert_eq!(child.parent_span_id, root.span_context.span_id());
    assert_eq!(child.span_context.trace_id(), root.span_context.trace_id());
    assert!(!child.parent_span_is_remote && !root.parent_span_is_remote);
    assert_eq!(
        (&root.status, &root.span_kind),
        (&Status::Unset, &SpanKind::Server)
    );
}

#[test]
fn what_is_kept_late_passes_processors_that_discard_unsampled_spans() {
    let exporter = InMemorySpanExporter::default();
    let (telemetry, _) = manual(false, SimpleSpanProcessor::new(exporter.clone()));
    let kind = telemetry.kind(&WORK);
    let failing = kind.start(Labels::NONE, Parent::Root);
    failing.end(Outcome::TIMED_OUT);
    kind.start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    telemetry.collect(Duration::from_secs(5)).expect("manual");
    let spans = exporter.get_finished_spans().expect("in memory");
    assert_eq!(spans.len(), 1);
    assert!(spans[0].span_context.is_sampled());
    let reason = KeyValue::new("obs.keep.reason", "error");
    assert!(
        spans[0].attributes.contains(&reason),
        "{:?}",
        spans[0].attributes
    );
}

/// What a processor was asked to do.
#[derive(Clone, Debug, Default)]
struct Recording(Arc<Mutex<Vec<String>>>, bool);

impl Recording {
    fn note(&self, call: impl Into<String>) -> OTelSdkResult {
        self.0.lock().expect("not poisoned").push(call.into());
        if self.1 {
            return Err(OTelSdkError::InternalFailure("on purpose".into()));
        }
        Ok(())
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

impl SpanProcessor for Recording {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {
        let _ = self.note("start");
    }
    fn on_end(&self, span: SpanData) {
        let _ = self.note(format!("end {}", span.name));
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.note("flush")
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.note("shutdown")
    }
    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        let name = resource.get(&"service.name".into());
        let _ = self.note(format!(
            "resource {}",
            name.map_or_else(String::new, |name| name.to_string())
        ));
    }
}

#[test]
fn resource_flush_and_shutdown_are_passed_on() {
    let processor = Recording::default();
    let resource = Resource::builder().with_service_name("checkout").build();
    let subscriber = SpanProcessorSubscriber::new(processor.clone());
    let rig = rig_with(true, |builder| {
        builder.with_subscriber(subscriber).with_resource(resource)
    });
    assert_eq!(processor.calls(), ["resource checkout"]);
    rig.root("a").end(Outcome::ANSWERED);
    rig.telemetry.flush(Duration::from_secs(1)).expect("manual");
    assert_eq!(processor.calls(), ["end work a", "flush"]);
    rig.root("b").end(Outcome::ANSWERED);
    rig.telemetry
        .shutdown(Duration::from_secs(1))
        .expect("manual");
    assert_eq!(processor.calls(), ["end work b", "flush", "shutdown"]);
}

#[test]
fn a_processor_that_fails_is_counted_and_told() {
    let subscriber = SpanProcessorSubscriber::new(Recording(Arc::default(), true));
    let failures = subscriber.failures();
    let rig = rig_with(true, |builder| builder.with_subscriber(subscriber));
    let deadline = Duration::from_secs(1);
    let error = rig.telemetry.flush(deadline).expect_err("on purpose");
    assert!(error.is_failed() && error.to_string().contains("on purpose"));
    assert_eq!(failures.count(), 1);
    let error = rig.telemetry.shutdown(deadline).expect_err("on purpose");
    assert!(error.is_failed(), "{error}");
    assert_eq!(failures.count(), 3);
}

/// Our thread and theirs: everything ended before the flush is exported when it returns.
#[track_caller]
fn check_threaded(builder: Builder, exporter: &InMemorySpanExporter) {
    let telemetry = builder.with_sampler(sampler(true)).build().expect("usable");
    let kind = telemetry.kind(&WORK);
    let before = SystemTime::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    kind.start(Labels::NONE, Parent::Root)
                        .end(Outcome::ANSWERED);
                }
            });
        }
    });
    telemetry.flush(Duration::from_secs(10)).expect("in time");
    let spans = exporter.get_finished_spans().expect("in memory");
    assert_eq!(spans.len(), 200);
    let (slack, now) = (Duration::from_millis(5), SystemTime::now());
    for span in &spans {
        assert!(span.start_time <= span.end_time);
        assert!(before - slack <= span.start_time && span.end_time <= now + slack);
    }
    kind.start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    telemetry
        .shutdown(Duration::from_secs(10))
        .expect("in time");
}

#[test]
fn with_threads_the_batch_processor_has_everything_after_a_flush() {
    let exporter = InMemorySpanExporter::default();
    let processor = BatchSpanProcessor::builder(exporter.clone()).build();
    check_threaded(
        support::builder().with_subscriber(SpanProcessorSubscriber::new(processor)),
        &exporter,
    );
}

#[test]
fn with_threads_the_async_runtime_processor_has_everything_after_a_flush() {
    // The calling thread is the runtime's only one: it is free to drive the processor's task only where the wait is
    // not on it, so flush is called from beside.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let exporter = InMemorySpanExporter::default();
    runtime.block_on(async {
        let processor = AsyncBatch::builder(exporter.clone(), runtime::Tokio).build();
        let exporter = exporter.clone();
        tokio::task::spawn_blocking(move || {
            check_threaded(
                support::builder().with_subscriber(SpanProcessorSubscriber::new(processor)),
                &exporter,
            );
        })
        .await
        .expect("no panic");
    });
}

#[test]
fn a_processor_that_waits_for_the_callers_runtime_holds_the_caller_no_longer_than_the_deadline() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let exporter = InMemorySpanExporter::default();
    runtime.block_on(async {
        let processor = AsyncBatch::builder(exporter.clone(), runtime::Tokio).build();
        let telemetry = support::builder()
            .with_sampler(sampler(true))
            .with_subscriber(SpanProcessorSubscriber::new(processor))
            .build()
            .expect("usable");
        let kind = telemetry.kind(&WORK);
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
        // The processor's task runs on this thread, which waits for it: the deadline ends that.
        let error = telemetry
            .flush(Duration::from_millis(50))
            .expect_err("too late");
        assert!(error.is_timeout());
        // Once this thread is free again, everything comes through.
        for _ in 0..1_000 {
            if !exporter.get_finished_spans().expect("in memory").is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the span never came");
    });
}

#[test]
fn dropped_parts_are_told() {
    let exporter = InMemorySpanExporter::default();
    let (telemetry, _) = manual(true, SimpleSpanProcessor::new(exporter.clone()));
    let mut operation = telemetry.kind(&WORK).start(Labels::NONE, Parent::Root);
    let mut active = operation.active().expect("recording");
    for index in 0..130_i64 {
        active.set_dynamic(KeyValue::new(format!("k{index}"), index));
        active.add_event("e", Vec::new());
        active.add_link(linked(), Vec::new());
    }
    operation.end(Outcome::ANSWERED);
    telemetry.collect(Duration::from_secs(5)).expect("manual");
    let spans = exporter.get_finished_spans().expect("in memory");
    let span = &spans[0];
    assert_eq!(
        (
            span.dropped_attributes_count,
            span.events.dropped_count,
            span.links.dropped_count
        ),
        (2, 2, 2)
    );
    assert_eq!(
        (span.attributes.len(), span.events.len(), span.links.len()),
        (128, 128, 128)
    );
}
