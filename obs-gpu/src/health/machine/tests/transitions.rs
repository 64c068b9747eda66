//! Each cause, alone and beside others.

use super::*;
use crate::gate::GateState::{Draining, Isolated, Serving};
use crate::health::HealthState::{Degraded, Failed, Ok as Well, PredictedFailure};

#[test]
fn what_the_driver_asks_for() {
    for (action, state, gate) in [
        (1, Failed, Isolated),
        (2, Failed, Isolated),
        (3, PredictedFailure, Draining),
        (4, PredictedFailure, Draining),
        (5, PredictedFailure, Draining),
        (6, Failed, Isolated),
        (7, Failed, Isolated),
        // Of a driver to come: something is to be done.
        (8, PredictedFailure, Draining),
        (-1, PredictedFailure, Draining),
    ] {
        let mut subject = Subject::new();
        subject.says(Quantity::RecoveryAction, 0);
        subject.expect_ok();
        subject.wait(10_000).says(Quantity::RecoveryAction, action);
        subject.expect(state, gate, &[Cause::RecoveryAction]);
        let evidence = &subject.machine.report().evidence[0];
        assert_eq!(
            (evidence.code, evidence.since),
            (Some(action), moment(10_000))
        );
    }
}

#[test]
fn gone_by_the_drivers_word() {
    for error in [
        SourceError::Lost(15),
        SourceError::Failed(15),
        SourceError::Failed(16),
        SourceError::Absent,
    ] {
        let mut subject = Subject::new();
        subject.take(Input::Error(error));
        subject.expect(Failed, Isolated, &[Cause::Lost]);
    }
    // One quantity is enough, if it is of the tier that was read.
    let mut subject = Subject::new();
    subject
        .readings
        .set(Quantity::Temperature, Reading::Failed(15));
    subject.read(Tier::Fast);
    subject.expect_ok();
    subject.read(Tier::Second);
    subject.expect(Failed, Isolated, &[Cause::Lost]);
    assert_eq!(subject.machine.report().evidence[0].code, Some(15));
}

#[test]
fn gone_without_a_word() {
    // NVSentinel #155: off the bus without any XID.
    let mut subject = Subject::new();
    subject.take(Input::Vanished);
    subject.expect(Failed, Isolated, &[Cause::Lost]);
    let mut subject = Subject::new();
    subject.event(Event::Unavailable);
    subject.expect(Failed, Isolated, &[Cause::Lost]);
}

#[test]
fn a_call_that_does_not_come_back() {
    let mut subject = Subject::new();
    let since = moment(200);
    subject.wait(700).take(Input::NotAnswering { since });
    subject.expect(Failed, Isolated, &[Cause::NotAnswering]);
    let report = subject.machine.report();
    assert_eq!(
        (report.since, report.evidence[0].since),
        (moment(700), since)
    );
    // Said again and again, it is one.
    let again = subject.wait(500).take(Input::NotAnswering { since });
    assert_eq!(again.change, None);
    assert_eq!(subject.machine.report().evidence[0].times, 2);
}

#[test]
fn rows_of_memory() {
    let mut subject = Subject::new();
    subject.set(Quantity::RemapFailed, 0);
    subject.says(Quantity::RemapPending, 0);
    subject.expect_ok();
    subject.wait(10_000).says(Quantity::RemapPending, 1);
    subject.expect(PredictedFailure, Serving, &[Cause::RemapPending]);
    subject.wait(10_000).says(Quantity::RemapFailed, 1);
    subject.expect(Failed, Isolated, &[Cause::RemapFailed, Cause::RemapPending]);
    let mut subject = Subject::new();
    subject.says(Quantity::RetirementPending, 1);
    subject.expect(PredictedFailure, Serving, &[Cause::RemapPending]);
}

