//! Levels for a time: by hand, and by the rule that raises a method after an error or a slow call.

use crate::FAILED;
use crate::support::points::{all, number};
use crate::support::{Rig, SCOPE, WORK, builder, rig, rig_with};
use obs_core::otel::trace::SpanKind;
use obs_core::{Descriptor, KeepPolicy, Labels, Outcome, Parent, RaiseRule, StatsLevel, Telemetry};
use std::time::{Duration, Instant};

const BASE: Option<StatsLevel> = Some(StatsLevel::Base);
const DETAILED: Option<StatsLevel> = Some(StatsLevel::Detailed);

fn raising(sampled: bool, set: impl FnOnce(&mut RaiseRule)) -> Rig {
    let mut rule = RaiseRule::default();
    set(&mut rule);
    let mut keep = KeepPolicy::default();
    keep.slow = Some(Duration::from_secs(1));
    rig_with(sampled, |builder| builder.with_raise(rule).with_keep(keep))
}

/// An operation that fails, collected.
fn fail(rig: &Rig, step: &str) {
    rig.root(step).end(FAILED);
    rig.spans();
}

/// The level at which an operation that starts now would run.
fn level(rig: &Rig, step: &str) -> Option<StatsLevel> {
    let level = rig.kind.level_of(rig.labels(step));
    (level != StatsLevel::Disabled).then_some(level)
}

fn raises(telemetry: &Telemetry) -> (u64, u64, u64) {
    let counts = telemetry.counts();
    (
        counts.raises,
        counts.raises_over_rate,
        counts.raises_over_methods,
    )
}

#[test]
fn a_method_that_failed_is_detailed_for_a_minute_and_no_other_is() {
    for sampled in [true, false] {
        let rig = raising(sampled, |_| {});
        rig.root("a").end(Outcome::ANSWERED);
        rig.spans();
        assert_eq!((level(&rig, "a"), level(&rig, "b")), (BASE, BASE));
        fail(&rig, "a");
        assert_eq!((level(&rig, "a"), level(&rig, "b")), (DETAILED, BASE));
        let own = rig.kind.method_levels();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].method.as_deref(), Some("a"));
        assert_eq!(own[0].left, Some(Duration::from_secs(60)));
        // A failure meanwhile does not prolong it.
        rig.advance_ms(59_999);
        fail(&rig, "a");
        assert_eq!(level(&rig, "a"), DETAILED);
        rig.advance_ms(1);
        rig.spans();
        assert_eq!(level(&rig, "a"), BASE);
        assert_eq!(rig.kind.method_levels(), []);
        // One after it raises anew.
        fail(&rig, "a");
        assert_eq!(level(&rig, "a"), DETAILED);
        assert_eq!(raises(&rig.telemetry), (2, 0, 0));
        let all = all(&rig.telemetry);
        let outcome = [("obs.level.raise.outcome", "raised")];
        assert_eq!(number(&all, "obs.level.raises", &outcome), 2.0);
    }
}

#[test]
fn a_slow_call_raises_its_method_and_either_cause_can_be_left_out() {
    let slow = |set: fn(&mut RaiseRule)| {
        let rig = raising(false, set);
        let operation = rig.root("slow");
        rig.advance_ms(1000);
        operation.end(Outcome::ANSWERED);
        fail(&rig, "failed");
        (level(&rig, "slow"), level(&rig, "failed"))
    };
    assert_eq!(slow(|_| {}), (DETAILED, DETAILED));
    assert_eq!(slow(|rule| rule.errors = false), (DETAILED, BASE));
    assert_eq!(slow(|rule| rule.slow = false), (BASE, DETAILED));
}

#[test]
fn without_a_rule_nothing_is_raised() {
    let rig = rig(true);
    fail(&rig, "a");
    assert_eq!(level(&rig, "a"), BASE);
    assert_eq!(raises(&rig.telemetry), (0, 0, 0));
}

