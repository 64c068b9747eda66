//! Exemplars: each leads to a trace that was exported, from the bucket that it counted in.

#[path = "support/support.rs"]
mod support;

use obs_core::encode::{PageFormat, ResourceBytes, encode_metrics};
use obs_core::metrics::{Data, Exemplar, HistogramPoint, Temporality};
use obs_core::otel::trace::{SpanId, TraceId};
use obs_core::{ErrorType, Event, Outcome, Parent, StatsLevel};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{exemplar, metric};
use prost::Message;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use support::*;

/// All points of the reader's histograms, with their metric's name.
fn points(reader: &obs_core::Reader) -> Vec<(String, HistogramPoint)> {
    let mut found = Vec::new();
    for metric in reader.collect() {
        if let Data::Histogram { points, .. } = metric.data {
            found.extend(
                points
                    .into_iter()
                    .map(|point| (metric.name.to_string(), point)),
            );
        }
    }
    found
}

fn exemplars(reader: &obs_core::Reader) -> Vec<Exemplar> {
    let all = points(reader).into_iter();
    all.flat_map(|(_, point)| point.exemplars).collect()
}

/// The bucket that a value counts in: bounds are inclusive.
fn bucket(point: &HistogramPoint, value: f64) -> usize {
    point.bounds.partition_point(|bound| *bound < value)
}

#[test]
fn each_one_resolves_to_an_exported_span_and_lies_in_a_bucket_that_counted_it() {
    let rig = rig_with(false, |builder| {
        builder
            .with_level(StatsLevel::Detailed)
            .with_measures(true)
            .with_kind_slow("test.work", Duration::from_millis(400))
    });
    let reader = rig.telemetry.reader(Temporality::Cumulative);
    let mut exported = HashMap::new();
    for round in 0..40_u64 {
        let mut operation = rig.root(["a", "b", "c"][round as usize % 3]);
        operation.stamp(Event::SERVER_HANDLE_START);
        rig.advance_ms(round * 20);
        operation.stamp(Event::SERVER_HANDLE_FINISH);
        operation.active().unwrap().set_measure(0, round * 1_000);
        rig.advance_ms(1);
        operation.end(if round % 7 == 0 {
            Outcome::failed(ErrorType::code(503))
        } else {
            Outcome::ANSWERED
        });
    }
    for span in rig.spans() {
        exported.insert((span.trace_id, span.span_id), span);
    }
    // Errors and what was slow; the rest of the forty is in the metrics only.
    assert!((10..40).contains(&exported.len()), "{}", exported.len());
    let mut metrics = BTreeMap::<String, usize>::new();
    for (name, point) in points(&reader) {
        for exemplar in &point.exemplars {
            let span = exported
                .get(&(exemplar.trace_id, exemplar.span_id))
                .unwrap_or_else(|| panic!("{name}: {exemplar:?} leads nowhere"));
            assert_eq!(exemplar.unix_nanos, span.end);
            let took = (span.end - span.start) as f64 / 1e9;
            if name == "test.work.duration" {
                assert!(
                    (exemplar.value - took).abs() < 1e-6,
                    "{} {took}",
                    exemplar.value
                );
            }
            assert!(
                point.buckets[bucket(&point, exemplar.value)] > 0,
                "{name} {exemplar:?}"
            );
            *metrics.entry(name.clone()).or_default() += 1;
        }
        let buckets: Vec<_> = point
            .exemplars
            .iter()
            .map(|e| bucket(&point, e.value))
            .collect();
        assert!(
            buckets.is_sorted_by(|a, b| a < b),
            "one per bucket, in order: {buckets:?}"
        );
    }
    let with: Vec<_> = metrics.keys().map(String::as_str).collect();
    assert_eq!(
        with,
        [
            "test.work.chunks",
            "test.work.duration",
            "test.work.stage.duration"
        ]
    );
}

#[test]
fn what_was_dropped_is_none_and_a_later_one_takes_the_place_of_an_earlier() {
    let rig = rig(false);
    let reader = rig.telemetry.reader(Temporality::Cumulative);
    let failed = |rig: &Rig| {
        rig.root("a").end(Outcome::failed(ErrorType::code(500)));
        let span = rig.span();
        (span.trace_id, span.span_id)
    };
    rig.root("a").end(Outcome::ANSWERED);
    assert!(rig.spans().is_empty());
    assert_eq!(exemplars(&reader), []);
    let ids = |found: Vec<Exemplar>| -> Vec<(TraceId, SpanId)> {
        found.iter().map(|e| (e.trace_id, e.span_id)).collect()
    };
    let first = failed(&rig);
    assert_eq!(ids(exemplars(&reader)), [first]);
    let second = failed(&rig);
    assert_eq!(ids(exemplars(&reader)), [second]);
}

#[test]
fn a_reader_has_each_once_and_every_reader_has_them() {
    let rig = rig(true);
    let (one, other) = (
        rig.telemetry.reader(Temporality::Delta),
        rig.telemetry.reader(Temporality::Cumulative),
    );
    rig.root("a").end(Outcome::ANSWERED);
    rig.spans();
    assert_eq!(exemplars(&one).len(), 1);
    assert_eq!(exemplars(&one).len(), 0, "it was there before");
    assert_eq!(exemplars(&other).len(), 1);
    rig.root("a").end(Outcome::ANSWERED);
    rig.spans();
    assert_eq!((exemplars(&one).len(), exemplars(&other).len()), (1, 1));
}

