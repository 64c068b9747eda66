//! What is particular to the recorder of an SDK's provider; what it has in common with ours is in `nesting_sdk.rs`, and for
//! exchanges in obs-http's tests.

mod processors;
mod sampled;
#[path = "../support/support.rs"]
mod support;

use obs_core::otel::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, Tracer, TracerProvider,
};
use obs_core::otel::{Context, Value};
use obs_core::sampling::HeadSampler;
use obs_core::{ContextMode, Labels, Outcome, Parent, Recorder, Telemetry};
use opentelemetry_sdk::trace::{
    IdGenerator, InMemorySpanExporter, SdkTracerProvider, SpanData, TracerProviderBuilder,
};
use std::sync::Mutex;
use std::time::Duration;
use support::{CHUNKS, METHOD, WORK, builder};

const WAIT: Duration = Duration::from_secs(5);

/// Our telemetry over a provider, and what the provider exported.
struct Over {
    telemetry: Telemetry,
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
}

fn over(set: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder) -> Over {
    over_with(set, |builder| builder)
}

fn over_with(
    set: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder,
    ours: impl FnOnce(obs_core::Builder) -> obs_core::Builder,
) -> Over {
    let exporter = InMemorySpanExporter::default();
    let provider = set(SdkTracerProvider::builder().with_simple_exporter(exporter.clone())).build();
    let builder = builder()
        .manual()
        .with_recorder(Recorder::sdk(provider.clone()));
    Over {
        telemetry: ours(builder).build().expect("a usable configuration"),
        provider,
        exporter,
    }
}

impl Over {
    fn start(&self, step: &str, parent: Parent<'_>) -> obs_core::Operation {
        let kind = self.telemetry.kind(&WORK);
        kind.start(Labels::NONE.with(METHOD, kind.label(METHOD, step)), parent)
    }

    fn spans(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().expect("it keeps them")
    }

    #[track_caller]
    fn span(&self) -> SpanData {
        let mut spans = self.spans();
        assert_eq!(spans.len(), 1, "one span expected: {spans:#?}");
        spans.remove(0)
    }
}

/// All values of one key, in order.
fn values<'s>(span: &'s SpanData, key: &str) -> Vec<&'s Value> {
    let pairs = span.attributes.iter();
    pairs
        .filter(|pair| pair.key.as_str() == key)
        .map(|pair| &pair.value)
        .collect()
}

#[test]
fn ids_are_the_providers() {
    #[derive(Debug)]
    struct Counting(Mutex<u64>);
    impl IdGenerator for Counting {
        fn new_trace_id(&self) -> TraceId {
            TraceId::from(77)
        }
        fn new_span_id(&self) -> SpanId {
            let mut last = self.0.lock().unwrap();
            *last += 1;
            SpanId::from(*last)
        }
    }
    let over = over(|builder| builder.with_id_generator(Counting(Mutex::new(0))));
    over.start("a", Parent::Root).end(Outcome::ANSWERED);
    let span = over.span();
    assert_eq!(span.span_context.trace_id(), TraceId::from(77));
    assert_eq!(span.span_context.span_id(), SpanId::from(1));
}

#[test]
fn users_spans_of_the_same_provider_lie_between_ours() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly] {
        let over = over_with(|builder| builder, |ours| ours.with_context_mode(mode));
        let tracer = over.provider.tracer("user");
        let mut outer = over.start("outer", Parent::Root);
        outer.scope(|| {
            tracer.in_span("user", |_| {
                over.start("inner", Parent::Current).end(Outcome::ANSWERED);
            });
        });
        outer.end(Outcome::ANSWERED);
        let spans = over.spans();
        let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
        assert_eq!(names, ["work inner", "user", "work outer"], "{mode:?}");
        for pair in spans.windows(2) {
            assert_eq!(
                pair[0].parent_span_id,
                pair[1].span_context.span_id(),
                "{mode:?}"
            );
            assert_eq!(
                pair[0].span_context.trace_id(),
                pair[1].span_context.trace_id()
            );
        }
    }
}

