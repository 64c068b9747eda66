//! Levels: what is recorded at each, and changing them while operations run.

use crate::support::points::{all, finished, in_flight};
use crate::support::{self, WORK, rig, rig_with};
use obs_core::{Event, Labels, Outcome, Parent, StatsLevel, Telemetry};

#[test]
fn levels_change_per_kind_and_method_while_running() {
    let rig = rig(true);
    let level = |step| {
        let operation = rig.root(step);
        let recording = operation.is_recording();
        operation.end(Outcome::ANSWERED);
        recording.then(|| rig.span().level)
    };
    let (base, detailed) = (Some(StatsLevel::Base), Some(StatsLevel::Detailed));
    assert_eq!((level("a"), level("b")), (base, base));
    rig.kind.set_level(StatsLevel::Detailed);
    assert_eq!((level("a"), level("b")), (detailed, detailed));
    assert!(rig.kind.set_method_level("a", Some(StatsLevel::Disabled)));
    assert_eq!((level("a"), level("b")), (None, detailed));
    rig.kind.set_level(StatsLevel::Disabled);
    assert!(rig.kind.set_method_level("a", Some(StatsLevel::Base)));
    assert_eq!((level("a"), level("b")), (base, None));
    assert!(rig.kind.set_method_level("a", None));
    assert_eq!((level("a"), level("b")), (None, None));
    rig.kind.set_level(StatsLevel::Base);
    assert_eq!((level("a"), level("b")), (base, base));
}

#[test]
fn a_level_that_changes_leaves_running_operations_alone() {
    let rig = rig(true);
    let mut operation = rig.root("w");
    rig.kind.set_level(StatsLevel::Disabled);
    operation.stamp(Event::WRITE_START);
    operation.end(Outcome::ANSWERED);
    assert_eq!(rig.span().level, StatsLevel::Base);
    assert_eq!(
        (finished(&rig.telemetry), in_flight(&rig.telemetry)),
        (1, 0)
    );
}

#[test]
fn at_base_there_are_no_events_and_at_detailed_they_come_in_order_with_first_stamps() {
    let rig = rig(true);
    let mine = Event::define("test_cache_looked_up", StatsLevel::Detailed).expect("room for one");
    for (level, expected) in [
        (StatsLevel::Base, &[][..]),
        (
            StatsLevel::Detailed,
            &[
                ("write_start", 5),
                ("test_cache_looked_up", 10),
                ("write_finish", 20),
            ],
        ),
    ] {
        rig.kind.set_level(level);
        let mut operation = rig.root("w");
        for event in [
            Event::WRITE_START,
            mine,
            Event::WRITE_START,
            Event::WRITE_FINISH,
        ] {
            rig.advance_ms(5);
            operation.stamp(event);
        }
        operation.end(Outcome::ANSWERED);
        let span = rig.span();
        let events: Vec<_> = span
            .events
            .iter()
            .map(|(name, at, _)| (name.as_str(), (at - span.start) / 1_000_000))
            .collect();
        assert_eq!(events, expected);
    }
}

#[test]
fn disabled_records_nothing() {
    let rig = rig_with(true, |builder| builder.with_level(StatsLevel::Disabled));
    let mut operation = rig.root("w");
    assert!(
        !operation.is_recording() && operation.active().is_none() && operation.handle().is_none()
    );
    operation.set(support::STEP, "x");
    operation.stamp(Event::WRITE_START);
    let child = operation.scope(|| rig.start("child", Parent::Current));
    drop(child);
    drop(operation);
    assert_eq!(rig.exported(), [""; 0]);
    assert!(
        all(&rig.telemetry)
            .iter()
            .all(|metric| metric.data.is_empty())
    );

    let noop = Telemetry::noop();
    let operation = noop.kind(&WORK).start(Labels::NONE, Parent::Root);
    assert!(!operation.is_recording());
    noop.kind(&WORK).set_level(StatsLevel::Detailed);
    assert!(
        !noop
            .kind(&WORK)
            .start(Labels::NONE, Parent::Root)
            .is_recording()
    );
}
