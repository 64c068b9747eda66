//! Points that somebody else counted: shown with their own buckets and their own start, as long as somebody says them.

use crate::CALLS;
use crate::support::points::{all, find, histograms, number, numbers};
use crate::support::{Rig, SCOPE, rig, rig_with};
use obs_core::courier::Capture;
use obs_core::metrics::{Data, HistogramPoint, Metric, Number, NumberPoint, Temporality};
use obs_core::redact::{Redaction, Text};
use obs_core::setup::environment::Environment;
use obs_core::{LabelValue, PointSource, Reader, Telemetry};
use std::borrow::Cow;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);
const WAIT: &str = "test.wait";
const DONE: &str = "test.done";

fn of(model: &str) -> Vec<(Cow<'static, str>, LabelValue)> {
    vec![("model".into(), LabelValue::Text(model.into()))]
}

fn waits(points: impl IntoIterator<Item = HistogramPoint>) -> Metric {
    let data = Data::Histogram {
        temporality: Temporality::Cumulative,
        points: points.into_iter().collect(),
    };
    Metric::new(WAIT, "s", "Waits.", &SCOPE, data)
}

fn wait(model: &str, times: (u64, u64), buckets: [u64; 3], sum: f64) -> HistogramPoint {
    let bounds = vec![0.3, 7680.0];
    HistogramPoint::explicit(of(model), times, bounds, buckets.to_vec(), sum).expect("usable")
}