#[test]
fn memory_as_the_device_says_it() {
    for (event, state, gate, cause) in [
        (
            Event::MemoryRetired,
            PredictedFailure,
            Serving,
            Cause::RemapPending,
        ),
        (
            Event::RetirementFailed,
            Failed,
            Isolated,
            Cause::RemapFailed,
        ),
        (
            Event::Poison { fatal: true },
            Failed,
            Isolated,
            Cause::EccUncorrected,
        ),
        (
            Event::Poison { fatal: false },
            Degraded,
            Serving,
            Cause::EccUncorrected,
        ),
        (Event::EccStorm, Degraded, Serving, Cause::EccCorrected),
        (Event::Other(0x1_0000), Degraded, Serving, Cause::Other),
    ] {
        let mut subject = Subject::new();
        subject.event(event);
        subject.expect(state, gate, &[cause]);
    }
    let mut subject = Subject::new();
    subject.event(Event::EccSingle);
    subject.expect_ok();
}

#[test]
fn errors_of_the_driver_count_once_there_are_several_in_a_row() {
    let mut subject = Subject::new();
    let failed = SourceError::Failed(999);
    subject.take(Input::Error(failed));
    subject.wait(250).take(Input::Error(failed));
    subject.expect_ok();
    subject.wait(250).read(Tier::Fast);
    subject.wait(250).take(Input::Error(failed));
    subject.wait(250).take(Input::Error(failed));
    subject.expect_ok();
    subject.wait(250).take(Input::Error(failed));
    subject.expect(Degraded, Serving, &[Cause::ReadsFailing]);
    assert_eq!(subject.machine.report().evidence[0].code, Some(999));
    subject.wait(250).read(Tier::Fast);
    subject.expect_ok();
    let unsupported = Input::Error(SourceError::Unsupported);
    for _ in 0..9 {
        subject.take(unsupported);
    }
    subject.expect_ok();
}

#[test]
fn a_tier_that_can_be_read_does_not_hide_one_that_cannot() {
    let mut subject = Subject::new();
    let slow = Quantity::ALL.iter().filter(|of| of.tier() == Tier::Slow);
    for quantity in slow.clone() {
        subject.readings.set(*quantity, Reading::Failed(999));
    }
    let turn = |subject: &mut Subject| {
        for _ in 0..40 {
            subject.wait(250).says(Quantity::Power, 70_000);
        }
        subject.read(Tier::Slow);
    };
    turn(&mut subject);
    turn(&mut subject);
    subject.expect_ok();
    // What the driver asks for and what errors there are nobody can see.
    turn(&mut subject);
    subject.expect(Degraded, Serving, &[Cause::ReadsFailing]);
    subject.wait(250).says(Quantity::Power, 70_000);
    subject.expect(Degraded, Serving, &[Cause::ReadsFailing]);
    subject.wait(250).says(Quantity::RecoveryAction, 0);
    subject.expect_ok();
}

#[test]
fn it_goes_through_all_states_and_each_change_says_what_it_is_by() {
    let mut subject = Subject::new();
    let mut seen = Vec::new();
    let mut note = |outcome: Outcome| {
        let change = outcome.change.expect("another state");
        let evidence = change.evidence.expect("there is some");
        seen.push((change.from.0, change.to.0, evidence.cause, change.since));
    };
    note(subject.wait(100).xid(92));
    note(subject.wait(100).says(Quantity::RemapPending, 1));
    note(subject.wait(100).xid(79));
    note(subject.wait(100).take(Input::Reappeared));

    assert_eq!(
        seen,
        [
            (Well, Degraded, Cause::Xid, moment(0)),
            (Degraded, PredictedFailure, Cause::RemapPending, moment(100)),
            (PredictedFailure, Failed, Cause::Xid, moment(200)),
            (Failed, Well, Cause::Xid, moment(300)),
        ]
    );
}

#[test]
fn a_gate_may_close_while_the_state_stays() {
    let mut subject = Subject::new();
    subject.says(Quantity::RemapPending, 1);
    let change = subject.wait(5).xid(48).change.expect("the gate is another");
    assert_eq!(change.from, (PredictedFailure, Serving));
    assert_eq!(change.to, (PredictedFailure, Draining));
    assert_eq!(
        subject.machine.report().since,
        moment(0),
        "the state is as old as it was"
    );
}

