//! The provider's sampler: what it is shown, and what becomes of what it leaves out.

use crate::support::CHUNKS;
use crate::{WAIT, over, support, values};
use obs_core::otel::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, Tracer,
    TracerProvider,
};
use obs_core::otel::{Context, KeyValue, Value};
use obs_core::propagation::TraceParent;
use obs_core::{Outcome, Parent, Trust};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    Sampler, SamplingDecision, SamplingResult, ShouldSample, SpanData, SpanProcessor,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Samples by an attribute, and takes down what it was shown.
#[derive(Clone, Debug, Default)]
struct ByAttribute(Arc<Mutex<Vec<String>>>);

impl ShouldSample for ByAttribute {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let chunks = attributes
            .iter()
            .find(|pair| pair.key.as_str() == CHUNKS.as_str());
        let chunks = chunks.map(|pair| pair.value.clone());
        self.0
            .lock()
            .unwrap()
            .push(format!("{name} {kind:?} {} links", links.len()));
        SamplingResult {
            decision: match chunks {
                Some(Value::I64(7)) => SamplingDecision::Drop,
                _ => SamplingDecision::RecordAndSample,
            },
            attributes: vec![KeyValue::new("sampler.says", "kept")],
            trace_state: Default::default(),
        }
    }
}

#[test]
fn the_providers_sampler_sees_what_was_known_of_the_request() {
    let sampler = ByAttribute::default();
    let over = over(|builder| builder.with_sampler(sampler.clone()));
    for chunks in [7_i64, 8] {
        let mut operation = over.start("ask", Parent::Root);
        operation.set(CHUNKS, chunks);
        let sampled = operation.scope(|| Context::current().span().span_context().is_sampled());
        assert_eq!(sampled, chunks == 8);
        operation.end(Outcome::ANSWERED);
    }
    let span = over.span();
    assert_eq!(values(&span, "sampler.says").len(), 1);
    assert_eq!(values(&span, CHUNKS.as_str()), [&Value::I64(8)]);
    let seen = sampler.0.lock().unwrap().clone();
    assert_eq!(seen, ["work ask Server 0 links", "work ask Server 0 links"]);
}

#[test]
fn a_link_instead_of_an_untrusted_parent_is_shown_to_the_sampler_and_is_there_once() {
    let sampler = ByAttribute::default();
    let over = over(|builder| builder.with_sampler(sampler.clone()));
    let parent = TraceParent {
        trace_id: TraceId::from(5),
        span_id: SpanId::from(6),
        flags: TraceFlags::SAMPLED,
    };
    let mut operation = over.start(
        "ask",
        Parent::Remote {
            parent,
            tracestate: "",
            trust: Trust::LinkOnly,
        },
    );
    let other = SpanContext::new(
        TraceId::from(8),
        SpanId::from(9),
        TraceFlags::SAMPLED,
        true,
        Default::default(),
    );
    operation.scope(|| obs_core::current::add_link(other.clone(), Vec::new()));
    operation.end(Outcome::ANSWERED);
    assert_eq!(*sampler.0.lock().unwrap(), ["work ask Server 1 links"]);
    let span = over.span();
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    let links: Vec<_> = span
        .links
        .iter()
        .map(|link| link.span_context.trace_id())
        .collect();
    assert_eq!(links, [parent.trace_id, other.trace_id()]);
}

