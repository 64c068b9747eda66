//! Views: what they select, what they make of points, and that nothing is lost when points become one.

#[path = "support/support.rs"]
mod support;

use obs_core::encode::{BODY_LIMIT, PageFormat, ResourceBytes, encode_metrics};
use obs_core::metrics::{HistogramPoint, Metric, Number, Temporality};
use obs_core::{
    Builder, DURATION_BOUNDS, Instrument, Key, Label, Outcome, Reader, StatsLevel, Values, View,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric;
use proptest::prelude::*;
use prost::Message;
use std::collections::BTreeMap;
use std::time::Duration;
use support::points::{all, find, histogram, histograms, number, numbers};
use support::*;

const DURATION: &str = "test.work.duration";

static CALLS: Instrument = Instrument {
    name: "test.calls",
    unit: "{call}",
    description: "Calls.",
    labels: &[open("peer"), open("zone")],
    scope: &SCOPE,
};

const fn open(key: &'static str) -> Label {
    Label {
        key: match key.as_bytes() {
            b"peer" => Key::new(&"peer"),
            _ => Key::new(&"zone"),
        },
        values: Values::Open { cap: 8 },
    }
}

fn viewed(views: impl IntoIterator<Item = View>) -> Rig {
    rig_with(false, |builder| {
        views.into_iter().fold(builder, Builder::with_view)
    })
}

/// Ends one operation that took so long.
fn work(rig: &Rig, step: &str, code: u16, ms: u64) {
    let mut operation = rig.root(step);
    operation
        .active()
        .expect("recording")
        .set_label(CODE, obs_core::LabelId::number(code));
    rig.advance_ms(ms);
    operation.end(Outcome::ANSWERED);
}

/// Buckets by what was measured, with nothing of the code under test.
fn buckets(bounds: &[f64], ms: &[u64]) -> Vec<u64> {
    let mut buckets = vec![0; bounds.len() + 1];
    for ms in ms {
        let seconds = *ms as f64 / 1e3;
        let above = bounds.iter().filter(|bound| seconds > **bound).count();
        buckets[above] += 1;
    }
    buckets
}

#[test]
fn a_metric_is_renamed_and_described() {
    let view = View::of(DURATION)
        .with_name("our.duration")
        .with_description("Ours.");
    let rig = viewed([view]);
    work(&rig, "a", 200, 7);
    let metrics = all(&rig.telemetry);
    assert!(find(&metrics, DURATION).is_none());
    let ours = find(&metrics, "our.duration").expect("renamed");
    assert_eq!((&*ours.description, &*ours.unit), ("Ours.", "s"));
    assert_eq!(histograms(&metrics, "our.duration")[0].count, 1);
    let page = rig.telemetry.prometheus();
    assert!(page.contains("# HELP our_duration_seconds Ours."), "{page}");
    assert!(!page.contains("test_work_duration"), "{page}");
    assert!(rig.telemetry.warnings().is_empty());
}

#[test]
fn what_is_dropped_is_on_no_page_and_in_no_export() {
    let rig = viewed([
        View::of("test.*").dropped(),
        View::of("nothing").with_scope("x").dropped(),
    ]);
    work(&rig, "a", 200, 7);
    let kept = Instrument {
        name: "kept.calls",
        ..CALLS
    };
    for instrument in [&CALLS, &kept] {
        rig.telemetry.counter(instrument).bind(&["p", "z"]).add(1);
    }
    let shown = all(&rig.telemetry);
    let names: Vec<_> = shown.iter().map(|metric| &*metric.name).collect();
    assert_eq!(names, ["kept.calls"]);
    assert!(!rig.telemetry.prometheus().contains("test_"));
}

#[test]
fn all_but_what_another_view_selects_can_be_dropped() {
    let rig = viewed([View::of("*").dropped(), View::of("TEST.work.?uration")]);
    work(&rig, "a", 200, 7);
    let shown: Vec<_> = all(&rig.telemetry)
        .into_iter()
        .map(|metric| metric.name)
        .collect();
    assert_eq!(shown, [DURATION]);
}

#[test]
fn a_view_of_another_scope_selects_nothing() {
    let rig = viewed([View::of("*").with_scope("other").dropped()]);
    work(&rig, "a", 200, 7);
    assert_eq!(histograms(&all(&rig.telemetry), DURATION).len(), 1);
    let theirs = viewed([View::of("*").with_scope(SCOPE.name).dropped()]);
    work(&theirs, "a", 200, 7);
    assert!(histograms(&all(&theirs.telemetry), DURATION).is_empty());
}

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

#[test]
fn counters_of_fewer_attributes_are_added_and_of_gauges_the_greatest_is_shown() {
    let peers = || View::of("test.*").with_attributes(["peer"]);
    let rig = viewed([peers()]);
    let calls = rig.telemetry.counter(&CALLS);
    for (peer, zone, by) in [("p", "1", 1), ("p", "2", 10), ("q", "1", 100)] {
        calls.bind(&[peer, zone]).add(by);
    }
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, "test.calls").len(), 2);
    assert_eq!(number(&metrics, "test.calls", &[("peer", "p")]), 11.0);
    assert_eq!(number(&metrics, "test.calls", &[("peer", "q")]), 100.0);

    let rig = viewed([peers()]);
    let gauge = rig.telemetry.gauge(&CALLS);
    for (zone, value) in [("1", -5.0), ("2", -2.0), ("3", -3.0)] {
        gauge.bind(&["p", zone]).set(value);
    }
    assert_eq!(number(&all(&rig.telemetry), "test.calls", &[]), -2.0);
}