#[test]
fn of_two_that_are_as_bad_the_more_believed_comes_first() {
    let mut subject = Subject::new();
    subject.xid(79);
    subject.wait(10).take(Input::Error(SourceError::Lost(15)));
    subject.wait(10).says(Quantity::RecoveryAction, 2);
    subject
        .wait(10)
        .take(Input::NotAnswering { since: moment(5) });
    subject.wait(10).says(Quantity::RemapFailed, 1);
    subject.expect(
        Failed,
        Isolated,
        &[
            Cause::RecoveryAction,
            Cause::Lost,
            Cause::NotAnswering,
            Cause::Xid,
            Cause::RemapFailed,
        ],
    );
}

#[test]
fn verdicts_on_causes_are_the_services_to_change() {
    let settings = HealthSettings::new()
        .with_verdict(Cause::NotAnswering, Verdict::Degraded)
        .with_verdict(Cause::RemapPending, Verdict::Isolate)
        .with_verdict(Cause::RemapPending, Verdict::Drain)
        .with_verdict(Cause::ReadsFailing, Verdict::Note);
    let mut subject = Subject::with(settings);
    subject.take(Input::NotAnswering { since: moment(0) });
    subject.expect(Degraded, Serving, &[Cause::NotAnswering]);
    for _ in 0..5 {
        subject.take(Input::Error(SourceError::Failed(999)));
    }
    subject.expect(Degraded, Serving, &[Cause::NotAnswering]);
    subject.says(Quantity::RemapPending, 1);
    subject.expect(
        PredictedFailure,
        Draining,
        &[Cause::RemapPending, Cause::NotAnswering],
    );
}

#[test]
fn absent_is_not_zero() {
    // Whatever a device does not say is no evidence, for or against.
    let mut subject = Subject::new();
    for quantity in Quantity::ALL {
        subject.readings.set(*quantity, Reading::Unsupported);
    }
    for tier in Tier::ALL {
        subject.wait(1_000).read(tier);
    }
    subject.expect_ok();
    subject.take(Input::Links(&[]));
    subject.take(Input::Links(&[LinkReading::new(0)]));
    subject.expect_ok();
}

#[test]
fn a_part_is_no_better_than_the_whole() {
    let mut whole = Subject::new();
    whole.xid(62);
    let mut part = Subject::new();
    part.wait(5).xid(74);
    let change = part.take(Input::Inherit(whole.machine.evidence())).change;
    assert_eq!(
        change.expect("it drains").evidence.expect("some").code,
        Some(62)
    );
    part.expect(PredictedFailure, Draining, &[Cause::Xid, Cause::Xid]);
    assert!(part.machine.report().fabric);
    // It is the whole's to take back.
    part.take(Input::Clear);
    part.expect(PredictedFailure, Draining, &[Cause::Xid]);
    whole.take(Input::Reappeared);
    part.take(Input::Inherit(whole.machine.evidence()));
    part.expect_ok();
}

#[test]
fn a_tier_of_which_all_fails_was_not_read() {
    let mut subject = Subject::new();
    for quantity in Quantity::ALL {
        subject.readings.set(*quantity, Reading::Failed(999));
    }
    for _ in 0..2 {
        subject.wait(250).read(Tier::Fast);
        subject.expect_ok();
    }
    subject.wait(250).read(Tier::Fast);
    subject.expect(Degraded, Serving, &[Cause::ReadsFailing]);
    // One value is enough.
    subject.wait(250).says(Quantity::Power, 70_000);
    subject.expect_ok();
    // And a call that hung is not back with an error alone, where a hang may be forgiven.
    let settings = HealthSettings::new().with_forgiven_hang(Duration::from_secs(9));
    let mut subject = Subject::with(settings);
    subject.take(Input::NotAnswering { since: moment(0) });
    subject.readings.set(Quantity::Power, Reading::Failed(999));
    subject.wait(250).read(Tier::Fast);
    subject.expect(Failed, Isolated, &[Cause::NotAnswering]);
}
