//! By a view, in code for all, by the environment: code beats environment beats default.

use crate::support::points::{all, histogram};
use crate::support::{Rig, SCOPE, builder, rig_with};
use crate::{DURATION, SIZES, point, work};
use obs_core::setup::environment::Environment;
use obs_core::{
    Builder, DURATION_BOUNDS, ExponentialHistogram, HistogramAggregation, Instrument, View,
};
use std::time::Duration;

const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";

fn asking(builder: Builder, value: &'static str) -> Builder {
    builder.with_environment(Environment::from_fn(|name| {
        (name == VARIABLE).then(|| value.to_owned())
    }))
}

const EXPONENTIAL: &str = "base2_exponential_bucket_histogram";
const EXPLICIT: &str = "explicit_bucket_histogram";

fn small() -> ExponentialHistogram {
    ExponentialHistogram {
        max_size: 8,
        max_scale: 3,
    }
}

/// Of which histograms there is an exponential one: the duration of operations, and an instrument.
#[track_caller]
fn check(set: impl FnOnce(Builder) -> Builder, expect: [bool; 2]) -> Rig {
    let rig = rig_with(false, set);
    work(&rig, "a", 200, 7);
    let sizes = rig.telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
    sizes.record(3.0);
    let metrics = all(&rig.telemetry);
    let found = [DURATION, "test.size"].map(|name| {
        let point = histogram(&metrics, name, &[]);
        let exponential = point.exponential.as_ref();
        assert!(exponential.is_none_or(|buckets| buckets.count() == 1));
        assert_eq!((point.count, point.buckets.iter().sum()), (1, 1));
        exponential.is_some()
    });
    assert_eq!(found, expect);
    rig
}

#[test]
fn nobody_who_does_not_ask_has_one() {
    check(|builder| builder, [false, false]);
    check(|builder| asking(builder, EXPLICIT), [false, false]);
    let rig = check(|builder| asking(builder, "exponential"), [false, false]);
    let warnings = rig.telemetry.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with(VARIABLE), "{warnings:?}");
}

#[test]
fn code_beats_environment_beats_default() {
    check(|builder| asking(builder, EXPONENTIAL), [true, true]);
    check(|builder| builder.with_histograms(small()), [true, true]);
    check(
        |builder| asking(builder, EXPONENTIAL).with_histograms(HistogramAggregation::Explicit),
        [false, false],
    );
    check(
        |builder| asking(builder, EXPLICIT).with_histograms(small()),
        [true, true],
    );
    // Of which the sizes are: with eight buckets for a factor of 300 there is no room at the default's scale.
    let rig = rig_with(false, |builder| {
        asking(builder, EXPONENTIAL).with_histograms(small())
    });
    [1, 300].iter().for_each(|ms| work(&rig, "a", 200, *ms));
    let buckets = point(&rig.telemetry, DURATION).exponential;
    assert_eq!(buckets.expect("asked for").scale, -1);
}

#[test]
fn a_view_beats_what_is_set_for_all() {
    let view = |name: &str| View::of(name);
    let aggregated = |aggregation: HistogramAggregation| {
        move |builder: Builder| {
            builder.with_view(View::of("test.work.*").with_aggregation(aggregation))
        }
    };
    check(aggregated(small().into()), [true, false]);
    check(
        |builder| aggregated(HistogramAggregation::Explicit)(asking(builder, EXPONENTIAL)),
        [false, true],
    );
    // Boundaries are an aggregation too, and attributes are not.
    check(
        |builder| {
            asking(builder, EXPONENTIAL).with_view(view(DURATION).with_boundaries([0.5, 1.0]))
        },
        [false, true],
    );
    check(
        |builder| {
            asking(builder, EXPONENTIAL).with_view(view(DURATION).with_attributes(["test.step"]))
        },
        [true, true],
    );
}