#[test]
fn what_runs_is_added_over_the_attributes_left_out() {
    let rig = viewed([View::of("test.work.active").with_attributes([""; 0])]);
    let _running = ["a", "b", "b"].map(|step| rig.root(step));
    assert_eq!(number(&all(&rig.telemetry), "test.work.active", &[]), 3.0);
}

#[test]
fn a_mirrored_counter_that_restarts_is_added_right() {
    let rig = viewed([View::of("test.calls").with_attributes([""; 0])]);
    let counter = rig.telemetry.absolute_counter(&CALLS);
    let (one, two) = (counter.bind(&["p", "1"]), counter.bind(&["p", "2"]));
    let delta = rig.telemetry.reader(Temporality::Delta);
    let collect = |first, second| {
        one.set_absolute(first);
        two.set_absolute(second);
        rig.advance_ms(1_000);
        number(&delta.collect(), "test.calls", &[])
    };
    assert_eq!(collect(100, 50), 150.0);
    assert_eq!(collect(7, 60), 17.0, "one of them began again");
}

#[test]
fn what_found_no_room_stays_a_point_of_its_own_while_any_attribute_is_kept() {
    let rig = rig_with(false, |builder| {
        builder
            .with_max_series(2)
            .with_view(View::of("test.calls").with_attributes(["peer"]))
            .with_view(
                View::of("test.calls")
                    .with_name("total")
                    .with_attributes([""; 0]),
            )
    });
    let calls = rig.telemetry.counter(&CALLS);
    for zone in ["1", "2", "3", "4"] {
        calls.bind(&["p", zone]).add(1);
    }
    let metrics = all(&rig.telemetry);
    assert_eq!(number(&metrics, "test.calls", &[("peer", "p")]), 2.0);
    let overflow = [("otel.metric.overflow", "true")];
    assert_eq!(number(&metrics, "test.calls", &overflow), 2.0);
    assert_eq!(numbers(&metrics, "total").len(), 1);
    assert_eq!(number(&metrics, "total", &[]), 4.0);
}