#[test]
fn a_parked_child_that_its_root_takes_along_is_one_and_one_that_goes_with_it_is_not() {
    let rig = rig(false);
    let reader = rig.telemetry.reader(Temporality::Cumulative);
    for outcome in [Outcome::ANSWERED, Outcome::failed(ErrorType::code(500))] {
        let mut root = rig.root("root");
        let handle = root.handle().unwrap();
        rig.start("child", Parent::Operation(&handle))
            .end(Outcome::ANSWERED);
        root.end(outcome);
    }
    let mut spans: Vec<_> = rig.spans().iter().map(|span| span.span_id).collect();
    let mut found: Vec<_> = exemplars(&reader).iter().map(|e| e.span_id).collect();
    spans.sort_by_key(|id| id.to_bytes());
    found.sort_by_key(|id| id.to_bytes());
    assert_eq!((spans.len(), &found), (2, &spans));
}

#[test]
fn where_nobody_takes_records_none_leads_nowhere() {
    let clock = obs_core::ManualClock::new();
    let telemetry = builder()
        .manual()
        .with_clock(obs_core::Clock::manual(&clock))
        .with_sampler(sampler(true))
        .build()
        .expect("a usable configuration");
    let reader = telemetry.reader(Temporality::Cumulative);
    telemetry
        .kind(&WORK)
        .start(obs_core::Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    telemetry
        .collect(Duration::from_secs(5))
        .expect("no deadline");
    assert_eq!(points(&reader).len(), 1, "it was counted");
    assert_eq!(exemplars(&reader), []);
}

#[test]
fn switched_off_there_are_none() {
    let rig = rig_with(true, |builder| builder.with_exemplars(false));
    let reader = rig.telemetry.reader(Temporality::Cumulative);
    rig.root("a").end(Outcome::ANSWERED);
    assert_eq!(rig.spans().len(), 1);
    assert_eq!(exemplars(&reader), []);
    assert!(
        !rig.telemetry
            .prometheus_page(PageFormat::OpenMetrics)
            .contains("trace_id")
    );
}

#[test]
fn the_official_decoder_reads_them() {
    let rig = rig(true);
    let reader = rig.telemetry.reader(Temporality::Cumulative);
    let operation = rig.root("a");
    rig.advance_ms(30);
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    let mut found = Vec::new();
    let resource = ResourceBytes::new([], None);
    encode_metrics(&resource, &reader.collect(), usize::MAX, &mut |body, _| {
        let request = ExportMetricsServiceRequest::decode(body).expect("protobuf");
        assert_eq!(request.encode_to_vec(), body, "canonical");
        for metric in &request.resource_metrics[0].scope_metrics[0].metrics {
            if let Some(metric::Data::Histogram(histogram)) = &metric.data {
                found.extend(histogram.data_points[0].exemplars.clone());
            }
        }
    });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].trace_id, span.trace_id.to_bytes());
    assert_eq!(found[0].span_id, span.span_id.to_bytes());
    assert_eq!(found[0].time_unix_nano, span.end);
    assert_eq!(found[0].value, Some(exemplar::Value::AsDouble(0.03)));
}

#[test]
fn openmetrics_shows_them_and_is_the_text_format_otherwise() {
    let rig = rig_with(true, |builder| builder.with_measures(true));
    let mut operation = rig.root("a");
    operation.active().unwrap().set_measure(0, 2_048);
    rig.advance_ms(30);
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    let open = rig.telemetry.prometheus_page(PageFormat::OpenMetrics);
    let line = |start: &str| {
        let mut lines = open.lines().filter(|line| line.starts_with(start));
        lines
            .next()
            .unwrap_or_else(|| panic!("no {start} in\n{open}"))
    };
    let seconds = format!(
        "{}.{:03}",
        span.end / 1_000_000_000,
        span.end / 1_000_000 % 1_000
    );
    assert_eq!(
        line("test_work_duration_seconds_bucket{test_step=\"a\",le=\"0.05\"}"),
        format!(
            "test_work_duration_seconds_bucket{{test_step=\"a\",le=\"0.05\"}} 1 # {{trace_id=\"{}\",span_id=\"{}\"}} 0.03 {seconds}",
            span.trace_id, span.span_id
        )
    );
    // Bounds that are whole numbers are written as OpenMetrics has them.
    line("test_work_duration_seconds_bucket{test_step=\"a\",le=\"1.0\"} 1");
    line("# TYPE target info");
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    assert_eq!(
        open.matches(" # {").count(),
        2,
        "one for each histogram: {open}"
    );

    let text = rig.telemetry.prometheus();
    assert!(!text.contains(" # {") && !text.contains("EOF"), "{text}");
    let values = |page: &str| -> Vec<String> {
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        samples
            .map(|line| {
                line.split(" # ")
                    .next()
                    .unwrap_or(line)
                    .replace(".0\"}", "\"}")
            })
            .filter(|line| !line.contains("collected"))
            .collect()
    };
    assert_eq!(values(&open), values(&text));
}
