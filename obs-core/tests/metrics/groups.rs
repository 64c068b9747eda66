//! Levels of all methods of a service at once.

use crate::support::{METHOD, Rig, rig, rig_with};
use obs_core::{Labels, Outcome, Parent, StatsLevel};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const DISABLED: Option<StatsLevel> = Some(StatsLevel::Disabled);
const BASE: Option<StatsLevel> = Some(StatsLevel::Base);
const DETAILED: Option<StatsLevel> = Some(StatsLevel::Detailed);

/// The level at which an operation of this method starts now.
fn level(rig: &Rig, method: &str) -> StatsLevel {
    let named = Some((METHOD, method));
    let mut operation = rig.kind.start_with(Labels::NONE, named, Parent::Root);
    let level = operation.active().map(|active| active.level());
    operation.end(Outcome::ANSWERED);
    level.unwrap_or(StatsLevel::Disabled)
}

#[track_caller]
fn check(rig: &Rig, expect: [(&str, StatsLevel); 3]) {
    for (method, expect) in expect {
        assert_eq!(level(rig, method), expect, "{method}");
    }
}

#[test]
fn a_service_has_a_level_for_its_methods_those_met_before_and_those_met_later() {
    use StatsLevel::{Base, Detailed, Disabled};
    let rig = rig(true);
    check(&rig, [("p.A/1", Base), ("p.B/1", Base), ("p.AB/1", Base)]);
    assert!(rig.kind.set_method_level("p.A/*", DETAILED));
    check(
        &rig,
        [("p.A/1", Detailed), ("p.B/1", Base), ("p.AB/1", Base)],
    );
    check(
        &rig,
        [("p.A/2", Detailed), ("p.B/2", Base), ("q.A/1", Base)],
    );
    // And the method's own goes before.
    assert!(rig.kind.set_method_level("p.A/1", DISABLED));
    check(
        &rig,
        [("p.A/1", Disabled), ("p.A/2", Detailed), ("p.B/1", Base)],
    );
    rig.kind.set_level(Disabled);
    check(
        &rig,
        [
            ("p.A/1", Disabled),
            ("p.A/2", Detailed),
            ("p.B/1", Disabled),
        ],
    );
    assert!(rig.kind.set_method_level("p.A/1", None));
    check(
        &rig,
        [
            ("p.A/1", Detailed),
            ("p.A/2", Detailed),
            ("p.B/1", Disabled),
        ],
    );
    assert!(rig.kind.set_method_level("p.A/*", None));
    check(
        &rig,
        [
            ("p.A/1", Disabled),
            ("p.A/2", Disabled),
            ("p.B/1", Disabled),
        ],
    );
}

#[test]
fn the_closest_group_that_has_a_level_goes_before() {
    let rig = rig(true);
    let level = |method: &str| level(&rig, method);
    assert!(rig.kind.set_method_level("/a/b/*", DETAILED));
    assert!(rig.kind.set_method_level("/a/*", DISABLED));
    assert_eq!(level("/a/b/c"), StatsLevel::Detailed);
    assert_eq!(level("/a/c"), StatsLevel::Disabled);
    assert!(rig.kind.set_method_level("/a/b/*", None));
    assert_eq!(level("/a/b/c"), StatsLevel::Disabled);
    assert!(rig.kind.set_method_level("/a/*", None));
    assert_eq!(level("/a/b/c"), StatsLevel::Base);
}

#[test]
fn a_method_beyond_the_cap_has_the_level_of_its_service() {
    let rig = rig(true);
    assert!(rig.kind.set_method_level("p.A/*", DETAILED));
    for number in 0..40 {
        assert_eq!(level(&rig, &format!("p.A/{number}")), StatsLevel::Detailed);
        assert_eq!(level(&rig, &format!("p.B/{number}")), StatsLevel::Base);
    }
}