#[test]
fn of_merged_exemplars_the_latest_of_each_bucket_stays() {
    let rig = rig_with(true, |builder| {
        builder.with_view(
            View::of(DURATION)
                .with_attributes([""; 0])
                .with_boundaries([0.1, 1.0]),
        )
    });
    let ms = [20, 2_000, 30, 40, 300, 50];
    for (step, ms) in ["a", "b", "c", "a", "b", "c"].iter().zip(ms) {
        work(&rig, step, 200, ms);
    }
    let spans = rig.spans();
    let point = histogram(&all(&rig.telemetry), DURATION, &[]);
    let values: Vec<_> = point.exemplars.iter().map(|one| one.value).collect();
    assert_eq!(values, [0.05, 0.3, 2.0]);
    for exemplar in &point.exemplars {
        let of = |span: &&Span| span.span_id == exemplar.span_id;
        let span = spans.iter().find(of).expect("an exported span");
        assert_eq!(span.trace_id, exemplar.trace_id);
        assert_eq!((span.end - span.start) as f64 / 1e9, exemplar.value);
    }
    let page = rig.telemetry.prometheus_page(PageFormat::OpenMetrics);
    let duration = |line: &&str| line.starts_with("test_work_duration") && line.contains(" # {");
    assert_eq!(page.lines().filter(duration).count(), 3, "{page}");
}

#[test]
fn stages_that_share_a_metric_are_merged_without_what_tells_them_apart() {
    let name = "test.work.stage.duration";
    let rig = rig_with(false, |builder| {
        builder
            .with_level(StatsLevel::Detailed)
            .with_view(View::of(name).with_attributes(["test.stage"]))
    });
    for step in ["a", "b"] {
        let mut operation = rig.root(step);
        operation.stamp(obs_core::Event::SERVER_HANDLE_START);
        rig.advance_ms(20);
        operation.stamp(obs_core::Event::SERVER_HANDLE_FINISH);
        operation.end(Outcome::ANSWERED);
    }
    let metrics = all(&rig.telemetry);
    let points = histograms(&metrics, name);
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].attributes.len(), 1);
    assert_eq!(points[0].count, 2);
}

#[test]
fn otlp_has_the_same() {
    let rig = viewed([View::of(DURATION)
        .with_name("our.duration")
        .with_attributes(["test.status"])]);
    work(&rig, "a", 200, 7);
    work(&rig, "b", 200, 8);
    work(&rig, "b", 500, 9);
    let mut counts = BTreeMap::new();
    let resource = ResourceBytes::new([], None);
    encode_metrics(
        &resource,
        &all(&rig.telemetry),
        BODY_LIMIT,
        &mut |body: &[u8], _| {
            let request = ExportMetricsServiceRequest::decode(body).expect("OTLP");
            let scopes = request.resource_metrics.into_iter();
            let scopes = scopes.flat_map(|resource| resource.scope_metrics);
            for metric in scopes.flat_map(|scope| scope.metrics) {
                assert_ne!(metric.name, DURATION);
                if let (true, Some(metric::Data::Histogram(data))) =
                    (metric.name == "our.duration", metric.data)
                {
                    for point in data.data_points {
                        assert_eq!(point.attributes.len(), 1);
                        let status = format!("{:?}", point.attributes[0].value);
                        let status = ["200", "500"].into_iter().find(|one| status.contains(one));
                        counts.insert(status, point.count);
                    }
                }
            }
        },
    );
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [(Some("200"), 2), (Some("500"), 1)]
    );
}

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

/// Sums over the points that have one value of the kept attribute.
type Totals = BTreeMap<String, (u64, u64, Vec<u64>)>;

/// Sums are of whole milliseconds, so that they can be compared.
fn totals(points: &[HistogramPoint]) -> Totals {
    let mut totals = Totals::new();
    for point in points {
        let step = point.attributes.iter().find(|(key, _)| key == "test.step");
        let step = step.map(|(_, value)| value.to_text().into_owned());
        let buckets = || vec![0; point.buckets.len()];
        let total = totals
            .entry(step.unwrap_or_default())
            .or_insert_with(|| (0, 0, buckets()));
        total.0 += point.count;
        total.1 += (point.sum * 1e3).round() as u64;
        assert!((point.sum * 1e3 - (point.sum * 1e3).round()).abs() < 1e-6);
        for (total, count) in total.2.iter_mut().zip(&point.buckets) {
            *total += count;
        }
    }
    totals
}

