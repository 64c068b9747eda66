//! What stays, and what takes it back.

use super::*;
use crate::gate::GateState::{Draining, Isolated, Serving};
use crate::health::HealthState::{Degraded, Failed, PredictedFailure};

/// A day of readings in which all is well.
fn a_good_day(subject: &mut Subject) {
    for quantity in [
        Quantity::RecoveryAction,
        Quantity::RemapPending,
        Quantity::RemapFailed,
    ] {
        subject.set(quantity, 0);
    }
    for hour in 1..=24 {
        subject.set(Quantity::Energy, 1_000_000 * hour);
        for tier in Tier::ALL {
            subject.wait(1_200_000).read(tier);
        }
    }
}

fn of_each_latch() -> Vec<(Cause, Subject)> {
    let mut all = Vec::new();
    let mut add = |cause, tell: fn(&mut Subject)| {
        let mut subject = Subject::new();
        subject.says(Quantity::EccCorrected, 0);
        subject.says(Quantity::EccUncorrected, 0);
        subject.wait(10_000);
        tell(&mut subject);
        assert_eq!(subject.causes(), [cause]);
        all.push((cause, subject));
    };
    add(Cause::RecoveryAction, |it| {
        it.says(Quantity::RecoveryAction, 1);
    });
    add(Cause::Lost, |it| {
        it.take(Input::Error(SourceError::Lost(15)));
    });
    add(Cause::NotAnswering, |it| {
        it.take(Input::NotAnswering {
            since: moment(9_000),
        });
    });
    add(Cause::Xid, |it| {
        it.xid(79);
    });
    add(Cause::RemapFailed, |it| {
        it.says(Quantity::RemapFailed, 1);
    });
    add(Cause::RemapPending, |it| {
        it.says(Quantity::RemapPending, 1);
    });
    add(Cause::EccUncorrected, |it| {
        it.says(Quantity::EccUncorrected, 1);
        it.wait(1_001).tick();
    });
    add(Cause::EccCorrected, |it| {
        it.says(Quantity::EccCorrected, 90_000);
    });
    add(Cause::Other, |it| {
        it.event(Event::Other(1 << 40));
    });
    let latches = Cause::ALL.iter().filter(|cause| cause.latches());
    assert_eq!(all.len(), latches.count(), "one of each");
    all
}

#[test]
fn the_first_four_stay_however_well_it_is_afterwards() {
    for (cause, mut subject) in of_each_latch() {
        let before = subject.is();
        a_good_day(&mut subject);
        assert_eq!((subject.is(), subject.causes()), (before, vec![cause]));
    }
}

#[test]
fn a_reset_takes_back_everything() {
    for (_, mut subject) in of_each_latch() {
        let outcome = subject.take(Input::Reappeared);
        assert!(outcome.change.is_some());
        subject.expect_ok();
        // What is counted since the driver was loaded begins anew.
        subject.set(Quantity::EccUncorrected, 0);
        subject.set(Quantity::EccCorrected, 0);
        a_good_day(&mut subject);
        subject.expect_ok();
    }
}

#[test]
fn an_operator_takes_back_everything() {
    for (cause, mut subject) in of_each_latch() {
        let change = subject
            .wait(5)
            .take(Input::Clear)
            .change
            .expect("it is well");
        assert_eq!(change.evidence.expect("what it was by").cause, cause);
        subject.expect_ok();
    }
}

#[test]
fn what_an_operator_cleared_counts_again_once_it_is_another() {
    let mut subject = Subject::new();
    subject
        .set(Quantity::RecoveryAction, 3)
        .set(Quantity::RemapPending, 1)
        .set(Quantity::RemapFailed, 1)
        .set(Quantity::EccUncorrected, 5);
    subject.read(Tier::Slow);
    subject.take(Input::Clear);
    for _ in 0..5 {
        subject.wait(10_000).read(Tier::Slow);
        subject.expect_ok();
    }
    subject.wait(10_000).says(Quantity::RecoveryAction, 4);
    subject.expect(PredictedFailure, Draining, &[Cause::RecoveryAction]);
    subject.take(Input::Clear);
    // Gone, and there again.
    subject
        .set(Quantity::RemapPending, 0)
        .set(Quantity::RemapFailed, 0);
    subject.wait(10_000).read(Tier::Slow);
    subject.expect_ok();
    subject.wait(10_000).says(Quantity::RemapPending, 1);
    subject.expect(PredictedFailure, Serving, &[Cause::RemapPending]);
    subject.wait(10_000).says(Quantity::RemapFailed, 1);
    subject.expect(Failed, Isolated, &[Cause::RemapFailed, Cause::RemapPending]);
    subject.take(Input::Clear);
    subject.wait(10_000).says(Quantity::EccUncorrected, 6);
    subject.wait(1_001).tick();
    subject.expect(PredictedFailure, Draining, &[Cause::EccUncorrected]);
}

