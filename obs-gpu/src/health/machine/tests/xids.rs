//! XIDs: rows, the cleanup that comes alone, errors that were contained, the driver's own word.

use super::*;
use crate::gate::GateState::{Draining, Isolated, Serving};
use crate::health::HealthState::{Degraded, Failed, Ok as Well, PredictedFailure};
use crate::xid::XidCatalogue;

#[test]
fn each_row_does_what_its_verdict_says() {
    for xid in XidCatalogue::new().known() {
        if [Xid::CLEANUP, Xid::RECOVERY_ACTION].contains(&xid.code) {
            continue;
        }
        let mut subject = Subject::new();
        let outcome = subject.xid(xid.code);
        let expected = match xid.verdict {
            Verdict::Note | Verdict::App => (Well, Serving),
            Verdict::Degraded => (Degraded, Serving),
            Verdict::Drain => (PredictedFailure, Draining),
            Verdict::Isolate => (Failed, Isolated),
        };
        assert_eq!(subject.is(), expected, "{xid:?}");
        assert_eq!(outcome.change.is_some(), expected.0 != Well, "{xid:?}");
        if let Some(change) = outcome.change {
            let evidence = change.evidence.expect("there is some");
            assert_eq!(evidence.code, Some(xid.code as i64));
            assert_eq!((evidence.name, evidence.latched), (xid.name, true));
            assert_eq!((evidence.since, evidence.times), (moment(0), 1));
        }
    }
}

#[test]
fn an_unknown_one_degrades() {
    let mut subject = Subject::new();
    subject.xid(4_711);
    subject.expect(Degraded, Serving, &[Cause::Xid]);
}

#[test]
fn a_service_that_knows_better_is_heard() {
    let catalogue = XidCatalogue::new()
        .with(79, Verdict::Note)
        .with(31, Verdict::Drain);
    let mut subject = Subject::with(HealthSettings::new().with_catalogue(catalogue));
    subject.xid(79);
    subject.expect_ok();
    subject.xid(31);
    subject.expect(PredictedFailure, Draining, &[Cause::Xid]);
}

#[test]
fn contained_errors_and_the_noise_after_them_keep_it_serving() {
    // S4: 94, then 13 and 45 of the applications that die of it, for hours.
    let mut subject = Subject::new();
    subject.says(Quantity::EccUncorrected, 0);
    subject.wait(3_000).xid(94);
    for _ in 0..200 {
        subject.wait(700).xid(13);
        subject.wait(20).xid(45);
    }
    subject.wait(60_000).tick();
    subject.expect_ok();
}

#[test]
fn the_errors_that_were_contained_are_counted_and_do_not_drain_it() {
    let mut subject = Subject::new();
    subject.says(Quantity::EccUncorrected, 0);
    subject.wait(4_000).xid(94);
    subject.wait(6_000).says(Quantity::EccUncorrected, 1);
    subject.expect(Degraded, Serving, &[Cause::EccUncorrected]);
    subject.wait(60_000).tick();
    subject.expect(Degraded, Serving, &[Cause::EccUncorrected]);
}

#[test]
fn the_driver_may_call_errors_contained_a_moment_after_they_were_read() {
    let mut subject = Subject::new();
    subject.says(Quantity::EccUncorrected, 0);
    subject.wait(10_000).says(Quantity::EccUncorrected, 2);
    subject.expect_ok();
    subject.wait(400).xid(94);
    subject.expect(Degraded, Serving, &[Cause::EccUncorrected]);
    subject.wait(60_000).tick();
    subject.expect(Degraded, Serving, &[Cause::EccUncorrected]);
}

#[test]
fn errors_that_nobody_calls_contained_drain_it() {
    let mut subject = Subject::new();
    subject.says(Quantity::EccUncorrected, 3);
    // From before: the driver's other words say what is to be done.
    subject.expect(Degraded, Serving, &[Cause::EccUncorrected]);
    subject.wait(10_000).says(Quantity::EccUncorrected, 4);
    subject.expect(Degraded, Serving, &[Cause::EccUncorrected]);
    subject.wait(1_001).tick();
    subject.expect(PredictedFailure, Draining, &[Cause::EccUncorrected]);
    let report = subject.machine.report();
    assert_eq!(report.evidence[0].value, Some(4.0));
    assert_eq!(report.evidence[0].since, moment(10_000));
}