fn minus(now: &Totals, before: &Totals) -> Totals {
    let mut now = now.clone();
    for (step, before) in before {
        let now = now.get_mut(step).expect("what was there stays");
        now.0 -= before.0;
        now.1 -= before.1;
        now.2
            .iter_mut()
            .zip(&before.2)
            .for_each(|(now, before)| *now -= before);
    }
    now.retain(|_, total| total.0 > 0);
    now
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_merged_point_is_the_sum_of_its_parts_and_a_delta_the_difference_of_two_collections(
        rounds in prop::collection::vec(
            prop::collection::vec((0..4_usize, 0..4_u16, 0..12_000_u64), 0..20),
            1..5,
        )
    ) {
        let rig = viewed([
            View::of(DURATION),
            View::of(DURATION).with_name("merged").with_attributes(["test.step"]),
        ]);
        let (cumulative, delta) = (
            rig.telemetry.reader(Temporality::Cumulative),
            rig.telemetry.reader(Temporality::Delta),
        );
        let (mut before, mut last_end) = (Totals::new(), None);
        for round in rounds {
            for (step, code, ms) in round {
                work(&rig, ["a", "b", "c", "d"][step], 200 + code, ms);
            }
            rig.advance_ms(1);
            let read = |reader: &Reader| {
                let metrics = reader.collect();
                let (parts, merged) = (histograms(&metrics, DURATION), histograms(&metrics, "merged"));
                assert_eq!(totals(&parts), totals(&merged));
                // One point for each value, with nothing but it.
                assert_eq!(totals(&merged).len(), merged.len());
                assert!(merged.iter().all(|point| point.attributes.len() == 1));
                merged
            };
            let (now, change) = (read(&cumulative), read(&delta));
            prop_assert_eq!(totals(&change), minus(&totals(&now), &before));
            for point in &change {
                prop_assert!(last_end.is_none_or(|end| point.start_unix_nanos == end));
                prop_assert_eq!(point.buckets.iter().sum::<u64>(), point.count);
            }
            last_end = now.first().map(|point| point.unix_nanos);
            before = totals(&now);
        }
    }

    #[test]
    fn counters_of_fewer_attributes_are_exact_in_either_temporality(
        rounds in prop::collection::vec(
            prop::collection::vec((0..3_usize, 0..3_usize, 0..1_000_u64), 0..20),
            1..5,
        )
    ) {
        let rig = viewed([View::of("test.calls").with_attributes(["zone"])]);
        let calls = rig.telemetry.counter(&CALLS);
        let (cumulative, delta) = (
            rig.telemetry.reader(Temporality::Cumulative),
            rig.telemetry.reader(Temporality::Delta),
        );
        let (names, mut total) = (["1", "2", "3"], [0_i64; 3]);
        for round in rounds {
            let mut change = [0_i64; 3];
            for (peer, zone, by) in round {
                calls.bind(&[names[peer], names[zone]]).add(by);
                change[zone] += by as i64;
                total[zone] += by as i64;
            }
            for (reader, expect) in [(&cumulative, &total), (&delta, &change)] {
                let mut seen = [0; 3];
                for point in numbers(&reader.collect(), "test.calls") {
                    let zone = point.attributes[0].1.to_text().into_owned();
                    let at = names.iter().position(|name| *name == zone).unwrap();
                    let Number::I64(value) = point.value else { panic!("whole") };
                    prop_assert_eq!(seen[at], 0, "one point for each");
                    seen[at] = value;
                }
                prop_assert_eq!(&seen, expect);
            }
        }
    }
}
