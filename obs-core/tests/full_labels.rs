//! A label whose set is full, or whose text is too long for one: metrics read `_OTHER`, spans read what was said.

#[path = "support/support.rs"]
mod support;

use obs_core::encode::TraceTree;
use obs_core::otel::Value;
use obs_core::{Labels, Outcome, Parent, Records, Subscriber, courier};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{METHOD, Rig, STEP, Span, rig_with};

#[derive(Clone, Default)]
struct Tree(Arc<Mutex<TraceTree>>);

impl Subscriber for Tree {
    fn on_records(&mut self, records: Records<'_>) {
        let mut tree = self.0.lock().expect("no test panics here");
        records.iter().for_each(|record| tree.add(&record));
    }
}

struct World {
    rig: Rig,
    tree: Tree,
    capture: courier::Capture,
}

/// With a set that is full: it takes eight.
fn full() -> World {
    let (tree, capture) = (Tree::default(), courier::Capture::new());
    let rig = rig_with(true, |builder| {
        let builder = builder.with_transport(capture.clone());
        builder.with_subscriber(tree.clone())
    });
    for step in 0..8 {
        rig.root(&format!("step {step}")).end(Outcome::ANSWERED);
    }
    rig.spans();
    let patience = Duration::from_secs(5);
    rig.telemetry.flush(patience).expect("delivered");
    capture.take();
    World { rig, tree, capture }
}

impl World {
    /// The one span since the last call, as every encoder has it: its name and the label, which each key once.
    #[track_caller]
    fn check(&self, step: &str) {
        let span: Span = self.rig.span();
        let name = format!("work {step}");
        assert_eq!(span.name, name);
        let label = span.attribute(STEP.as_str()).map(Value::to_string);
        assert_eq!(label.as_deref(), Some(step));
        self.rig
            .telemetry
            .flush(Duration::from_secs(5))
            .expect("delivered");
        let batches = self.capture.take();
        let traces = batches
            .iter()
            .find(|batch| batch.signal == courier::Signal::Traces);
        let request = ExportTraceServiceRequest::decode(&traces.expect("spans").body[..]);
        let spans = &request.expect("a request").resource_spans[0].scope_spans[0].spans;
        assert_eq!((spans.len(), &spans[0].name), (1, &name));
        let labels: Vec<_> = spans[0]
            .attributes
            .iter()
            .filter(|pair| pair.key == STEP.as_str())
            .collect();
        assert_eq!(labels.len(), 1);
        let value = labels[0]
            .value
            .as_ref()
            .and_then(|value| value.value.clone());
        assert_eq!(value, Some(any_value::Value::StringValue(step.into())));
        let tree = self.tree.0.lock().expect("no test panics here").to_string();
        let start: String = name.chars().take(40).collect();
        assert!(tree.contains(&start), "{tree}");
    }
}

#[test]
fn beyond_the_cap_the_span_has_its_text_and_metrics_do_not() {
    let world = full();
    let kind = world.rig.kind;
    let start = |step| kind.start_with(Labels::NONE, Some((METHOD, step)), Parent::Root);
    start("the ninth").end(Outcome::ANSWERED);
    world.check("the ninth");
    start("the tenth").end(Outcome::ANSWERED);
    world.check("the tenth");
    // Those that got in are what they were.
    start("step 3").end(Outcome::ANSWERED);
    world.check("step 3");
    let page = world.rig.telemetry.prometheus();
    assert!(page.contains("_OTHER") && page.contains("step 3"), "{page}");
    assert!(!page.contains("ninth") && !page.contains("tenth"), "{page}");
}

#[test]
fn a_label_set_later_counts_and_one_set_again_is_no_longer_the_first() {
    let world = full();
    for (labels, last) in [
        (&["the ninth"][..], "the ninth"),
        (&["the ninth", "the tenth"], "the tenth"),
        (&["the ninth", "step 1"], "step 1"),
        (&["step 1", "the ninth"], "the ninth"),
    ] {
        let mut operation = world.rig.kind.start(Labels::NONE, Parent::Root);
        for label in labels {
            let mut active = operation.active().expect("recording");
            active.set_label_text(METHOD, label);
        }
        operation.end(Outcome::ANSWERED);
        world.check(last);
    }
}

#[test]
fn a_text_too_long_for_a_label_is_the_spans_as_far_as_a_value_goes() {
    let world = full();
    let long = "/x".repeat(300);
    let kind = world.rig.kind;
    let operation = kind.start_with(Labels::NONE, Some((METHOD, &long)), Parent::Root);
    operation.end(Outcome::ANSWERED);
    world.check(&long);
    let endless = "/x".repeat(100_000);
    let operation = kind.start_with(Labels::NONE, Some((METHOD, &endless)), Parent::Root);
    operation.end(Outcome::ANSWERED);
    let span = world.rig.span();
    assert!(span.name.len() < endless.len() && span.name.starts_with("work /x/x"));
}

#[test]
fn what_was_set_under_the_labels_key_beats_its_text() {
    let world = full();
    let kind = world.rig.kind;
    let mut operation = kind.start_with(Labels::NONE, Some((METHOD, "the ninth")), Parent::Root);
    operation.set(STEP, "said by hand");
    operation.end(Outcome::ANSWERED);
    let span = world.rig.span();
    assert_eq!(span.attribute(STEP.as_str()), Some(&"said by hand".into()));
}