#[test]
fn it_falls_back_to_what_it_followed_whatever_that_says_by_then() {
    let rig = raising(true, |_| {});
    assert!(rig.kind.set_method_level("own", BASE));
    fail(&rig, "own");
    fail(&rig, "follows");
    assert_eq!(
        (level(&rig, "own"), level(&rig, "follows")),
        (DETAILED, DETAILED)
    );
    rig.kind.set_level(StatsLevel::Disabled);
    assert_eq!(
        (level(&rig, "own"), level(&rig, "follows")),
        (DETAILED, DETAILED)
    );
    rig.advance_ms(60_000);
    rig.spans();
    assert_eq!((level(&rig, "own"), level(&rig, "follows")), (BASE, None));
}

#[test]
fn what_a_user_sets_meanwhile_wins_and_is_left_alone_until_the_time_is_over() {
    for (set, expected) in [
        (BASE, BASE),
        (Some(StatsLevel::Disabled), None),
        (None, BASE),
    ] {
        let rig = raising(true, |_| {});
        fail(&rig, "a");
        let running = rig.root("a");
        assert!(rig.kind.set_method_level("a", set));
        running.end(FAILED);
        rig.spans();
        assert_eq!(level(&rig, "a"), expected, "{set:?}");
        rig.advance_ms(60_000);
        rig.spans();
        assert_eq!(level(&rig, "a"), expected, "{set:?}");
        assert_eq!(raises(&rig.telemetry).0, 1);
    }
}

#[test]
fn what_is_disabled_or_detailed_is_not_raised() {
    let rig = raising(true, |_| {});
    let (disabled, detailed) = (rig.root("disabled"), rig.root("detailed"));
    rig.kind
        .set_method_level("disabled", Some(StatsLevel::Disabled));
    rig.kind.set_method_level("detailed", DETAILED);
    disabled.end(FAILED);
    detailed.end(FAILED);
    assert_eq!(rig.spans().len(), 2);
    assert_eq!(level(&rig, "disabled"), None);
    assert_eq!(raises(&rig.telemetry), (0, 0, 0));
}

#[test]
fn raises_are_limited_per_minute_and_at_a_time_and_the_refused_are_counted() {
    let rig = raising(true, |rule| {
        rule.lasts = Duration::from_secs(10);
        rule.per_minute = 3;
        rule.at_once = 2;
    });
    for step in ["a", "b", "c"] {
        fail(&rig, step);
    }
    assert_eq!(
        (level(&rig, "a"), level(&rig, "b"), level(&rig, "c")),
        (DETAILED, DETAILED, BASE)
    );
    assert_eq!(raises(&rig.telemetry), (2, 0, 1));
    rig.advance_ms(10_000);
    fail(&rig, "c");
    fail(&rig, "d");
    assert_eq!((level(&rig, "c"), level(&rig, "d")), (DETAILED, BASE));
    assert_eq!(raises(&rig.telemetry), (3, 1, 1));
    // A minute after the first, there is room again.
    rig.advance_ms(50_000);
    fail(&rig, "d");
    assert_eq!(level(&rig, "d"), DETAILED);
    let all = all(&rig.telemetry);
    for (outcome, count) in [
        ("raised", 4.0),
        ("refused_rate", 1.0),
        ("refused_methods", 1.0),
    ] {
        let labels = [("obs.level.raise.outcome", outcome)];
        assert_eq!(number(&all, "obs.level.raises", &labels), count);
    }
}

#[test]
fn a_flood_of_failing_methods_stays_within_its_limits() {
    let rig = raising(true, |_| {});
    for step in 0..200 {
        rig.root(&format!("step {step}")).end(FAILED);
    }
    rig.spans();
    let own = rig.kind.method_levels();
    assert_eq!(own.len(), 5);
    // Methods beyond the cap of their label are none that could be raised, and so not refused.
    assert_eq!(raises(&rig.telemetry), (5, 0, 3));
}