#[test]
fn a_link_that_an_operator_knows_to_be_down_is_none_that_is_down() {
    let links = |subject: &mut Subject, up: [bool; 3]| {
        let link = |(number, up)| LinkReading {
            up: Some(up),
            ..LinkReading::new(number)
        };
        let links: Vec<_> = (0..).zip(up).map(link).collect();
        subject.wait(10_000).take(Input::Links(&links));
    };
    let mut subject = Subject::new();
    links(&mut subject, [true, true, true]);
    links(&mut subject, [true, false, true]);
    subject.expect(Degraded, Serving, &[Cause::LinkDown]);
    subject.take(Input::Clear);
    links(&mut subject, [true, false, true]);
    subject.expect_ok();
    // Another one is, and so is that one once it was up again.
    links(&mut subject, [false, false, true]);
    subject.expect(Degraded, Serving, &[Cause::LinkDown]);
    assert_eq!(subject.machine.report().evidence[0].value, Some(1.0));
    subject.take(Input::Clear);
    links(&mut subject, [true, true, true]);
    links(&mut subject, [true, false, true]);
    subject.expect(Degraded, Serving, &[Cause::LinkDown]);
}

#[test]
fn an_operator_has_not_seen_what_was_not_read_since_the_reset() {
    let mut subject = Subject::new();
    subject.says(Quantity::RecoveryAction, 1);
    subject.take(Input::Reappeared);
    subject.wait(100).take(Input::Clear);
    // As it was before the reset, and so it is new.
    subject.wait(10_000).says(Quantity::RecoveryAction, 1);
    subject.expect(Failed, Isolated, &[Cause::RecoveryAction]);
}

#[test]
fn what_is_still_so_after_a_reset_counts_at_once() {
    let mut subject = Subject::new();
    subject.says(Quantity::RemapFailed, 1);
    subject.take(Input::Reappeared);
    subject.expect_ok();
    subject.wait(10_000).read(Tier::Slow);
    subject.expect(Failed, Isolated, &[Cause::RemapFailed]);
}

#[test]
fn errors_after_a_reset_are_new() {
    let mut subject = Subject::new();
    subject.says(Quantity::EccUncorrected, 7);
    subject.take(Input::Reappeared);
    subject.wait(10_000).says(Quantity::EccUncorrected, 1);
    subject.wait(1_001).tick();
    subject.expect(PredictedFailure, Draining, &[Cause::EccUncorrected]);
}

#[test]
fn one_that_can_be_read_again_was_reset_if_it_had_been_lost() {
    let mut subject = Subject::new();
    subject.xid(79);
    subject.take(Input::Returned);
    subject.expect(Failed, Isolated, &[Cause::Xid]);
    subject.take(Input::Error(SourceError::Lost(15)));
    subject.take(Input::Returned);
    subject.expect_ok();
}

/// S9: the counters that begin anew.
#[test]
fn a_reset_that_nobody_tells_of_is_seen_by_all_that_begins_anew() {
    let mut subject = Subject::new();
    subject
        .set(Quantity::EccCorrected, 4)
        .set(Quantity::EccUncorrected, 1)
        .set(Quantity::Energy, 70_000);
    for tier in Tier::ALL {
        subject.read(tier);
    }
    subject.wait(1_000).xid(64);
    subject
        .set(Quantity::EccCorrected, 0)
        .set(Quantity::EccUncorrected, 0)
        .set(Quantity::Energy, 12);
    subject.wait(250).read(Tier::Fast);
    subject.expect(Failed, Isolated, &[Cause::Xid, Cause::EccUncorrected]);
    subject.wait(10_000).read(Tier::Slow);
    subject.expect_ok();
}

