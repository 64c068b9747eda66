//! What a view selects, and what is exported of it: the same on the page and over OTLP.

use crate::support::SCOPE;
use crate::support::points::{all, find, histograms};
use crate::{CALLS, DURATION, viewed, work};
use obs_core::encode::{BODY_LIMIT, ResourceBytes, encode_metrics};
use obs_core::{Instrument, View};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric;
use prost::Message;
use std::collections::BTreeMap;

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