#[test]
fn each_stream_has_the_buckets_that_it_asks_for() {
    let one = |name: &str| View::of(DURATION).with_name(name);
    let rig = rig_with(false, |builder| {
        builder
            .with_view(one("fine").with_aggregation(ExponentialHistogram::default()))
            .with_view(
                one("coarse")
                    .with_aggregation(small())
                    .with_boundaries([0.5]),
            )
            .with_view(one("explicit"))
    });
    let ms = [0, 1, 7, 300, 301];
    ms.iter().for_each(|ms| work(&rig, "a", 200, *ms));
    let metrics = all(&rig.telemetry);
    let values = ms.map(|ms| ms as f64 / 1e3);
    for (name, size, most) in [("fine", 160, 6), ("coarse", 8, 3)] {
        let point = histogram(&metrics, name, &[]);
        let buckets = point.exponential.expect("asked for");
        crate::oracle::check(&buckets, &values, size, most);
    }
    let explicit = histogram(&metrics, "explicit", &[]);
    assert_eq!(explicit.exponential, None);
    assert_eq!(explicit.bounds, DURATION_BOUNDS);
    let coarse = histogram(&metrics, "coarse", &[]);
    assert_eq!((coarse.bounds, coarse.buckets), (vec![0.5], vec![5, 0]));
}

#[test]
fn a_page_shows_the_explicit_boundaries_as_if_nothing_had_been_asked() {
    let page = |set: fn(Builder) -> Builder| {
        let rig = rig_with(false, |builder| set(builder).with_boundary(DURATION, 0.3));
        for ms in [0, 1, 250, 299, 300, 301, 20_000] {
            work(&rig, "a", 200, ms);
        }
        let page = rig.telemetry.prometheus();
        let own = |line: &&str| line.starts_with("test_work_duration_seconds");
        page.lines().filter(own).map(str::to_owned).collect()
    };
    let (explicit, exponential): (Vec<_>, Vec<_>) = (
        page(|builder| builder),
        page(|builder| builder.with_histograms(ExponentialHistogram::default())),
    );
    assert_eq!(exponential, explicit);
    assert!(explicit.iter().any(|line| line.contains("le=\"0.3\"} 5")));
}

#[track_caller]
fn refused(set: impl FnOnce(Builder) -> Builder, about: &str) {
    let error = set(builder().manual()).build().map(|_| ());
    let error = error.expect_err("refused");
    assert!(error.is_configuration(), "{error:?}");
    assert!(error.to_string().contains(about), "{error}");
}

#[test]
fn sizes_and_scales_that_cannot_be_are_an_error_at_set_up() {
    let of = |max_size, max_scale| ExponentialHistogram {
        max_size,
        max_scale,
    };
    for (wrong, about) in [
        (of(1, 20), "size of 1 "),
        (of(1_025, 20), "size of 1025 "),
        (of(160, 21), "scale of 21;"),
        (of(160, -11), "scale of -11;"),
    ] {
        refused(|builder| builder.with_histograms(wrong), about);
        refused(
            |builder| builder.with_view(View::of("a").with_aggregation(wrong)),
            about,
        );
    }
    refused(
        |builder| builder.with_view(View::of("a").with_aggregation(of(160, 20)).dropped()),
        "drops what it changes",
    );
}

#[test]
fn what_is_no_histogram_stays_what_it_is_and_a_view_of_it_alone_is_warned_about() {
    static CALLS: Instrument = Instrument {
        name: "test.calls",
        unit: "{call}",
        description: "Calls.",
        labels: &[],
        scope: &SCOPE,
    };
    let view = |name: &str| View::of(name).with_aggregation(small());
    let rig = rig_with(false, |builder| {
        builder
            .with_view(view("test.calls"))
            .with_view(view("test.work.*"))
    });
    rig.telemetry.counter(&CALLS).bind(&[]).add(3);
    let metrics = all(&rig.telemetry);
    let calls = crate::support::points::number(&metrics, "test.calls", &[]);
    assert_eq!(calls, 3.0);
    let warnings = rig.telemetry.warnings();
    assert_eq!(
        warnings,
        ["`test.calls` cannot be aggregated as its view asks: it is no histogram"]
    );
}

#[test]
fn after_shutdown_neither_kind_records() {
    for set in [
        |builder: Builder| builder,
        |builder: Builder| builder.with_histograms(small()),
    ] {
        let rig = rig_with(false, set);
        let sizes = rig.telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
        sizes.record(3.0);
        let before = point(&rig.telemetry, SIZES.name);
        rig.telemetry
            .shutdown(Duration::from_secs(5))
            .expect("nothing to deliver");
        sizes.record(5.0);
        let after = point(&rig.telemetry, SIZES.name);
        assert_eq!((after.count, after.sum), (1, 3.0));
        assert_eq!(after.exponential, before.exponential);
    }
}