#[test]
fn an_old_contained_error_does_not_excuse_a_new_one() {
    let mut subject = Subject::new();
    subject.says(Quantity::EccUncorrected, 0);
    subject.wait(1_000).xid(94);
    subject.wait(9_000).says(Quantity::EccUncorrected, 1);
    subject.wait(10_000).says(Quantity::EccUncorrected, 2);
    subject.wait(1_001).tick();
    subject.expect(PredictedFailure, Draining, &[Cause::EccUncorrected]);
}

#[test]
fn a_double_bit_error_by_itself_waits_for_its_name_too() {
    let mut subject = Subject::new();
    subject.event(Event::EccDouble);
    subject.expect_ok();
    subject.wait(50).xid(94);
    subject.expect(Degraded, Serving, &[Cause::EccUncorrected]);
    let mut subject = Subject::new();
    subject.event(Event::EccDouble);
    subject.wait(1_001).tick();
    subject.expect(PredictedFailure, Draining, &[Cause::EccUncorrected]);
}

#[test]
fn a_double_bit_error_drains_whatever_comes_beside_it_and_is_raised_by_what_is_worse() {
    for (beside, expected) in [
        (63, (PredictedFailure, Draining)),
        (94, (PredictedFailure, Draining)),
        (171, (PredictedFailure, Draining)),
        (64, (Failed, Isolated)),
        (95, (Failed, Isolated)),
    ] {
        for order in [[48, beside], [beside, 48]] {
            let mut subject = Subject::new();
            for code in order {
                subject.wait(5).xid(code);
            }
            assert_eq!(subject.is(), expected, "{order:?}");
        }
    }
}

#[test]
fn a_double_bit_error_and_the_row_that_is_replaced() {
    // S3: 48, 63, and the row is pending.
    let mut subject = Subject::new();
    let change = subject.xid(48).change.expect("it drains");
    assert_eq!(change.from, (Well, Serving));
    assert_eq!(change.to, (PredictedFailure, Draining));
    assert_eq!(subject.wait(30).xid(63).change, None);
    assert_eq!(
        subject.wait(9_000).says(Quantity::RemapPending, 1).change,
        None
    );
    subject.expect(
        PredictedFailure,
        Draining,
        &[Cause::Xid, Cause::RemapPending, Cause::Xid],
    );
    let codes = subject.machine.report().evidence;
    assert_eq!((codes[0].code, codes[2].code), (Some(48), Some(63)));
}

#[test]
fn a_cleanup_beside_another_is_nothing_before_and_after() {
    // NVSentinel #1710, with the harshest verdict on one that came alone.
    let harsh = || {
        let catalogue = XidCatalogue::new().with(Xid::CLEANUP, Verdict::Isolate);
        Subject::with(HealthSettings::new().with_catalogue(catalogue))
    };
    let mut subject = harsh();
    subject.xid(13);
    subject.wait(9_999).xid(45);
    subject.wait(60_000).tick();
    subject.expect_ok();
    let mut subject = harsh();
    subject.xid(45);
    subject.wait(9_999).xid(43);
    subject.wait(60_000).tick();
    subject.expect_ok();
}

#[test]
fn cleanups_by_the_hundred_beside_others_never_escalate() {
    let catalogue = XidCatalogue::new().with(Xid::CLEANUP, Verdict::Drain);
    let mut subject = Subject::with(HealthSettings::new().with_catalogue(catalogue));
    for _ in 0..672 {
        subject.wait(8_000).xid(45);
        subject.wait(8_000).xid(31);
    }
    subject.expect_ok();
}

#[test]
fn a_cleanup_that_came_alone_is_its_applications_unless_the_service_says_otherwise() {
    let mut subject = Subject::new();
    subject.xid(45);
    subject.wait(10_001).tick();
    subject.expect_ok();
    let catalogue = XidCatalogue::new().with(Xid::CLEANUP, Verdict::Degraded);
    let mut subject = Subject::with(HealthSettings::new().with_catalogue(catalogue));
    subject.xid(45);
    subject.wait(4_000).xid(45);
    subject.wait(6_000).tick();
    subject.expect_ok();
    // Whatever it is told, it looks at the time.
    subject.wait(1).read(Tier::Fast);
    subject.expect(Degraded, Serving, &[Cause::Xid]);
    let evidence = subject.machine.report().evidence;
    assert_eq!((evidence[0].code, evidence[0].since), (Some(45), moment(0)));
    assert_eq!(evidence[0].times, 1, "several are one");
}