fn done(points: impl IntoIterator<Item = (&'static str, (u64, u64), f64)>) -> Metric {
    let point = |(model, times, value)| NumberPoint::new(of(model), times, Number::F64(value));
    let data = Data::Sum {
        monotonic: true,
        temporality: Temporality::Cumulative,
        points: points.into_iter().map(point).collect(),
    };
    Metric::new(DONE, "{call}", "Done.", &SCOPE, data)
}

/// A telemetry whose clock stands well after its start, a source, and the time now.
fn source() -> (Rig, PointSource, u64) {
    let rig = rig(false);
    rig.advance_ms(60_000);
    let source = rig.telemetry.point_source();
    let now = source.unix_nanos();
    (rig, source, now)
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_histogram_keeps_its_bounds_and_its_start() {
    let (rig, source, now) = source();
    let point = wait("m", (now - 9 * SECOND, now), [2, 3, 1], 40.5);
    source.show(vec![waits([point.clone()])], LONG);
    rig.advance_ms(5_000);
    assert_eq!(histograms(&all(&rig.telemetry), WAIT), [point]);
    let page = rig.telemetry.prometheus();
    for line in [
        "# TYPE test_wait_seconds histogram\n",
        "test_wait_seconds_bucket{model=\"m\",le=\"0.3\"} 2\n",
        "test_wait_seconds_bucket{model=\"m\",le=\"7680\"} 5\n",
        "test_wait_seconds_bucket{model=\"m\",le=\"+Inf\"} 6\n",
        "test_wait_seconds_sum{model=\"m\"} 40.5\n",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    let names = rig.telemetry.prometheus_names();
    assert!(
        names.contains(&("test_wait_seconds".into(), "histogram")),
        "{names:?}"
    );
}

#[test]
fn what_is_no_histogram_is_refused() {
    let point = |bounds: &[f64], buckets: &[u64], sum| {
        HistogramPoint::explicit(of("m"), (1, 2), bounds.to_vec(), buckets.to_vec(), sum)
    };
    assert!(point(&[1.0, 2.0], &[1, 1, 1], 3.0).is_some());
    assert!(point(&[], &[1], 3.0).is_some());
    assert!(point(&[2.0, 1.0], &[1, 1, 1], 3.0).is_none());
    assert!(point(&[1.0, 1.0], &[1, 1, 1], 3.0).is_none());
    assert!(point(&[1.0, f64::INFINITY], &[1, 1, 1], 3.0).is_none());
    assert!(point(&[f64::NAN], &[1, 1], 3.0).is_none());
    assert!(point(&[1.0], &[1], 3.0).is_none());
    assert!(point(&[1.0], &[1, u64::MAX], 3.0).is_none());
    assert!(point(&[1.0], &[1, 1], f64::NAN).is_none());
}

#[test]
fn what_is_not_said_again_is_gone() {
    let (rig, source, now) = source();
    let shown = |telemetry| numbers(&all(telemetry), DONE).len();
    source.show(
        vec![done([("a", (now, now), 1.0), ("b", (now, now), 2.0)])],
        LONG,
    );
    assert_eq!(shown(&rig.telemetry), 2);
    source.show(vec![done([("b", (now, now), 2.0)])], LONG);
    assert_eq!(shown(&rig.telemetry), 1);
    // What was not said again in time is old.
    source.show(vec![done([("b", (now, now), 2.0)])], Duration::ZERO);
    assert_eq!(shown(&rig.telemetry), 0);
    source.show(vec![done([("b", (now, now), 2.0)])], LONG);
    assert_eq!(shown(&rig.telemetry), 1);
    drop(source);
    assert_eq!(shown(&rig.telemetry), 0);
}

#[test]
fn points_of_one_metric_stand_under_one_name_whoever_has_them() {
    let (rig, source, now) = source();
    let other = rig.telemetry.point_source();
    rig.telemetry.counter(&CALLS).bind(&["own"]).add(7);
    let calls = |value| {
        let point = NumberPoint::new(of("theirs"), (now, now), Number::I64(value));
        let data = Data::Sum {
            monotonic: true,
            temporality: Temporality::Cumulative,
            points: vec![point],
        };
        Metric::new(CALLS.name, CALLS.unit, "", &SCOPE, data)
    };
    source.show(vec![calls(3), done([("a", (now, now), 1.0)])], LONG);
    other.show(vec![done([("b", (now, now), 2.0)])], LONG);
    let metrics = all(&rig.telemetry);
    assert_eq!(number(&metrics, CALLS.name, &[("peer", "own")]), 7.0);
    assert_eq!(number(&metrics, CALLS.name, &[("model", "theirs")]), 3.0);
    assert_eq!(number(&metrics, DONE, &[("model", "a")]), 1.0);
    assert_eq!(number(&metrics, DONE, &[("model", "b")]), 2.0);
    let page = rig.telemetry.prometheus();
    assert_eq!(page.matches("# TYPE test_done_total counter\n").count(), 1);
}

#[test]
fn deltas_of_others_are_left_out() {
    let (rig, source, now) = source();
    let mut metric = done([("a", (now, now), 1.0)]);
    if let Data::Sum { temporality, .. } = &mut metric.data {
        *temporality = Temporality::Delta;
    }
    source.show(
        vec![metric, waits([wait("m", (now, now), [1, 0, 0], 0.1)])],
        LONG,
    );
    let metrics = all(&rig.telemetry);
    assert!(find(&metrics, DONE).is_none());
    assert_eq!(histograms(&metrics, WAIT).len(), 1);
}

#[test]
fn beyond_the_room_for_series_points_are_left_out_and_counted() {
    let rig = rig_with(false, |builder| {
        builder.with_max_series(3).with_transport(Capture::new())
    });
    let source = rig.telemetry.point_source();
    let now = source.unix_nanos();
    let four = ["a", "b", "c", "d"].map(|model| (model, (now, now), 1.0));
    source.show(vec![done(four)], LONG);
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, DONE).len(), 3);
    let reason = [("obs.drop.reason", "label_overflow")];
    assert_eq!(number(&metrics, "obs.telemetry.dropped", &reason), 1.0);
}

#[test]
fn texts_are_shown_to_redactors_and_what_they_make_alike_is_there_once() {
    let rig = rig_with(false, |builder| {
        builder.with_redactor(|text: Text<'_>| match text.value {
            "secret-1" | "secret-2" => Redaction::replace("gone"),
            _ => Redaction::Keep,
        })
    });
    let source = rig.telemetry.point_source();
    let now = source.unix_nanos();
    let three = ["secret-1", "secret-2", "open"].map(|model| (model, (now, now), 1.0));
    source.show(vec![done(three)], LONG);
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, DONE).len(), 2);
    assert_eq!(number(&metrics, DONE, &[("model", "gone")]), 1.0);
    assert_eq!(number(&metrics, DONE, &[("model", "open")]), 1.0);
}

/// What happened since the collection before is worth as much at the end as at any time.
#[test]
fn what_an_observable_shows_in_the_last_collection_is_in_it() {
    for manual in [true, false] {
        let sent = Capture::new();
        let builder = Telemetry::builder()
            .with_environment(Environment::from_fn(|_| None))
            .with_transport(sent.clone());
        let builder = if manual { builder.manual() } else { builder };
        let telemetry = builder.build().expect("usable");
        let source = telemetry.point_source();
        telemetry.observe(move || {
            let now = source.unix_nanos();
            let metrics = vec![done([("last", (now, now), 7.0)])];
            source.show(metrics, Duration::from_secs(1));
        });
        telemetry.shutdown(LONG).expect("nothing is lost");
        let shown = |bytes: &[u8]| {
            bytes
                .windows(DONE.len())
                .any(|name| name == DONE.as_bytes())
        };
        assert!(
            sent.take().iter().any(|batch| shown(&batch.body)),
            "manual: {manual}"
        );
    }
}

