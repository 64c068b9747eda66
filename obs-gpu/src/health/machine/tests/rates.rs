//! What counts by how much and for how long.

use super::*;
use crate::gate::GateState::{Draining, Serving};
use crate::health::HealthState::{Degraded, PredictedFailure};
use crate::sample::Throttle;

#[test]
fn corrected_errors_count_by_their_rate() {
    for (after_ten_seconds, expected) in [
        (9, None),
        (10, Some((Degraded, Serving))),
        (9_999, Some((Degraded, Serving))),
        (10_000, Some((PredictedFailure, Draining))),
        // DCGM #313.
        (177_000, Some((PredictedFailure, Draining))),
    ] {
        let mut subject = Subject::new();
        // However many there were before.
        subject.says(Quantity::EccCorrected, 1_000_000);
        subject.expect_ok();
        subject.wait(10_000);
        subject.says(Quantity::EccCorrected, 1_000_000 + after_ten_seconds);
        match expected {
            None => subject.expect_ok(),
            Some((state, gate)) => {
                subject.expect(state, gate, &[Cause::EccCorrected]);
                let value = subject.machine.report().evidence[0].value;
                assert_eq!(value, Some(after_ten_seconds as f64 / 10.0));
            }
        }
    }
}

#[test]
fn two_readings_close_to_each_other_tell_no_rate() {
    let mut subject = Subject::new();
    subject.says(Quantity::EccCorrected, 0);
    subject.wait(1).says(Quantity::EccCorrected, 5);
    subject.expect_ok();
    // They count towards the next.
    subject.wait(9_999).says(Quantity::EccCorrected, 11);
    subject.expect(Degraded, Serving, &[Cause::EccCorrected]);
}

#[test]
fn rates_that_a_service_sets() {
    let settings = HealthSettings::new().with_ecc_rates(5.0, 1.0);
    let mut subject = Subject::with(settings);
    subject.says(Quantity::EccCorrected, 0);
    subject.wait(10_000).says(Quantity::EccCorrected, 49);
    subject.expect_ok();
    // The second is no less than the first.
    subject.wait(10_000).says(Quantity::EccCorrected, 99);
    subject.expect(PredictedFailure, Draining, &[Cause::EccCorrected]);
}

/// Seconds, each with the share of it that clocks were held down by a counter, in percent; how it is after each.
#[track_caller]
fn throttled(counter: Quantity, shares: &[(u32, i64)], expect: &[bool]) {
    let mut subject = Subject::new();
    let mut total = 5_000_000_000;
    subject.says(counter, total);
    let mut is = Vec::new();
    for (times, percent) in shares {
        for _ in 0..*times {
            total += percent * 10_000_000;
            subject.wait(1_000).says(counter, total);
        }
        is.push(subject.is() == (Degraded, Serving));
    }
    assert_eq!(is, expect);
}

#[test]
fn heat_and_brake_count_after_a_while_and_for_a_while() {
    for counter in [
        Quantity::ThrottleThermalHardware,
        Quantity::ThrottleThermalSoftware,
        Quantity::ThrottlePowerBrake,
    ] {
        throttled(counter, &[(5, 25), (1, 25)], &[false, true]);
        throttled(counter, &[(60, 24)], &[false]);
        // Between the limits nothing changes; little of it has to last.
        throttled(
            counter,
            &[(6, 90), (60, 6), (30, 5), (1, 5)],
            &[true, true, true, false],
        );
        // A peak in between starts it anew.
        throttled(
            counter,
            &[(6, 90), (29, 0), (1, 90), (30, 0), (1, 0)],
            &[true, true, true, true, false],
        );
        throttled(
            counter,
            &[(4, 90), (1, 0), (5, 90), (1, 90)],
            &[false, false, false, true],
        );
    }
}

