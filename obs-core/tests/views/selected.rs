//! What a view selects, and what is exported of it: the same on the page and over OTLP.

use crate::support::points::{all, find, histograms};
use crate::support::{Rig, SCOPE, STEP, rig_with};
use crate::{CALLS, DURATION, viewed, work};
use obs_core::courier::{Capture, Signal};
use obs_core::metrics::Temporality;
use obs_core::{Instrument, View};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, metric};
use prost::Message;
use std::time::Duration;

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
fn an_instrument_that_is_dropped_takes_no_room() {
    let rig = rig_with(false, |builder| {
        builder
            .with_max_series(1)
            .with_view(View::of("test.calls").dropped())
    });
    let calls = rig.telemetry.counter(&CALLS);
    for peer in ["a", "b", "c"] {
        calls.bind(&[peer, "z"]).add(1);
    }
    let page = rig.telemetry.prometheus();
    assert!(!page.contains("label_overflow"), "{page}");
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

/// Name, attributes, count and whether it is a delta, of what the last flush exported of our metrics.
fn exported(rig: &Rig, capture: &Capture) -> Vec<(String, Vec<String>, u64, bool)> {
    let patience = Duration::from_secs(5);
    rig.telemetry.flush(patience).expect("delivered");
    let batches = capture.take().into_iter();
    let batches = batches.filter(|batch| batch.signal == Signal::Metrics);
    let scopes = batches.flat_map(|batch| {
        let request = ExportMetricsServiceRequest::decode(&batch.body[..]).expect("OTLP");
        let resources = request.resource_metrics.into_iter();
        resources.flat_map(|resource| resource.scope_metrics)
    });
    let mut found = Vec::new();
    let own = |metric: &Metric| !metric.name.starts_with("otel.sdk.");
    for metric in scopes.flat_map(|scope| scope.metrics).filter(own) {
        if let Some(metric::Data::Histogram(data)) = metric.data {
            let delta = data.aggregation_temporality() == AggregationTemporality::Delta;
            for point in data.data_points {
                let keys = point.attributes.into_iter().map(|pair| pair.key);
                found.push((metric.name.clone(), keys.collect(), point.count, delta));
            }
        }
    }
    found
}

#[test]
fn what_is_exported_and_what_is_on_the_page_is_the_same_metric_each_in_its_temporality() {
    let capture = Capture::new();
    let rig = rig_with(false, |builder| {
        let view = View::of(DURATION).with_name("our.duration");
        builder
            .with_transport(capture.clone())
            .with_temporality(Temporality::Delta)
            .with_view(view.with_attributes([STEP.as_str()]))
    });
    let ours = |count| {
        let keys = vec![STEP.as_str().to_owned()];
        vec![("our.duration".to_owned(), keys, count, true)]
    };
    work(&rig, "a", 200, 7);
    work(&rig, "a", 404, 8);
    assert_eq!(exported(&rig, &capture), ours(2));
    for code in [200, 404, 500] {
        work(&rig, "a", code, 9);
    }
    assert_eq!(exported(&rig, &capture), ours(3));
    let page = rig.telemetry.prometheus();
    let count = |line: &&str| line.starts_with("our_duration_seconds_count");
    let counts: Vec<_> = page.lines().filter(count).collect();
    let [count] = counts[..] else {
        panic!("one point: {page}")
    };
    assert!(
        count.contains("test_step=\"a\"") && count.ends_with(" 5"),
        "{count}"
    );
    assert!(!count.contains("test_status"), "{count}");
}