#[test]
fn after_shutdown_nothing_is_shown() {
    let (rig, source, now) = source();
    rig.telemetry.shutdown(LONG).expect("nothing is lost");
    source.show(vec![done([("a", (now, now), 1.0)])], LONG);
    assert!(numbers(&all(&rig.telemetry), DONE).is_empty());
}

/// Start, end and value of what a reader of deltas gets.
fn delta(reader: &Reader) -> Option<(u64, u64, f64)> {
    let points = numbers(&reader.collect(), DONE);
    assert!(points.len() < 2, "{points:?}");
    let point = points.first()?;
    Some((
        point.start_unix_nanos,
        point.unix_nanos,
        point.value.as_f64(),
    ))
}

#[test]
fn a_reader_of_deltas_gets_what_was_added_once() {
    let (rig, source, now) = source();
    let reader = rig.telemetry.reader(Temporality::Delta);
    let say = |start, time, value| source.show(vec![done([("a", (start, time), value)])], LONG);
    // What was counted before anybody looked is nobody's.
    let old = now - 3_600 * SECOND;
    say(old, now, 1_000.0);
    assert_eq!(delta(&reader), None);
    say(old, now + SECOND, 1_007.0);
    assert_eq!(delta(&reader), Some((now, now + SECOND, 7.0)));
    // The same page once more.
    assert_eq!(delta(&reader), None);
    // Away for a while, and the total went on.
    source.show(Vec::new(), LONG);
    assert_eq!(delta(&reader), None);
    say(old, now + 9 * SECOND, 1_010.0);
    assert_eq!(delta(&reader), Some((now + SECOND, now + 9 * SECOND, 3.0)));
    // It began anew, and says since when.
    let anew = now + 9 * SECOND;
    say(anew, now + 10 * SECOND, 4.0);
    assert_eq!(delta(&reader), Some((anew, now + 10 * SECOND, 4.0)));
    // It fell without saying so.
    say(anew, now + 11 * SECOND, 1.0);
    let last = now + 10 * SECOND;
    assert_eq!(delta(&reader), Some((last, now + 11 * SECOND, 1.0)));
}

#[test]
fn what_began_while_a_reader_looked_is_wholly_new_to_it() {
    let (rig, source, _) = source();
    let reader = rig.telemetry.reader(Temporality::Delta);
    assert_eq!(delta(&reader), None);
    rig.advance_ms(1_000);
    let start = source.unix_nanos();
    rig.advance_ms(1_000);
    let now = source.unix_nanos();
    source.show(vec![done([("a", (start, now), 5.0)])], LONG);
    assert_eq!(delta(&reader), Some((start, now, 5.0)));
    // Of one that cannot say since when it counts, nothing is known.
    source.show(vec![done([("b", (now, now), 5.0)])], LONG);
    assert_eq!(delta(&reader), None);
}

#[test]
fn a_histogram_becomes_a_delta_bucket_by_bucket() {
    let (rig, source, now) = source();
    let reader = rig.telemetry.reader(Temporality::Delta);
    let get = || {
        let points = histograms(&reader.collect(), WAIT);
        points
            .first()
            .map(|point| (point.buckets.clone(), point.sum, point.start_unix_nanos))
    };
    let say =
        |time, buckets, sum| source.show(vec![waits([wait("m", (now, time), buckets, sum)])], LONG);
    say(now, [5, 1, 0], 4.0);
    assert_eq!(get(), None);
    say(now + SECOND, [6, 3, 1], 9.0);
    assert_eq!(get(), Some((vec![1, 2, 1], 5.0, now)));
    say(now + 2 * SECOND, [6, 3, 1], 9.0);
    assert_eq!(get(), None);
    // One bucket fell: it began anew.
    say(now + 3 * SECOND, [7, 2, 1], 9.5);
    assert_eq!(get(), Some((vec![7, 2, 1], 9.5, now + 2 * SECOND)));
    // Other buckets than before.
    let other = HistogramPoint::explicit(
        of("m"),
        (now, now + 4 * SECOND),
        vec![1.0],
        vec![20, 20],
        50.0,
    );
    source.show(vec![waits(other)], LONG);
    assert_eq!(get(), Some((vec![20, 20], 50.0, now + 3 * SECOND)));
}