#[test]
fn a_counter_that_is_read_less_often_than_another_counts_as_much() {
    let mut subject = Subject::new();
    let (often, rarely) = (
        Quantity::ThrottleThermalSoftware,
        Quantity::ThrottleThermalHardware,
    );
    let mut total = 0;
    let mut seconds = |many: u32, percent: i64| {
        let mut is = Vec::new();
        for second in 1..=many {
            total += percent * 10_000_000;
            // Every fourth time.
            let rare = match second % 4 {
                0 => Reading::Value(total),
                _ => Reading::Unread,
            };
            subject.readings.set(rarely, rare);
            subject.wait(1_000).says(often, 7);
            is.push(subject.is() == (Degraded, Serving));
        }
        is
    };
    assert!(!seconds(8, 0).contains(&true));
    // It is known from the fourth second on, and then for six readings as any other.
    let held = seconds(20, 50);
    assert_eq!(held.iter().position(|held| *held), Some(3 + 5));
    assert!(held[8..].iter().all(|held| *held));
    // The other says each second that nothing held it, and takes nothing back.
    let calm = seconds(60, 0);
    assert!(calm[..30].iter().all(|held| *held) && !calm[59]);
}

#[test]
fn a_counter_that_cannot_be_read_any_more_says_nothing() {
    for gone in [Reading::Failed(999), Reading::Unsupported] {
        let mut subject = Subject::new();
        let (stays, goes) = (
            Quantity::ThrottleThermalSoftware,
            Quantity::ThrottleThermalHardware,
        );
        subject.set(goes, 0);
        subject.says(stays, 7);
        subject.set(goes, 900_000_000);
        subject.wait(1_000).says(stays, 7);
        subject.readings.set(goes, gone);
        for _ in 0..60 {
            subject.wait(1_000).says(stays, 7);
            subject.expect_ok();
        }
    }
}

#[test]
fn the_power_limit_is_how_it_is_meant_to_run() {
    throttled(Quantity::ThrottlePower, &[(120, 100)], &[false]);
    throttled(Quantity::ThrottleSyncBoost, &[(120, 100)], &[false]);
}

#[test]
fn without_counters_the_reasons_count() {
    let mut subject = Subject::new();
    let counters = [
        Quantity::ThrottleThermalHardware,
        Quantity::ThrottleThermalSoftware,
        Quantity::ThrottlePowerBrake,
    ];
    for counter in counters {
        subject.readings.set(counter, Reading::Unsupported);
    }
    let mut seconds = |bits: u64, seconds: u32| {
        subject.set(Quantity::ThrottleReasons, bits.cast_signed());
        for _ in 0..seconds {
            subject.wait(1_000).read(Tier::Second);
        }
        subject.causes()
    };
    assert_eq!(seconds(Throttle::POWER.0 | Throttle::IDLE.0, 60), []);
    assert_eq!(seconds(Throttle::THERMAL_HARDWARE.0, 5), []);
    assert_eq!(seconds(Throttle::THERMAL_HARDWARE.0, 1), [Cause::Throttled]);
    assert_eq!(seconds(Throttle::POWER.0, 30), [Cause::Throttled]);
    assert_eq!(seconds(Throttle::POWER.0, 1), []);
    assert_eq!(seconds(Throttle::POWER_BRAKE.0, 6), [Cause::Throttled]);
}

#[test]
fn a_counter_that_begins_anew_is_no_share() {
    let mut subject = Subject::new();
    let counter = Quantity::ThrottleThermalHardware;
    for second in 0..60 {
        let total = if second % 2 == 0 { 900_000_000 } else { 0 };
        subject.wait(1_000).says(counter, total);
    }
    // Every second time it seems to have been held down for 90 % of the second: never long enough.
    subject.expect_ok();
}

/// Seconds, each with degrees; whether it is degraded after them.
#[track_caller]
fn hot(quantity: Quantity, degrees: &[(u32, i64)], expect: &[bool]) {
    let mut subject = Subject::new();
    let mut is = Vec::new();
    for (times, degrees) in degrees {
        for _ in 0..*times {
            subject.wait(1_000).says(quantity, degrees * 1_000);
        }
        is.push(subject.causes() == [Cause::TooHot]);
    }
    assert_eq!(is, expect);
}