#[test]
fn an_attribute_that_changes_after_the_span_began_is_there_twice_as_the_sdk_has_it() {
    let over = over(|builder| builder);
    let mut operation = over.start("a", Parent::Root);
    operation.set(CHUNKS, 1_i64);
    operation.scope(|| ());
    operation.set(CHUNKS, 2_i64);
    operation.end(Outcome::ANSWERED);
    assert_eq!(
        values(&over.span(), CHUNKS.as_str()),
        [&Value::I64(1), &Value::I64(2)]
    );
}

#[test]
fn after_the_providers_shutdown_operations_go_on_without_a_span() {
    let over = over(|builder| builder);
    over.provider.shutdown().expect("nothing is under way");
    let mut operation = over.start("a", Parent::Root);
    let ids = operation.scope(|| Context::current().span().span_context().clone());
    assert!(ids.is_valid() && !ids.is_sampled());
    operation.end(Outcome::PANICKED);
    over.telemetry.collect(WAIT).expect("manual");
    assert_eq!(over.telemetry.counts().collected, 0);
    assert_eq!(support::points::in_flight(&over.telemetry), 0);
}

#[test]
fn inside_a_suppressed_scope_there_is_no_span() {
    let over = over(|builder| builder);
    {
        let _quiet = Context::enter_telemetry_suppressed_scope();
        over.start("a", Parent::Root).end(Outcome::ANSWERED);
        let user = SpanContext::new(
            TraceId::from(5),
            SpanId::from(6),
            TraceFlags::SAMPLED,
            false,
            Default::default(),
        );
        let inside = Context::map_current(|current| current.with_remote_span_context(user));
        let _inside = inside.attach();
        over.start("b", Parent::Root).end(Outcome::ANSWERED);
    }
    assert!(over.spans().is_empty());
}

#[test]
fn settings_that_a_provider_decides_are_told() {
    let over = over_with(
        |builder| builder,
        |ours| ours.with_sampler(HeadSampler::always_off()),
    );
    let warnings = over.telemetry.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("with_sampler"), "{warnings:?}");
    over.start("a", Parent::Root).end(Outcome::ANSWERED);
    assert_eq!(over.spans().len(), 1);
}

#[test]
fn times_are_those_of_the_operation() {
    let clock = obs_core::ManualClock::new();
    let over = over_with(
        |builder| builder,
        |ours| ours.with_clock(obs_core::Clock::manual(&clock)),
    );
    let mut operation = over.start("a", Parent::Root);
    clock.advance(Duration::from_millis(5));
    operation.scope(|| ());
    clock.advance(Duration::from_millis(7));
    operation.end(Outcome::ANSWERED);
    let span = over.span();
    let took = span.end_time.duration_since(span.start_time).unwrap();
    assert_eq!(took, Duration::from_millis(12));
}

#[test]
fn exemplars_name_what_the_provider_sampled() {
    let over = over(|builder| builder);
    over.start("a", Parent::Root).end(Outcome::ANSWERED);
    over.telemetry.collect(WAIT).expect("manual");
    let page = over
        .telemetry
        .prometheus_page(obs_core::encode::PageFormat::OpenMetrics);
    let id = over.span().span_context.trace_id().to_string();
    assert!(page.contains(&format!("trace_id=\"{id}\"")), "{page}");
}

#[test]
fn our_exporter_sends_no_traces_of_what_the_provider_sends() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static TRACES: AtomicU32 = AtomicU32::new(0);
    static OTHERS: AtomicU32 = AtomicU32::new(0);
    #[derive(Debug)]
    struct Counts;
    impl obs_core::courier::Transport for Counts {
        fn send(
            &mut self,
            batch: &obs_core::courier::Batch,
            _: std::time::Instant,
        ) -> obs_core::courier::Sent {
            match batch.signal {
                obs_core::courier::Signal::Traces => TRACES.fetch_add(1, Ordering::Relaxed),
                _ => OTHERS.fetch_add(1, Ordering::Relaxed),
            };
            obs_core::courier::Sent::Delivered {
                rejected: 0,
                message: None,
            }
        }
    }
    let over = over_with(|builder| builder, |ours| ours.with_transport(Counts));
    over.start("a", Parent::Root).end(Outcome::ANSWERED);
    over.telemetry.flush(WAIT).expect("everything is taken");
    assert_eq!(TRACES.load(Ordering::Relaxed), 0);
    assert!(OTHERS.load(Ordering::Relaxed) > 0, "metrics leave");
    assert_eq!(over.spans().len(), 1);
}