#[test]
fn one_after_the_window_does_not_excuse_a_cleanup() {
    let catalogue = XidCatalogue::new().with(Xid::CLEANUP, Verdict::Degraded);
    let mut subject = Subject::with(HealthSettings::new().with_catalogue(catalogue.clone()));
    subject.xid(45);
    subject.wait(10_001).xid(13);
    subject.expect(Degraded, Serving, &[Cause::Xid]);
    let mut subject = Subject::with(HealthSettings::new().with_catalogue(catalogue));
    subject.xid(13);
    subject.wait(10_001).xid(45);
    subject.wait(10_001).tick();
    subject.expect(Degraded, Serving, &[Cause::Xid]);
}

#[test]
fn what_the_driver_asks_for_wins_over_154() {
    let mut subject = Subject::new();
    let outcome = subject.xid(154);
    assert!(outcome.ask, "somebody should read which");
    subject.expect(Degraded, Serving, &[Cause::RecoveryAction]);
    subject.wait(20).says(Quantity::RecoveryAction, 4);
    subject.expect(PredictedFailure, Draining, &[Cause::RecoveryAction]);
    assert_eq!(subject.machine.report().evidence[0].code, Some(4));
    // Again the same news: nothing new until it is read.
    assert!(subject.wait(20).xid(154).ask);
    subject.expect(PredictedFailure, Draining, &[Cause::RecoveryAction]);
    subject.wait(20).says(Quantity::RecoveryAction, 1);
    subject.expect(Failed, Isolated, &[Cause::RecoveryAction]);
}

#[test]
fn a_recovery_action_that_is_none_after_all_takes_154_back() {
    let mut subject = Subject::new();
    assert!(subject.event(Event::RecoveryAction).ask);
    subject.expect(Degraded, Serving, &[Cause::RecoveryAction]);
    let change = subject.wait(20).says(Quantity::RecoveryAction, 0).change;
    subject.expect_ok();
    let evidence = change
        .expect("it is well")
        .evidence
        .expect("what it was by");
    assert_eq!(evidence.cause, Cause::RecoveryAction);
}

#[test]
fn a_driver_that_cannot_say_what_it_asks_for_leaves_it_degraded() {
    let mut subject = Subject::new();
    subject.xid(154);
    subject
        .readings
        .set(Quantity::RecoveryAction, Reading::Unsupported);
    subject.wait(10_000).read(Tier::Slow);
    subject.expect(Degraded, Serving, &[Cause::RecoveryAction]);
}

#[test]
fn the_worst_of_many_is_kept() {
    let mut subject = Subject::new();
    let mild = [63, 74, 78, 92, 144, 145, 146, 147, 148, 149, 150, 159];
    for code in mild {
        subject.wait(1).xid(code);
    }
    subject.wait(1).xid(79);
    for code in 200..260 {
        subject.wait(1).xid(code);
    }
    let last = subject.machine.report().evidence.pop();
    assert_eq!(last.and_then(|last| last.code), Some(146));
    subject.wait(1).xid(62);
    let report = subject.machine.report();
    assert_eq!(report.evidence.len(), MOST_XIDS);
    let codes: Vec<_> = report.evidence.iter().map(|known| known.code).collect();
    // Of those that weigh the same, the first.
    let expected = [79, 62, 63, 74, 78, 92, 144, 145].map(Some);
    assert_eq!(codes, expected);
    subject.wait(1).xid(79);
    assert_eq!(subject.machine.report().evidence[0].times, 2);
}

#[test]
fn one_of_a_part_is_another_than_one_of_the_whole() {
    let mut subject = Subject::new();
    for gpu_instance in [None, Some(1), Some(2), Some(1)] {
        let code = 62;
        subject.wait(1).event(Event::Xid { code, gpu_instance });
    }
    let report = subject.machine.report();
    let of: Vec<_> = { report.evidence.iter() }
        .map(|known| (known.gpu_instance, known.times))
        .collect();
    assert_eq!(of, [(None, 1), (Some(1), 2), (Some(2), 1)]);
}

#[test]
fn faults_of_links_are_said_to_be() {
    for (code, fabric) in [
        (74, true),
        (144, true),
        (150, true),
        (137, false),
        (63, false),
    ] {
        let mut subject = Subject::new();
        subject.xid(code);
        assert_eq!(subject.machine.report().fabric, fabric, "{code}");
    }
}
