//! Views that make no sense, alone, together, or with the metrics there are: an error at set-up, or somebody is told.

use crate::support::points::{all, histogram};
use crate::support::{Rig, SCOPE, builder, rig_with};
use crate::{CALLS, DURATION, viewed, work};
use obs_core::metrics::Metric;
use obs_core::{Instrument, Scope, View};
use std::time::Duration;

#[track_caller]
fn refused(view: View, about: &str) {
    let error = builder().manual().with_view(view).build().map(|_| ());
    let error = error.expect_err("refused");
    assert!(error.is_configuration(), "{error:?}");
    assert!(error.to_string().contains(about), "{error}");
}

#[test]
fn a_view_that_makes_no_sense_is_an_error_at_set_up() {
    let of = || View::of("a.b");
    refused(View::of(""), "no name");
    refused(View::of("a.*").with_name("b"), "several metrics");
    refused(of().with_name(""), "not allowed");
    refused(of().with_name("7 b"), "not allowed");
    refused(of().with_boundaries([2.0, 1.0]), "ascending");
    refused(of().with_boundaries([1.0, 1.0]), "ascending");
    refused(of().with_boundaries([f64::NAN]), "finite");
    refused(of().with_boundaries([1.0, f64::INFINITY]), "finite");
    refused(of().with_boundaries((0..257).map(f64::from)), "257");
    refused(of().dropped().with_name("b"), "drops what it changes");
}

#[track_caller]
fn warned(rig: &Rig, about: &[&str]) {
    let warnings = rig.telemetry.warnings();
    assert_eq!(warnings.len(), about.len(), "{warnings:#?}");
    for (warning, about) in warnings.iter().zip(about) {
        assert!(warning.contains(about), "{warning}");
    }
}

#[test]
fn two_metrics_under_one_name_are_warned_about_and_both_exported() {
    let rig = viewed([
        View::of(DURATION).with_name("one"),
        View::of("test.calls").with_name("ONE"),
    ]);
    work(&rig, "a", 200, 7);
    for _ in 0..2 {
        rig.telemetry.counter(&CALLS).bind(&["p", "z"]).add(1);
    }
    let metrics = all(&rig.telemetry);
    let one = |metric: &&Metric| metric.name.eq_ignore_ascii_case("one");
    assert_eq!(metrics.iter().filter(one).count(), 2);
    warned(
        &rig,
        &["export both `test.work.duration` and `test.calls` as `ONE`"],
    );

    let taken = viewed([View::of("test.calls").with_name(DURATION)]);
    taken.telemetry.counter(&CALLS);
    warned(&taken, &["both `test.work.duration` and `test.calls`"]);

    let twice = viewed([View::of("test.calls"), View::of("test.c*")]);
    twice.telemetry.counter(&CALLS);
    warned(&twice, &["several views export `test.calls`"]);
}

#[test]
fn one_name_in_two_scopes_is_no_conflict() {
    static OTHER: Scope = Scope {
        name: "other",
        ..SCOPE
    };
    let rig = viewed([View::of("test.calls").with_name(DURATION)]);
    let theirs = Instrument {
        scope: &OTHER,
        ..CALLS
    };
    rig.telemetry.counter(&theirs);
    warned(&rig, &[]);
    rig.telemetry.counter(&CALLS);
    warned(&rig, &["both `test.work.duration` and `test.calls`"]);
}

#[test]
fn one_instrument_in_either_case_is_no_conflict() {
    let shouted = Instrument {
        name: "TEST.Calls",
        ..CALLS
    };
    let alone = View::of(DURATION);
    for view in [alone, View::of("test.calls").with_name("our.calls")] {
        let rig = viewed([view]);
        for instrument in [&CALLS, &shouted] {
            rig.telemetry.counter(instrument).bind(&["p", "z"]).add(1);
        }
        let metrics = all(&rig.telemetry);
        let calls = metrics.iter().filter(|one| one.name.ends_with("calls"));
        assert_eq!(calls.count(), 1);
        warned(&rig, &[]);
    }
}

#[test]
fn a_view_that_matched_nothing_after_a_minute_is_warned_about_once() {
    let rig = viewed([View::of(DURATION), View::of("test.typo")]);
    work(&rig, "a", 200, 7);
    all(&rig.telemetry);
    warned(&rig, &[]);
    rig.advance_ms(60_001);
    all(&rig.telemetry);
    all(&rig.telemetry);
    warned(&rig, &["no metric matches the view of `test.typo`"]);
}

#[test]
fn a_view_that_matched_nothing_until_the_end_is_warned_about() {
    let rig = viewed([View::of("test.typo")]);
    rig.telemetry
        .shutdown(Duration::from_secs(5))
        .expect("nothing to deliver");
    warned(&rig, &["no metric matches the view of `test.typo`"]);
}

#[test]
fn boundaries_that_a_metric_cannot_have_are_warned_about() {
    let rig = viewed([
        View::of(DURATION).with_boundaries([-1.0, 1.0]),
        View::of("test.calls").with_boundaries([1.0]),
    ]);
    rig.telemetry.counter(&CALLS);
    work(&rig, "a", 200, 7);
    let point = histogram(&all(&rig.telemetry), DURATION, &[]);
    assert_eq!((point.bounds, point.buckets), (vec![1.0], vec![1, 0]));
    warned(&rig, &["no duration is negative", "it is no histogram"]);
}

#[test]
fn an_attribute_that_a_metric_does_not_have_is_warned_about() {
    let stage = "test.work.stage.duration";
    let rig = viewed([
        View::of(DURATION).with_attributes(["test.stpe", "test.step"]),
        View::of(stage).with_attributes(["test.stage", "test.step"]),
        View::of("test.work.*").with_attributes(["test.step", "elsewhere"]),
        View::of("test.calls").with_attributes(["peer", "paer"]),
    ]);
    rig.telemetry.counter(&CALLS);
    let own = |warning: &String| warning.contains("has no attribute");
    let warnings = rig.telemetry.warnings().into_iter().filter(own);
    let warnings: Vec<_> = warnings.collect();
    assert_eq!(
        warnings,
        [
            "`test.work.duration` has no attribute `test.stpe` for its view to keep",
            "`test.calls` has no attribute `paer` for its view to keep",
        ]
    );
}

#[test]
fn a_boundary_that_makes_no_sense_is_an_error_or_warned_about() {
    for (metric, limit) in [("", 1.0), ("a", f64::NAN), ("a", f64::INFINITY)] {
        let error = builder().manual().with_boundary(metric, limit).build();
        assert!(error.is_err_and(|error| error.is_configuration()));
    }
    let many = |count: u32| {
        let all = (0..count).map(|index| f64::from(index) * 0.01);
        let builder = all.fold(builder().manual(), |builder, limit| {
            builder.with_boundary(DURATION, limit)
        });
        builder.build()
    };
    assert!(many(256).is_ok());
    assert!(many(257).is_err());
    let rig = rig_with(false, |builder| {
        builder
            .with_boundary("test.typo", 1.0)
            .with_boundary("test.calls", 1.0)
            .with_boundary(DURATION, -1.0)
    });
    rig.telemetry.counter(&CALLS);
    rig.telemetry
        .shutdown(Duration::from_secs(5))
        .expect("nothing to deliver");
    warned(
        &rig,
        &[
            "`test.work.duration` cannot have all",
            "`test.calls` cannot have all",
            "no histogram `test.typo`",
        ],
    );
}
