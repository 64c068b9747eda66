//! Operations that turn out to be something else.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::trace::SpanKind;
use obs_core::{
    ContextMode, DURATION_BOUNDS, Descriptor, Histogram, Kind, Labels, Outcome, Parent, current,
};
use support::{Rig, SCOPE, STATUS, points, rig, rig_with};

/// What an operation turns out to be.
static NODE: Descriptor = Descriptor {
    name: "test.node",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: Some(Histogram {
        name: "test.node.duration",
        unit: "s",
        description: "How long a node takes.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("node"),
};

fn node(rig: &Rig) -> &'static Kind {
    rig.telemetry.kind(&NODE)
}

#[test]
fn what_turns_out_to_be_another_counts_as_that_and_keeps_its_place() {
    let rig = rig(true);
    let mut root = rig.root("outer");
    let mut work = root.scope(|| rig.start("inner", Parent::Current));
    if let Some(mut active) = work.active() {
        active.set(STATUS, 7_i64);
        active.set_measure(0, 3);
    }
    let child = work.scope(|| rig.start("child", Parent::Current));
    child.end(Outcome::ANSWERED);
    assert_eq!(points::in_flight(&rig.telemetry), 2);
    work.end_as(node(&rig), Labels::NONE, Outcome::ANSWERED);
    assert_eq!(points::in_flight(&rig.telemetry), 1, "its gauge goes back");
    root.end(Outcome::ANSWERED);

    let metrics = points::all(&rig.telemetry);
    assert_eq!(points::finished(&rig.telemetry), 2, "the other two");
    assert_eq!(
        points::histogram(&metrics, "test.node.duration", &[]).count,
        1
    );
    assert!(points::histograms(&metrics, "test.work.chunks").is_empty());
    let spans = rig.spans();
    let named = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .expect("it ended")
    };
    let (root, node, child) = (named("work outer"), named("node"), named("work child"));
    assert_eq!(node.parent, Some(root.span_id));
    assert_eq!(child.parent, Some(node.span_id));
    assert_eq!(node.attribute(STATUS.as_str()), Some(&7_i64.into()));
    assert_eq!(node.attribute("test.step"), None, "a label of its own kind");
    rig.assert_at_rest();
}

#[test]
fn of_another_telemetry_it_ends_as_what_it_is() {
    let (rig, other) = (rig(true), rig_with(true, |builder| builder));
    let work = rig.root("outer");
    work.end_as(node(&other), Labels::NONE, Outcome::ANSWERED);
    assert_eq!(points::finished(&rig.telemetry), 1);
    assert_eq!(rig.span().name, "work outer");
    rig.assert_at_rest();
}

#[test]
fn what_stands_aside_has_nothing_within_it_for_its_own_sake() {
    for mode in [ContextMode::Full, ContextMode::Off] {
        let rig = rig_with(true, |builder| builder.with_context_mode(mode));
        rig.kind.watch_around();
        let mut work = rig.root("outer");
        let handle = work.handle().expect("it is recorded");
        assert!(handle.in_scope(|| rig.kind.is_around()));
        if let Some(mut active) = work.active() {
            active.stand_aside();
        }
        assert!(!handle.in_scope(|| rig.kind.is_around()), "{mode:?}");
        let mut child = handle.in_scope(|| rig.start("child", Parent::Current));
        assert!(!rig.kind.is_around_handle(&handle));
        // The child does not stand aside.
        assert!(child.scope(|| rig.kind.is_around()));
        assert!(current::handle().is_none());
        child.end(Outcome::ANSWERED);
        work.end(Outcome::ANSWERED);
        rig.assert_at_rest();
    }
}
