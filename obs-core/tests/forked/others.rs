//! Spans and records of an SDK, and what the macros of `metrics` record, in manual mode: in a child they are the child's.
#![cfg(all(feature = "sdk", feature = "metrics"))]

use crate::child::in_child;
use crate::collector::{Collector, PATIENCE};
use crate::received::{self, destinations};
use crate::support::*;
use obs_core::Telemetry;
use obs_core::metrics_facade::MetricsRecorder;
use obs_core::otel::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

fn telemetry(collector: &Collector) -> Telemetry {
    builder()
        .manual()
        .with_sampler(sampler(true))
        .with_otlp_to(destinations(collector))
        .build()
        .expect("usable")
}

#[test]
fn numbers_of_the_macros_count_from_the_fork() {
    let collector = Collector::start([]);
    let telemetry = telemetry(&collector);
    let recorder = MetricsRecorder::new(&telemetry);
    metrics::with_local_recorder(&recorder, || {
        let held = metrics::counter!("jobs_total", "of" => "held");
        let took = metrics::histogram!("took");
        held.increment(5);
        took.record(1.0);
        metrics::counter!("jobs_total", "of" => "asked").increment(50);
        in_child(|| {
            held.increment(2);
            took.record(2.0);
            metrics::counter!("jobs_total", "of" => "asked").increment(20);
            metrics::counter!("jobs_total", "of" => "new").increment(200);
            let page = telemetry.prometheus();
            for line in [
                r#"jobs_total{of="held"} 2"#,
                r#"jobs_total{of="asked"} 20"#,
                r#"jobs_total{of="new"} 200"#,
                "took_sum 2",
            ] {
                assert!(page.lines().any(|have| have == line), "{line}: {page}");
            }
            telemetry.flush(PATIENCE).expect("delivered");
        });
        held.increment(1);
        let page = telemetry.prometheus();
        for line in [
            r#"jobs_total{of="held"} 6"#,
            r#"jobs_total{of="asked"} 50"#,
            "took_sum 1",
        ] {
            assert!(page.lines().any(|have| have == line), "{line}: {page}");
        }
        assert!(!page.contains("new"), "{page}");
    });
}

#[test]
fn spans_of_an_sdk_are_sent_by_whose_they_are() {
    let collector = Collector::start([]);
    let telemetry = telemetry(&collector);
    let processor = telemetry.span_processor();
    let resource = telemetry.resource().expect("it records").to_sdk();
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_span_processor(processor.clone())
        .build();
    let tracer = provider.tracer("t");
    tracer.in_span("parents", |_| {});
    in_child(|| {
        tracer.in_span("childs", |_| {});
        let counts = processor.counts();
        assert_eq!((counts.created, counts.waiting), (1, 1), "{counts:?}");
        telemetry.flush(PATIENCE).expect("delivered");
        let counts = telemetry.counts();
        assert_eq!(counts.sdk_spans, 1);
        let traces = telemetry.accounts().traces;
        assert_eq!((traces.accepted, traces.delivered), (1, 1));
        provider.shutdown().expect("all is delivered");
        telemetry.shutdown(PATIENCE).expect("all is delivered");
    });
    provider.shutdown().expect("all is delivered");
    telemetry.shutdown(PATIENCE).expect("all is delivered");
    assert_eq!(received::names(&collector), ["childs", "parents"]);
}
