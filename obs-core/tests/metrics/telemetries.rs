//! A telemetry's life, and several of them beside each other.

use crate::FAILED;
use crate::support::points::{finished, in_flight};
use crate::support::{self, WORK, rig, sampler};
use obs_core::{Labels, Outcome, Parent, StatsLevel};
use std::time::Duration;

#[test]
fn after_shutdown_nothing_starts_and_what_runs_may_end() {
    let rig = rig(true);
    let running = rig.root("running");
    rig.root("before").end(Outcome::ANSWERED);
    rig.telemetry
        .shutdown(Duration::from_secs(1))
        .expect("nothing to deliver");
    running.end(Outcome::ANSWERED);
    rig.kind.set_level(StatsLevel::Detailed);
    let late = |step| rig.root(step).is_recording();
    assert!(!late("after"));
    rig.kind.set_method_level("after", Some(StatsLevel::Base));
    assert!(!late("after"), "a method's level does not revive it");
    assert_eq!(
        (finished(&rig.telemetry), in_flight(&rig.telemetry)),
        (2, 0)
    );
}

#[test]
fn two_telemetries_on_one_thread_keep_their_numbers_apart() {
    let (one, two) = (rig(true), rig(true));
    for index in 0..30 {
        let rig = if index % 3 == 0 { &one } else { &two };
        rig.root("w").end(Outcome::ANSWERED);
    }
    let mut outer = one.root("outer");
    outer.scope(|| two.start("inner", Parent::Current).end(Outcome::ANSWERED));
    outer.end(Outcome::ANSWERED);
    assert_eq!(
        (finished(&one.telemetry), finished(&two.telemetry)),
        (11, 21)
    );
    let outer = one
        .spans()
        .into_iter()
        .find(|span| span.step() == "outer")
        .expect("outer");
    let inner = two
        .spans()
        .into_iter()
        .find(|span| span.step() == "inner")
        .expect("inner");
    assert_eq!(
        (inner.trace_id, inner.parent),
        (outer.trace_id, Some(outer.span_id))
    );
    one.assert_at_rest();
    two.assert_at_rest();
}

#[test]
fn a_child_of_another_telemetrys_undecided_root_is_decided_by_its_own() {
    let (one, two) = (rig(false), rig(false));
    let mut outer = one.root("outer");
    outer.scope(|| two.start("fine", Parent::Current).end(Outcome::ANSWERED));
    outer.scope(|| two.start("bad", Parent::Current).end(FAILED));
    outer.end(Outcome::ANSWERED);
    assert_eq!(one.exported(), [""; 0]);
    assert_eq!(two.exported(), ["bad (error, partial)"]);
    one.assert_at_rest();
    two.assert_at_rest();
}

#[test]
fn a_subscriber_that_panics_is_counted_and_the_others_see_everything() {
    struct Panics;
    impl obs_core::Subscriber for Panics {
        fn on_records(&mut self, _: obs_core::Records<'_>) {
            panic!("on purpose");
        }
    }
    let seen = support::Captured::default();
    let telemetry = support::builder()
        .manual()
        .with_sampler(sampler(true))
        .with_subscriber(Panics)
        .with_subscriber(seen.clone())
        .build()
        .expect("usable");
    telemetry
        .kind(&WORK)
        .start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    telemetry.collect(Duration::from_secs(1)).expect("manual");
    assert_eq!(seen.take_spans().len(), 1);
    assert_eq!(telemetry.counts().panics, 1);
}
