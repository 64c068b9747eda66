//! Points that become one, because they differ in what is not kept.

use crate::support::points::{all, histogram, histograms, number, numbers};
use crate::support::{SCOPE, Span, rig_with};
use crate::{CALLS, DURATION, viewed, work};
use obs_core::encode::PageFormat;
use obs_core::metrics::Temporality;
use obs_core::otel::trace::SpanKind;
use obs_core::{Descriptor, Event, Histogram, Labels, Outcome, Parent, Stage, StatsLevel, View};

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
    let rig = viewed([View::of("test.work.active").without_attributes()]);
    let _running = ["a", "b", "b"].map(|step| rig.root(step));
    assert_eq!(number(&all(&rig.telemetry), "test.work.active", &[]), 3.0);
}

#[test]
fn a_mirrored_counter_that_restarts_is_added_right() {
    let rig = viewed([View::of("test.calls").without_attributes()]);
    let counter = rig.telemetry.absolute_counter(&CALLS);
    let (one, two) = (counter.bind(&["p", "1"]), counter.bind(&["p", "2"]));
    let delta = rig.telemetry.reader(Temporality::Delta);
    let cumulative = rig.telemetry.reader(Temporality::Cumulative);
    let collect = |first, second| {
        one.set_absolute(first);
        two.set_absolute(second);
        rig.advance_ms(1_000);
        let all = numbers(&cumulative.collect(), "test.calls");
        assert_eq!(all.len(), 1);
        let change = number(&delta.collect(), "test.calls", &[]);
        (change, all[0].value.as_f64(), all[0].start_unix_nanos)
    };
    let (change, total, start) = collect(100, 50);
    assert_eq!((change, total), (150.0, 150.0));
    assert_eq!(collect(101, 52), (3.0, 153.0, start));
    let (change, total, restart) = collect(110, 7);
    assert_eq!((change, total), (16.0, 117.0), "one of them began again");
    assert!(restart > start, "and so did their sum");
    assert_eq!(collect(110, 8), (1.0, 118.0, restart));
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
                    .without_attributes(),
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
                .without_attributes()
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
        operation.stamp(Event::SERVER_HANDLE_START);
        rig.advance_ms(20);
        operation.stamp(Event::SERVER_HANDLE_FINISH);
        operation.end(Outcome::ANSWERED);
    }
    let metrics = all(&rig.telemetry);
    let points = histograms(&metrics, name);
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].attributes.len(), 1);
    assert_eq!(points[0].count, 2);
}

#[test]
fn stages_that_share_a_metric_but_not_all_boundaries_are_merged_by_those_they_share() {
    const fn stage(from: Event, to: Event, bounds: &'static [f64]) -> Stage {
        let histogram = Histogram {
            name: "test.uneven",
            unit: "s",
            description: "",
            bounds,
        };
        Stage {
            histogram,
            attribute: None,
            from,
            to,
            level: StatsLevel::Base,
            by_hand: false,
        }
    }
    static UNEVEN: Descriptor = Descriptor {
        name: "test.uneven",
        duration: None,
        measures: &[],
        quantities: &[],
        in_flight: None,
        stages: &[
            stage(Event::RPC_START, Event::RPC_FINISH, &[0.01, 0.05, 1.0]),
            stage(Event::SERVER_HANDLE_START, Event::RPC_FINISH, &[0.02, 0.05]),
        ],
        labels: &[],
        method: None,
        errors: &[],
        scope: &SCOPE,
        span_kind: SpanKind::Internal,
        span_name: |_, into| into.push_str("uneven"),
    };
    let rig = viewed([View::of("test.uneven").without_attributes()]);
    let kind = rig.telemetry.kind(&UNEVEN);
    kind.set_level(StatsLevel::Detailed);
    for ms in [5, 15, 30, 60] {
        let mut operation = kind.start(Labels::NONE, Parent::Root);
        rig.advance_ms(ms);
        operation.stamp(Event::SERVER_HANDLE_START);
        rig.advance_ms(1);
        operation.end(Outcome::ANSWERED);
    }
    let point = histogram(&all(&rig.telemetry), "test.uneven", &[]);
    // Whole operations take 6, 16, 31 and 61 ms, their second stages one each.
    assert_eq!((point.bounds, point.buckets), (vec![0.05], vec![7, 1]));
}
