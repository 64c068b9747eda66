//! What the variables change, from the builder to what leaves.

use crate::support::{WORK, builder, sampler};
use crate::{CALLS, environment};
use obs_core::courier::{Batch, Capture, Signal};
use obs_core::{Builder, Labels, Outcome, Parent, Telemetry};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, number_data_point};
use prost::Message;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

fn manual(variables: &[(&str, &str)], capture: &Capture) -> Telemetry {
    with(variables, capture).manual().build().expect("usable")
}

fn with(variables: &[(&str, &str)], capture: &Capture) -> Builder {
    builder()
        .with_environment(environment(variables))
        .with_sampler(sampler(true))
        .with_transport(capture.clone())
}

fn work(telemetry: Telemetry, times: u64) {
    for _ in 0..times {
        telemetry
            .kind(&WORK)
            .start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
    }
}

#[track_caller]
fn check_pushed(exporter: &str, expect: &[Signal]) {
    let capture = Capture::new();
    let variables = [
        ("OTEL_METRICS_EXPORTER", exporter),
        ("OTEL_TRACES_EXPORTER", exporter),
    ];
    let telemetry = manual(&variables, &capture);
    work(telemetry, 1);
    telemetry.flush(LONG).expect("delivered");
    let batches = capture.take();
    let seen = |signal| batches.iter().any(|batch: &Batch| batch.signal == signal);
    for signal in [Signal::Traces, Signal::Metrics] {
        assert_eq!(
            seen(signal),
            expect.contains(&signal),
            "{exporter} {signal}"
        );
    }
    assert!(telemetry.prometheus().contains("test_work_duration"));
}

#[test]
fn metrics_of_the_prometheus_exporter_are_not_pushed() {
    check_pushed("otlp", &[Signal::Traces, Signal::Metrics]);
    check_pushed("none", &[]);
    // Not a name for traces, so there it counts as `otlp`.
    check_pushed("prometheus", &[Signal::Traces]);
    check_pushed("prometheus,otlp", &[Signal::Traces, Signal::Metrics]);
    check_pushed("console", &[Signal::Traces, Signal::Metrics]);
}

#[test]
fn a_batch_has_no_more_spans_than_the_environment_says() {
    let capture = Capture::new();
    let telemetry = manual(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")], &capture);
    work(telemetry, 10);
    telemetry.flush(LONG).expect("delivered");
    let batches = capture.take();
    let traces = batches
        .iter()
        .filter(|batch| batch.signal == Signal::Traces);
    assert_eq!(
        traces.map(|batch| batch.items).collect::<Vec<_>>(),
        [4, 4, 2]
    );
}

#[test]
fn the_schedule_delay_of_the_environment_is_how_often_the_collector_looks() {
    let capture = Capture::new();
    let never = [("OTEL_BSP_SCHEDULE_DELAY", "2000000000")];
    let slow = with(&never, &capture).build().expect("usable");
    let beaten = with(&never, &capture).with_collect_interval(Duration::from_millis(1));
    let quick = beaten.build().expect("usable");
    work(slow, 1);
    work(quick, 1);
    let begun = Instant::now();
    while quick.counts().collected == 0 {
        assert!(begun.elapsed() < LONG, "code beats the environment");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(slow.counts().collected, 0);
    slow.shutdown(LONG).expect("delivered");
    assert_eq!(slow.counts().collected, 1);
}

#[test]
fn low_memory_is_deltas_of_what_is_added_up_and_totals_of_what_is_mirrored() {
    let capture = Capture::new();
    let variable = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    for (preference, expect) in [
        ("lowmemory", "1 delta, 7 cumulative, 1 delta, 0 cumulative"),
        ("delta", "1 delta, 0 delta, 1 delta, 0 cumulative"),
        (
            "cumulative",
            "3 cumulative, 7 cumulative, 3 cumulative, 0 cumulative",
        ),
    ] {
        let telemetry = manual(&[(variable, preference)], &capture);
        let calls = telemetry.counter(&CALLS).bind(&["p"]);
        let absolute = obs_core::Instrument {
            name: "test.absolute",
            ..CALLS
        };
        let absolute = telemetry.absolute_counter(&absolute).bind(&["p"]);
        absolute.set_absolute(7);
        calls.add(2);
        work(telemetry, 2);
        telemetry.flush(LONG).expect("delivered");
        capture.take();
        calls.add(1);
        work(telemetry, 1);
        telemetry.flush(LONG).expect("delivered");
        let metrics = decoded(&capture.take());
        assert_eq!(
            [
                "test.calls",
                "test.absolute",
                "test.work.duration",
                "test.work.active"
            ]
            .map(|name| brief(&metrics, name))
            .join(", "),
            expect,
            "{preference}"
        );
    }
}

fn decoded(batches: &[Batch]) -> Vec<Metric> {
    let metrics = batches
        .iter()
        .filter(|batch| batch.signal == Signal::Metrics);
    metrics
        .flat_map(|batch| {
            let request = ExportMetricsServiceRequest::decode(&batch.body[..]);
            request.expect("ours").resource_metrics
        })
        .flat_map(|resource| resource.scope_metrics)
        .flat_map(|scope| scope.metrics)
        .collect()
}

/// The number of its only point, and since when it counts.
fn brief(metrics: &[Metric], name: &str) -> String {
    let metric = metrics.iter().find(|metric| metric.name == name);
    let (number, temporality) = match metric.and_then(|metric| metric.data.as_ref()) {
        Some(Data::Sum(sum)) => match sum.data_points[0].value {
            Some(number_data_point::Value::AsInt(value)) => (value, sum.aggregation_temporality()),
            other => panic!("{other:?}"),
        },
        Some(Data::Histogram(histogram)) => (
            histogram.data_points[0].count.cast_signed(),
            histogram.aggregation_temporality(),
        ),
        other => panic!("{name}: {other:?}"),
    };
    let temporality = match temporality {
        AggregationTemporality::Delta => "delta",
        AggregationTemporality::Cumulative => "cumulative",
        AggregationTemporality::Unspecified => "?",
    };
    format!("{number} {temporality}")
}