#[test]
fn one_counter_that_jumps_takes_nothing_back() {
    let mut subject = Subject::new();
    subject
        .set(Quantity::EccCorrected, 4)
        .set(Quantity::Energy, 70_000);
    for tier in Tier::ALL {
        subject.read(tier);
    }
    subject.wait(1_000).xid(64);
    subject.set(Quantity::Energy, 12);
    for _ in 0..5 {
        for tier in Tier::ALL {
            subject.wait(1_000).read(tier);
        }
    }
    subject.expect(Failed, Isolated, &[Cause::Xid]);
    // Nor does one that cannot be read any more.
    subject
        .readings
        .set(Quantity::EccCorrected, Reading::Failed(999));
    subject.set(Quantity::RecoveryAction, 0);
    subject.set(Quantity::Energy, 1);
    for tier in Tier::ALL {
        subject.wait(1_000).read(tier);
    }
    subject.expect(Failed, Isolated, &[Cause::Xid]);
}

#[test]
fn a_hang_is_forgiven_only_where_a_service_says_so_and_only_a_short_one() {
    let hangs = |subject: &mut Subject, millis: u64| {
        let since = moment(subject.now);
        subject.wait(millis).take(Input::NotAnswering { since });
        subject.expect(Failed, Isolated, &[Cause::NotAnswering]);
        subject.wait(1).read(Tier::Fast);
    };
    let mut subject = Subject::new();
    hangs(&mut subject, 600);
    subject.expect(Failed, Isolated, &[Cause::NotAnswering]);

    let settings = || HealthSettings::new().with_forgiven_hang(Duration::from_secs(2));
    let mut subject = Subject::with(settings());
    hangs(&mut subject, 600);
    subject.expect_ok();
    hangs(&mut subject, 1_999);
    subject.expect_ok();
    hangs(&mut subject, 2_000);
    subject.expect(Failed, Isolated, &[Cause::NotAnswering]);
    subject.wait(90_000).read(Tier::Fast);
    subject.expect(Failed, Isolated, &[Cause::NotAnswering]);
    subject.take(Input::Clear);
    subject.expect_ok();
}

#[test]
fn what_was_so_before_a_reset_is_not_added_to_what_is_so_after_it() {
    for over in [Input::Reappeared, Input::Clear] {
        let mut subject = Subject::new();
        let hot = |subject: &mut Subject, seconds: u64| {
            subject.set(Quantity::ThrottleReasons, 0x40);
            subject.set(Quantity::TemperatureMargin, -1_000);
            for _ in 0..seconds {
                subject
                    .wait(1_000)
                    .says(Quantity::MemoryTemperature, 96_000);
            }
        };
        hot(&mut subject, 5);
        subject.take(over);
        hot(&mut subject, 5);
        subject.expect_ok();
        hot(&mut subject, 1);
        assert_eq!(subject.is(), (Degraded, Serving));
        assert_eq!(
            subject.causes(),
            [Cause::Throttled, Cause::TooHot, Cause::TooHot]
        );
    }
    // A link that is not there after a reset is none that went.
    let link = |up| LinkReading {
        up: Some(up),
        ..LinkReading::new(3)
    };
    let mut subject = Subject::new();
    subject.take(Input::Links(&[link(true)]));
    subject.take(Input::Reappeared);
    subject.wait(60_000).take(Input::Links(&[link(false)]));
    subject.expect_ok();
}

#[test]
fn what_waits_is_forgotten_with_the_rest() {
    let mut subject = Subject::new();
    subject.event(Event::EccDouble);
    subject.take(Input::Clear);
    subject.wait(60_000).tick();
    subject.expect_ok();
    subject.wait(1).xid(94);
    subject.wait(1).take(Input::Reappeared);
    subject.wait(1).event(Event::EccDouble);
    subject.wait(1_001).tick();
    subject.expect(PredictedFailure, Draining, &[Cause::EccUncorrected]);
}

#[test]
fn what_is_no_latch_goes_and_leaves_the_latches() {
    let mut subject = Subject::new();
    subject.xid(63);
    for _ in 0..3 {
        subject.take(Input::Error(SourceError::Failed(3)));
    }
    subject.expect(Degraded, Serving, &[Cause::Xid, Cause::ReadsFailing]);
    subject.wait(1).read(Tier::Fast);
    subject.expect(Degraded, Serving, &[Cause::Xid]);
}