#[test]
fn memory_that_is_too_hot() {
    let memory = Quantity::MemoryTemperature;
    hot(memory, &[(60, 94)], &[false]);
    hot(memory, &[(5, 95), (1, 95)], &[false, true]);
    hot(
        memory,
        &[(6, 99), (60, 91), (30, 90), (1, 90)],
        &[true, true, true, false],
    );
    // Around one limit it does not flutter.
    hot(
        memory,
        &[(6, 95), (1, 94), (1, 95), (1, 94), (40, 91)],
        &[true; 5],
    );
}

#[test]
fn no_margin_left() {
    let margin = Quantity::TemperatureMargin;
    hot(margin, &[(60, 1)], &[false]);
    hot(
        margin,
        &[(5, 0), (1, -3), (60, 4), (30, 5), (1, 6)],
        &[false, true, true, true, false],
    );
}

#[test]
fn the_die_alone_is_not_looked_at() {
    hot(Quantity::Temperature, &[(60, 110)], &[false]);
}

#[test]
fn limits_that_a_service_sets() {
    let settings = HealthSettings::new()
        .with_memory_temperature(80.5, 99.0)
        .with_temperature_margin(10.0, 5.0)
        .with_patience(Duration::ZERO, Duration::ZERO)
        .with_throttle(0.5, 0.9);
    let mut subject = Subject::with(settings);
    subject.says(Quantity::MemoryTemperature, 80_499);
    subject.expect_ok();
    subject.wait(1).says(Quantity::MemoryTemperature, 80_500);
    subject.expect(Degraded, Serving, &[Cause::TooHot]);
    assert_eq!(subject.machine.report().evidence[0].limit, Some(80.5));
    // The lower limit is no higher than the upper one.
    subject.wait(1).says(Quantity::MemoryTemperature, 80_499);
    subject.expect_ok();
    subject.wait(1).says(Quantity::TemperatureMargin, 10_000);
    subject.expect(Degraded, Serving, &[Cause::TooHot]);
    subject.wait(1).says(Quantity::TemperatureMargin, 10_001);
    subject.expect_ok();
}

fn link(number: u32, up: bool) -> LinkReading {
    LinkReading {
        up: Some(up),
        ..LinkReading::new(number)
    }
}

#[test]
fn a_link_that_was_up_and_is_down() {
    let mut subject = Subject::new();
    let links = |second: bool| [link(0, true), link(1, second), link(17, false)];
    // One that never was up is none.
    subject.take(Input::Links(&links(true)));
    subject.expect_ok();
    subject.wait(1_000).take(Input::Links(&links(false)));
    subject.expect(Degraded, Serving, &[Cause::LinkDown]);
    let report = subject.machine.report();
    assert_eq!((report.fabric, report.evidence[0].value), (true, Some(1.0)));
    subject.wait(1_000).take(Input::Links(&links(true)));
    subject.wait(29_999).take(Input::Links(&links(true)));
    subject.expect(Degraded, Serving, &[Cause::LinkDown]);
    subject.wait(1).take(Input::Links(&links(true)));
    subject.expect_ok();
}

#[test]
fn links_that_a_service_expects() {
    let mut subject = Subject::with(HealthSettings::new().with_links(2));
    subject.take(Input::Links(&[link(0, true), link(1, true)]));
    subject.expect_ok();
    let mut subject = Subject::with(HealthSettings::new().with_links(2));
    subject.take(Input::Links(&[link(0, true), link(1, false)]));
    subject.expect(Degraded, Serving, &[Cause::LinkDown]);
}

#[test]
fn a_number_of_a_link_beyond_all_is_not_one_of_the_others() {
    let mut subject = Subject::new();
    subject.take(Input::Links(&[
        link(0, true),
        link(64, true),
        link(u32::MAX, true),
    ]));
    subject.take(Input::Links(&[
        link(0, true),
        link(64, false),
        link(u32::MAX, false),
    ]));
    subject.expect_ok();
}