#[test]
fn a_method_without_a_number_has_the_level_of_its_service() {
    let rig = rig(true);
    let level = |method: &str| {
        let mut operation = rig.kind.start_unnamed(Labels::NONE, method, Parent::Root);
        let level = operation.active().map(|active| active.level());
        operation.end(Outcome::ANSWERED);
        level
    };
    assert_eq!(level("p.A/1"), BASE);
    assert!(rig.kind.set_method_level("p.A/*", DETAILED));
    assert_eq!((level("p.A/1"), level("p.B/1")), (DETAILED, BASE));
    assert!(rig.kind.set_method_level("p.A/*", DISABLED));
    assert_eq!((level("p.A/1"), level("p.B/1")), (None, BASE));
    rig.kind.set_level(StatsLevel::Disabled);
    assert!(rig.kind.set_method_level("p.A/*", BASE));
    assert_eq!((level("p.A/1"), level("p.B/1")), (BASE, None));
    // It was asked for, and has no number for that.
    assert!(!rig.kind.knows_method("p.A/1"));
}

#[test]
fn a_service_may_have_its_level_for_a_time() {
    let rig = rig(true);
    assert!(!rig.kind.knows_method("p.A/*"));
    assert_eq!(level(&rig, "p.A/1"), StatsLevel::Base);
    assert!(rig.kind.knows_method("p.A/*") && !rig.kind.knows_method("p.B/*"));
    let minute = Duration::from_secs(60);
    assert!(
        rig.kind
            .set_method_level_for("p.A/*", StatsLevel::Detailed, minute)
    );
    assert_eq!(level(&rig, "p.A/1"), StatsLevel::Detailed);
    let [own]: [_; 1] = rig.kind.method_levels().try_into().expect("one");
    assert_eq!(
        (own.method.as_deref(), own.level, own.left),
        (Some("p.A/*"), StatsLevel::Detailed, Some(minute))
    );
    rig.advance_ms(60_000);
    rig.exported();
    assert_eq!(level(&rig, "p.A/1"), StatsLevel::Base);
    assert!(rig.kind.method_levels().is_empty());
}

#[test]
fn there_is_room_for_63_services_and_what_is_no_service_is_a_method() {
    let rig = rig(true);
    for number in 0..63 {
        assert!(
            rig.kind
                .set_method_level(&format!("p.S{number}/*"), DETAILED)
        );
    }
    assert!(!rig.kind.set_method_level("p.S63/*", DETAILED));
    assert!(rig.kind.set_method_level("p.S0/*", DISABLED), "known");
    assert_eq!(level(&rig, "p.S62/m"), StatsLevel::Detailed);
    assert_eq!(level(&rig, "p.S0/m"), StatsLevel::Disabled);
    assert_eq!(level(&rig, "p.S63/m"), StatsLevel::Base);
    // Neither is a group.
    for method in ["*", "p.S1*"] {
        assert!(rig.kind.set_method_level(method, DISABLED));
        assert_eq!(level(&rig, method), StatsLevel::Disabled);
    }
    assert_eq!(level(&rig, "p.S1x"), StatsLevel::Base);
}

#[test]
fn after_shutdown_no_service_has_a_level() {
    let rig = rig_with(true, |builder| builder);
    assert!(rig.kind.set_method_level("p.A/*", DETAILED));
    let _ = rig.telemetry.shutdown(Duration::from_secs(5));
    assert!(!rig.kind.set_method_level("p.A/*", DETAILED));
    assert_eq!(level(&rig, "p.A/1"), StatsLevel::Disabled);
}

#[test]
fn a_start_on_another_thread_sees_the_service_that_was_set_before() {
    let rig = rig(true);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Looks at all of them while groups come into being.
        let looks = scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                for number in 0..8 {
                    level(&rig, &format!("p.S{number}/m"));
                }
            }
        });
        for number in 0..8 {
            assert!(
                rig.kind
                    .set_method_level(&format!("p.S{number}/*"), DETAILED)
            );
            for seen in 0..=number {
                let method = format!("p.S{seen}/m");
                assert_eq!(level(&rig, &method), StatsLevel::Detailed, "{method}");
            }
        }
        over.store(true, Ordering::Release);
        looks.join().expect("no panic");
    });
}
