//! Other boundaries, and those that histograms have besides for alerts: values are counted by them.

use crate::support::points::{all, histogram};
use crate::support::rig_with;
use crate::{CALLS, DURATION, buckets, viewed, work};
use obs_core::{DURATION_BOUNDS, View};
use std::time::Duration;

#[test]
fn other_boundaries_count_what_was_measured() {
    let bounds = [0.0, 0.007, 0.0071, 0.29, 2.0];
    let rig = viewed([
        View::of(DURATION).with_boundaries(bounds),
        View::of(DURATION)
            .with_name("coarse")
            .with_boundaries([1.0]),
        View::of(DURATION).with_name("sum").with_boundaries([]),
        View::of(DURATION).with_name("own"),
    ]);
    let ms = [0, 6, 7, 8, 289, 290, 291, 1000, 1001, 2000, 2001];
    ms.iter().for_each(|ms| work(&rig, "a", 200, *ms));
    let metrics = all(&rig.telemetry);
    let check = |name: &str, bounds: &[f64]| {
        let point = histogram(&metrics, name, &[]);
        assert_eq!(point.bounds, bounds, "{name}");
        assert_eq!(point.buckets, buckets(bounds, &ms), "{name}");
        assert_eq!(point.count, ms.len() as u64, "{name}");
    };
    check(DURATION, &bounds);
    check("coarse", &[1.0]);
    check("sum", &[]);
    check("own", DURATION_BOUNDS);
    assert!(rig.telemetry.warnings().is_empty());
}

#[test]
fn boundaries_of_an_instrument_are_those_of_its_view_and_registered_again_it_is_the_same() {
    let rig = viewed([View::of("test.calls").with_boundaries([2.0, 3.0])]);
    for bounds in [&[1.0][..], &[5.0]] {
        let sizes = rig.telemetry.histogram(&CALLS, bounds).bind(&["p", "z"]);
        for value in [1.0, 2.5, 4.0] {
            sizes.record(value);
        }
    }
    let point = histogram(&all(&rig.telemetry), "test.calls", &[]);
    assert_eq!((point.bounds, point.buckets), (vec![2.0, 3.0], vec![2; 3]));
    assert!(rig.telemetry.warnings().is_empty());
}

/// The share above a limit, as an alert would take it from the page.
fn share_above(page: &str, limit: &str) -> f64 {
    let read = |what: &str| {
        let line = page.lines().find(|line| {
            line.starts_with(&format!("test_work_duration_seconds_{what}"))
                && (what == "count" || line.contains(&format!("le=\"{limit}\"")))
        });
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.expect("a line").parse::<f64>().expect("a number")
    };
    1.0 - read("bucket") / read("count")
}

#[test]
fn the_share_above_an_alerts_threshold_is_exact() {
    let rig = rig_with(false, |builder| {
        builder
            .with_boundary(DURATION, 0.3)
            .with_boundary(DURATION, 0.29)
            .with_boundary(DURATION, 0.3)
            .with_boundary(DURATION, 0.25)
    });
    for ms in [1, 250, 289, 290, 291, 300, 301, 400, 9_000, 20_000] {
        work(&rig, "a", 200, ms);
    }
    let page = rig.telemetry.prometheus();
    assert_eq!(share_above(&page, "0.3"), 0.4);
    assert_eq!(share_above(&page, "0.29"), 0.6);
    let point = histogram(&all(&rig.telemetry), DURATION, &[]);
    let mut bounds = DURATION_BOUNDS.to_vec();
    bounds.extend([0.29, 0.3]);
    bounds.sort_by(f64::total_cmp);
    assert_eq!(point.bounds, bounds, "its own, and each once");
    assert!(rig.telemetry.warnings().is_empty());
}

#[test]
fn a_threshold_of_what_is_slow_leaves_buckets_as_they_are() {
    let rig = rig_with(false, |builder| {
        builder.with_kind_slow("test.work", Duration::from_millis(300))
    });
    work(&rig, "a", 200, 7);
    let point = histogram(&all(&rig.telemetry), DURATION, &[]);
    assert_eq!(point.bounds, DURATION_BOUNDS);
}

#[test]
fn every_stream_of_a_metric_has_the_boundaries_of_alerts() {
    let rig = rig_with(false, |builder| {
        builder
            .with_boundary(DURATION, 0.3)
            .with_boundary("test.calls", 7.0)
            .with_view(View::of(DURATION).with_boundaries([1.0]))
            .with_view(View::of(DURATION).with_name("sum").with_boundaries([]))
    });
    let ms = [299, 300, 301, 1_001];
    ms.iter().for_each(|ms| work(&rig, "a", 200, *ms));
    let metrics = all(&rig.telemetry);
    for (name, bounds) in [(DURATION, &[0.3, 1.0][..]), ("sum", &[0.3])] {
        let point = histogram(&metrics, name, &[]);
        assert_eq!(point.bounds, bounds);
        assert_eq!(point.buckets, buckets(bounds, &ms));
    }
    // The histogram of an instrument too.
    let sizes = rig.telemetry.histogram(&CALLS, &[5.0]).bind(&["p", "z"]);
    sizes.record(6.0);
    let point = histogram(&all(&rig.telemetry), "test.calls", &[]);
    assert_eq!(
        (point.bounds, point.buckets),
        (vec![5.0, 7.0], vec![0, 1, 0])
    );
}