#[test]
fn the_parent_from_the_wire_is_the_spans_and_the_sampler_may_change_the_tracestate() {
    #[derive(Clone, Debug)]
    struct Marks;
    impl ShouldSample for Marks {
        fn should_sample(
            &self,
            parent: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            let state = parent
                .map(|parent| parent.span().span_context().trace_state().clone())
                .unwrap_or_default();
            SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: Vec::new(),
                trace_state: state.insert("seen", "yes").unwrap(),
            }
        }
    }
    let over = over(|builder| builder.with_sampler(Marks));
    let parent = TraceParent {
        trace_id: TraceId::from(5),
        span_id: SpanId::from(6),
        flags: TraceFlags::default(),
    };
    let mut operation = over.start(
        "ask",
        Parent::Remote {
            parent,
            tracestate: "vendor=1",
            trust: Trust::Trusted,
        },
    );
    // Attributes lie beside the tracestate: neither may be written over.
    operation.set(CHUNKS, "as text, copied");
    let mut headers = Vec::new();
    let mut active = operation.active().expect("it records");
    active.inject(|name, value| headers.push((name, value.to_owned())));
    let child = over.start("child", Parent::Operation(&operation.handle().unwrap()));
    child.end(Outcome::ANSWERED);
    operation.end(Outcome::ANSWERED);
    let spans = over.spans();
    let (child, span) = (&spans[0], &spans[1]);
    assert_eq!(span.parent_span_id, parent.span_id);
    assert!(span.parent_span_is_remote);
    assert_eq!(span.span_context.trace_id(), parent.trace_id);
    assert_eq!(
        values(span, CHUNKS.as_str()),
        [&Value::from("as text, copied")]
    );
    let id = span.span_context.span_id();
    assert_eq!(
        headers,
        [
            ("traceparent", format!("00-{}-{id}-01", parent.trace_id)),
            ("tracestate", "seen=yes,vendor=1".to_owned()),
        ]
    );
    assert_eq!(child.parent_span_id, id);
    assert!(!child.parent_span_is_remote);
    assert_eq!(
        child.span_context.trace_state().header(),
        "seen=yes,vendor=1"
    );
}

#[test]
fn a_parent_based_provider_samples_new_traces() {
    let over =
        over(|builder| builder.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn))));
    over.start("a", Parent::Root).end(Outcome::ANSWERED);
    let user = over.provider.tracer("user").start("user");
    let _inside = Context::current_with_span(user).attach();
    over.start("b", Parent::Root).end(Outcome::ANSWERED);
    assert_eq!(over.spans().len(), 2);
}

#[test]
fn what_the_provider_leaves_out_is_not_kept_late_and_not_recording() {
    let over = over(|builder| builder.with_sampler(Sampler::AlwaysOff));
    let mut root = over.start("root", Parent::Root);
    root.scope(|| {
        assert!(!Context::current().span().is_recording());
        over.start("child", Parent::Current).end(Outcome::PANICKED);
    });
    let mut active = root.active().expect("metrics are recorded");
    active.force_keep();
    root.end(Outcome::PANICKED);
    over.telemetry.collect(WAIT).expect("manual");
    assert!(over.spans().is_empty());
    let counts = over.telemetry.counts();
    assert_eq!((counts.parked_bytes, counts.collected), (0, 0));
    // Metrics do not depend on sampling.
    assert_eq!(support::points::in_flight(&over.telemetry), 0);
    let points = support::points::all(&over.telemetry);
    let histograms = support::points::histograms(&points, "test.work.duration");
    let counted: u64 = histograms.iter().map(|point| point.count).sum();
    assert_eq!(counted, 2);
}

#[test]
fn a_recorded_span_that_is_not_sampled_is_told_everything() {
    #[derive(Clone, Debug)]
    struct RecordOnly;
    impl ShouldSample for RecordOnly {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            SamplingResult {
                decision: SamplingDecision::RecordOnly,
                attributes: Vec::new(),
                trace_state: Default::default(),
            }
        }
    }
    #[derive(Clone, Debug, Default)]
    struct Ended(Arc<Mutex<Vec<SpanData>>>);
    impl SpanProcessor for Ended {
        fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}
        fn on_end(&self, span: SpanData) {
            self.0.lock().unwrap().push(span);
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }
    let ended = Ended::default();
    let over = over(|builder| {
        builder
            .with_sampler(RecordOnly)
            .with_span_processor(ended.clone())
    });
    let mut operation = over.start("a", Parent::Root);
    operation.scope(|| {
        assert!(Context::current().span().is_recording());
        obs_core::current::set(CHUNKS, 3_i64);
    });
    operation.end(Outcome::ANSWERED);
    let ended = ended.0.lock().unwrap();
    assert!(!ended[0].span_context.is_sampled());
    assert_eq!(values(&ended[0], CHUNKS.as_str()), [&Value::I64(3)]);
    assert!(
        over.spans().is_empty(),
        "the exporter takes sampled ones only"
    );
}