#[test]
fn a_kind_without_methods_is_raised_as_a_whole() {
    static PLAIN: Descriptor = Descriptor {
        name: "test.plain",
        span_kind: SpanKind::Internal,
        scope: &SCOPE,
        labels: &[],
        method: None,
        errors: &[],
        duration: None,
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_name: |_, into| into.push_str("plain"),
    };
    let rig = raising(true, |_| {});
    let kind = rig.telemetry.kind(&PLAIN);
    kind.start(Labels::NONE, Parent::Root).end(FAILED);
    rig.spans();
    assert_eq!(kind.level(), StatsLevel::Detailed);
    assert_eq!(kind.level_left(), Some(Duration::from_secs(60)));
    rig.advance_ms(60_000);
    rig.spans();
    assert_eq!((kind.level(), kind.level_left()), (StatsLevel::Base, None));
}

#[test]
fn a_level_can_be_set_for_a_time_by_hand_and_the_rule_leaves_it_alone() {
    let rig = raising(true, |_| {});
    let minutes = |n: u64| Duration::from_secs(n * 60);
    assert!(rig.kind.set_level_for(StatsLevel::Disabled, minutes(2)));
    assert!(
        rig.kind
            .set_method_level_for("a", StatsLevel::Base, minutes(5))
    );
    assert_eq!((level(&rig, "a"), level(&rig, "b")), (BASE, None));
    assert_eq!(rig.kind.level_left(), Some(minutes(2)));
    fail(&rig, "a");
    assert_eq!(level(&rig, "a"), BASE);
    rig.advance_ms(120_000);
    rig.spans();
    assert_eq!((level(&rig, "a"), level(&rig, "b")), (BASE, BASE));
    assert_eq!(rig.kind.method_levels()[0].left, Some(minutes(3)));
    rig.advance_ms(180_000);
    rig.spans();
    assert_eq!(rig.kind.method_levels(), []);
    fail(&rig, "a");
    assert_eq!(level(&rig, "a"), DETAILED);
}

#[test]
fn after_shutdown_nothing_is_raised_or_set() {
    let rig = raising(true, |_| {});
    rig.root("a").end(FAILED);
    rig.telemetry
        .shutdown(Duration::from_secs(5))
        .expect("in time");
    assert!(rig.telemetry.is_shut_down());
    assert_eq!(level(&rig, "a"), None);
    assert_eq!(raises(&rig.telemetry), (0, 0, 0));
    let minute = Duration::from_secs(60);
    assert!(!rig.kind.set_level_for(StatsLevel::Base, minute));
    assert!(!rig.kind.set_method_level_for("a", StatsLevel::Base, minute));
}

#[test]
fn telemetries_raise_for_themselves() {
    let (one, other) = (raising(true, |_| {}), raising(true, |_| {}));
    fail(&one, "a");
    other.root("a").end(Outcome::ANSWERED);
    other.spans();
    assert_eq!((level(&one, "a"), level(&other, "a")), (DETAILED, BASE));
}

#[test]
fn with_threads_it_happens_by_itself() {
    let mut rule = RaiseRule::default();
    rule.lasts = Duration::from_millis(50);
    let telemetry = builder()
        .with_raise(rule)
        .with_collect_interval(Duration::from_millis(1))
        .build()
        .expect("a usable configuration");
    let kind = telemetry.kind(&WORK);
    let labels = Labels::NONE.with(0, kind.label(0, "a"));
    kind.start(labels, Parent::Root).end(FAILED);
    let wait_until = |what: &str, done: &dyn Fn() -> bool| {
        let patience = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < patience, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    wait_until("raised", &|| telemetry.counts().raises == 1);
    wait_until("over", &|| kind.level_of(labels) == StatsLevel::Base);
    telemetry.shutdown(Duration::from_secs(5)).expect("in time");
}
