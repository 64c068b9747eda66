//! Code of the user's that panics where this crate calls it: nobody else sees it, and nothing else is lost.

#[path = "support/support.rs"]
mod support;

use obs_core::courier;
use obs_core::ids::{IdGenerator, RandomIds};
use obs_core::otel::trace::{SpanId, SpanKind, TraceId};
use obs_core::{Descriptor, Key, Label, Labels, Outcome, Parent, Values};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;
use support::{SCOPE, rig_with};

/// Without the hook's message: these are expected.
fn panic_silently() -> ! {
    resume_unwind(Box::new("on purpose"))
}

#[derive(Clone, Copy, Debug)]
enum Ids {
    PanicsOnTraces,
    PanicsOnSpans,
    MakesNone,
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        match self {
            Self::PanicsOnTraces => panic_silently(),
            Self::PanicsOnSpans => RandomIds.new_trace_id(),
            Self::MakesNone => TraceId::INVALID,
        }
    }

    fn new_span_id(&self) -> SpanId {
        match self {
            Self::PanicsOnSpans => panic_silently(),
            Self::PanicsOnTraces => RandomIds.new_span_id(),
            Self::MakesNone => SpanId::INVALID,
        }
    }
}

#[track_caller]
fn check_ids(ids: Ids, panics: u64) {
    let rig = rig_with(true, |builder| builder.with_id_generator(Arc::new(ids)));
    let mut root = rig.root("root");
    root.scope(|| rig.start("child", Parent::Current).end(Outcome::ANSWERED));
    root.end(Outcome::ANSWERED);
    let spans = rig.spans();
    let [child, root] = &spans[..] else {
        panic!("two spans expected: {spans:#?}");
    };
    assert_eq!((child.parent, root.parent), (Some(root.span_id), None));
    assert_eq!(child.trace_id, root.trace_id);
    for span in &spans {
        assert_ne!(
            (span.trace_id, span.span_id),
            (TraceId::INVALID, SpanId::INVALID)
        );
        assert_ne!(span.span_id, SpanId::INVALID);
    }
    assert_eq!(rig.telemetry.counts().panics, panics, "{ids:?}");
    rig.assert_at_rest();
}

#[test]
fn an_id_generator_that_panics_does_not_unwind_into_the_caller() {
    check_ids(Ids::PanicsOnTraces, 1);
    check_ids(Ids::PanicsOnSpans, 2);
}

#[test]
fn an_id_generator_that_makes_none_exports_no_invalid_ids() {
    check_ids(Ids::MakesNone, 0);
}

static PANICS: Descriptor = Descriptor {
    name: "test.panics",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[Label {
        key: Key::new(&"number"),
        values: Values::Number,
    }],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |record, into| {
        into.push_str("half a na");
        if record.label(0) == obs_core::LabelId::number(4) {
            panic_silently();
        }
        into.push_str("me");
    },
};

#[test]
fn a_rule_for_names_that_panics_takes_no_other_span_along_nor_its_own() {
    let capture = courier::Capture::new();
    let rig = rig_with(true, |builder| builder.with_transport(capture.clone()));
    let kind = rig.telemetry.kind(&PANICS);
    for number in 1..=10 {
        let labels = Labels::NONE.with(0, obs_core::LabelId::number(number));
        kind.start(labels, Parent::Root).end(Outcome::ANSWERED);
    }
    // The subscriber asks for the names too.
    let spans = rig.spans();
    rig.telemetry
        .flush(Duration::from_secs(5))
        .expect("delivered");
    let account = rig.telemetry.accounts().traces;
    assert_eq!(
        (account.accepted, account.delivered),
        (10, 10),
        "{account:?}"
    );
    assert!(account.is_balanced());
    assert_eq!(rig.telemetry.counts().collected, account.accepted);
    assert_eq!(rig.telemetry.counts().panics, 2, "once for each who asked");
    let batches = capture.take();
    let exported: Vec<_> = batches
        .iter()
        .filter(|batch| batch.signal == courier::Signal::Traces)
        .map(|batch| ExportTraceServiceRequest::decode(&batch.body[..]).expect("a request"))
        .flat_map(|request| request.resource_spans)
        .flat_map(|of_resource| of_resource.scope_spans)
        .flat_map(|of_scope| of_scope.spans)
        .map(|span| span.name)
        .collect();
    let subscribed: Vec<_> = spans.into_iter().map(|span| span.name).collect();
    assert_eq!(exported, subscribed);
    let mut expected = vec!["half a name"; 10];
    expected[3] = "test.panics";
    assert_eq!(exported, expected);
}
