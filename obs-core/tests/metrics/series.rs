//! More label values and label sets than there is room for: shared series, exact totals.

use crate::support::points::{all, finished, histogram, histograms, numbers};
use crate::support::{CODE, METHOD, Rig, rig, rig_with};
use crate::{CALLS, DURATION};
use obs_core::{Instrument, Key, Label, LabelId, Outcome, Parent, Values};

#[test]
fn label_values_beyond_the_cap_share_one_series_with_exact_totals() {
    let rig = rig(false);
    assert!(rig.kind.reserve(METHOD, "reserved"));
    for index in 0..100 {
        rig.root(&format!("flood{index}")).end(Outcome::ANSWERED);
    }
    rig.root("reserved").end(Outcome::ANSWERED);
    let points = histograms(&all(&rig.telemetry), DURATION);
    assert_eq!(points.len(), 8 + 1, "the cap's eight and the overflow");
    let metrics = all(&rig.telemetry);
    let count = |step: &str| histogram(&metrics, DURATION, &[("test.step", step)]).count;
    assert_eq!(count("flood0"), 1);
    assert_eq!(count("reserved"), 1, "a reserved value survives the flood");
    assert_eq!(count("_OTHER"), 93);
    assert_eq!(finished(&rig.telemetry), 101);
    assert!(!rig.kind.reserve(METHOD, "too late"));
    rig.assert_at_rest();
}

#[test]
fn series_beyond_the_cap_share_one_with_exact_totals() {
    let rig = rig_with(false, |builder| builder.with_max_series(10));
    let run = |code| {
        let labels = rig.labels("w").with(CODE, LabelId::number(code));
        rig.kind.start(labels, Parent::Root).end(Outcome::ANSWERED);
    };
    (100..200).for_each(run);
    (100..200).for_each(run);
    let metrics = all(&rig.telemetry);
    assert_eq!(histograms(&metrics, DURATION).len(), 11);
    assert_eq!(
        histogram(&metrics, DURATION, &[("test.status", "100")]).count,
        2
    );
    let overflow = histogram(&metrics, DURATION, &[("otel.metric.overflow", "true")]);
    assert_eq!(overflow.count, 180);
    assert_eq!(overflow.attributes.len(), 1);
    assert_eq!(finished(&rig.telemetry), 200);
    rig.assert_at_rest();
}

#[test]
fn totals_are_exact_when_many_metrics_fill_the_telemetrys_room_for_series() {
    let rig = rig(false);
    const EACH: usize = 2_000;
    const METRICS: usize = 12;
    static LABELS: [Label; 1] = [Label {
        key: Key::new(&"value"),
        values: Values::Open { cap: 4_000 },
    }];
    let names: [&'static str; METRICS] = [
        "m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "m10", "m11",
    ];
    for name in names {
        let counter = rig.telemetry.counter(&Instrument {
            name,
            labels: &LABELS,
            ..CALLS
        });
        for value in 0..EACH {
            counter.bind(&[&value.to_string()]).add(1);
        }
    }
    let metrics = all(&rig.telemetry);
    for name in names {
        let total: f64 = numbers(&metrics, name)
            .iter()
            .map(|point| point.value.as_f64())
            .sum();
        assert_eq!(total, EACH as f64, "{name}");
    }
}

/// 100,000 label sets that nobody configured, `steps` values of one label times enough of another.
fn flood(rig: &Rig, steps: &[&str]) -> u64 {
    let codes = 100_000 / steps.len() as u32;
    for step in steps {
        for code in 0..codes {
            let labels = rig.labels(step).with(CODE, LabelId::number(code as u16));
            rig.kind.start(labels, Parent::Root).end(Outcome::ANSWERED);
        }
    }
    u64::from(codes) * steps.len() as u64
}

fn run(rig: &Rig, step: &str, codes: std::ops::Range<u16>) {
    for code in codes {
        let labels = rig.labels(step).with(CODE, LabelId::number(code));
        rig.kind.start(labels, Parent::Root).end(Outcome::ANSWERED);
    }
}

#[test]
fn configured_values_stay_exact_under_a_flood_of_100_000_label_sets() {
    let rig = rig(false);
    for step in ["known", "other"] {
        assert!(rig.kind.reserve(METHOD, step));
    }
    run(&rig, "known", 200..205);
    let flooded = flood(&rig, &["f0", "f1", "f2", "f3", "f4"]);
    assert_eq!(flooded, 100_000);
    // Some of these existed before the flood, the others come after it.
    run(&rig, "known", 200..230);
    run(&rig, "other", 200..230);
    let metrics = all(&rig.telemetry);
    let count = |step: &str, code: u16| {
        let labels = [("test.step", step), ("test.status", &code.to_string())];
        histogram(&metrics, DURATION, &labels).count
    };
    for code in 200..230 {
        assert_eq!(
            count("known", code),
            if code < 205 { 2 } else { 1 },
            "{code}"
        );
        assert_eq!(count("other", code), 1, "{code}");
    }
    assert_eq!(finished(&rig.telemetry), flooded + 65);
    rig.assert_at_rest();
}

#[test]
fn a_flood_with_a_configured_value_in_it_takes_nothing_from_the_others() {
    let rig = rig(false);
    for step in ["flooded", "quiet"] {
        assert!(rig.kind.reserve(METHOD, step));
    }
    let flooded = flood(&rig, &["f0", "flooded"]);
    run(&rig, "quiet", 200..230);
    let metrics = all(&rig.telemetry);
    let series = histograms(&metrics, DURATION);
    // The cap, its overflow, and what the two may have beyond it.
    assert_eq!(series.len(), 2_000 + 1 + 64 + 30);
    for code in 200..230_u16 {
        let labels = [("test.step", "quiet"), ("test.status", &code.to_string())];
        assert_eq!(histogram(&metrics, DURATION, &labels).count, 1, "{code}");
    }
    assert_eq!(finished(&rig.telemetry), flooded + 30);
    rig.assert_at_rest();
}
