//! The page against a strict parser, and against the points it was made from.

use crate::exposition::{Family, parse};
use crate::metrics::instrument;
use crate::support::*;
use obs_core::encode::{PrometheusPage, Why};
use obs_core::metrics::{Data, Metric, Temporality};
use obs_core::otel::KeyValue;
use obs_core::{ErrorType, Instrument, LabelId, Labels, Outcome, Parent, Telemetry};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn page_of(attributes: &[KeyValue]) -> PrometheusPage {
    PrometheusPage::new(attributes.iter().map(|pair| (&pair.key, &pair.value)))
}

#[track_caller]
fn rendered(page: &PrometheusPage, metrics: &[Metric]) -> BTreeMap<String, Family> {
    let mut text = String::new();
    let skipped = page.render(metrics, &mut text);
    assert_eq!(skipped, []);
    parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn cumulative(telemetry: Telemetry) -> Vec<Metric> {
    telemetry.reader(Temporality::Cumulative).collect()
}

#[test]
fn every_point_is_on_the_page_with_its_value() {
    let build = |builder: obs_core::Builder| builder.with_measures(true);
    let bench = Bench::new(build, |_| ());
    let kind = bench.telemetry.kind(&SERVER);
    for (method, millis) in [(0, 3), (0, 700), (2, 20_000)] {
        let mut operation = kind.start(Labels::NONE.with(0, LabelId::closed(method)), Parent::Root);
        let mut active = operation.active().unwrap();
        active.set_label_text(1, "/a\\b\"c\nd");
        active.set_measure(0, 100_000_000);
        bench.advance(millis * 1_000_000);
        operation.end(Outcome::ANSWERED);
    }
    kind.start(Labels::NONE, Parent::Root)
        .end(Outcome::failed(ErrorType::code(503)));
    bench
        .telemetry
        .counter(&instrument("test.calls", "{call}"))
        .bind(&["a", ""])
        .add(7);
    bench
        .telemetry
        .gauge(&instrument("test.load", "1"))
        .bind(&["", ""])
        .set(0.25);

    let families = rendered(&page_of(&[]), &cumulative(bench.telemetry));
    let route = ("test_route", "/a\\b\"c\nd");
    let duration = &families["test_server_duration_seconds"];
    assert_eq!(
        (&*duration.kind, duration.help.as_deref()),
        ("histogram", Some("How long it took."))
    );
    let get = [("test_method", "GET"), route];
    let bucket = |le| {
        duration.value(
            "test_server_duration_seconds_bucket",
            &[get[0], get[1], ("le", le)],
        )
    };
    assert_eq!(
        (
            bucket("0.005"),
            bucket("0.5"),
            bucket("0.75"),
            bucket("+Inf")
        ),
        (Some(1.0), Some(1.0), Some(2.0), Some(2.0))
    );
    let sum = duration
        .value("test_server_duration_seconds_sum", &get)
        .unwrap();
    assert!((sum - 0.703).abs() < 1e-9);
    let error = [("error_type", "503")];
    assert_eq!(
        duration.value("test_server_duration_seconds_count", &error),
        Some(1.0)
    );
    let size = &families["test_server_request_size_bytes"];
    assert_eq!(
        size.value(
            "test_server_request_size_bytes_bucket",
            &[get[0], get[1], ("le", "67108864")]
        ),
        Some(0.0)
    );
    let answers = families.get("test_server_response_size_bytes");
    assert!(answers.is_none(), "nothing was measured");
    let active = &families["test_server_active"];
    assert_eq!(&*active.kind, "gauge");
    assert_eq!(
        active.value("test_server_active", &[("test_method", "GET")]),
        Some(0.0)
    );
    assert_eq!(
        families["test_calls_total"].value("test_calls_total", &[("peer", "a")]),
        Some(7.0)
    );
    assert_eq!(
        families["test_load_ratio"].value("test_load_ratio", &[]),
        Some(0.25)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Whatever texts and numbers: the page can be read, and says what the points say.
    #[test]
    fn any_text_and_number_survives(
        peers in proptest::collection::btree_set("\\PC{0,12}|[\\\\\"\n]{1,4}", 1..6),
        value in any::<f64>(),
        sizes in proptest::collection::vec(-1e30..1e30_f64, 1..8),
    ) {
        let telemetry = Telemetry::builder().manual().build().expect("valid settings");
        let gauge = telemetry.gauge(&instrument("test.level", "{thing}"));
        let histogram = telemetry.histogram(&instrument("test.size", "By"), &[-1e22, 0.1, 1e21]);
        for peer in &peers {
            gauge.bind(&[peer, ""]).set(value);
            let histogram = histogram.bind(&[peer, ""]);
            sizes.iter().for_each(|size| histogram.record(*size));
        }
        let metrics = cumulative(telemetry);
        let families = rendered(&page_of(&resource_attributes()), &metrics);
        prop_assert_eq!(families["target_info"].value("target_info", &[("service_name", "tests"), ("process_pid", "7")]), Some(1.0));
        for peer in &peers {
            let labels: &[(&str, &str)] = if peer.is_empty() { &[] } else { &[("peer", peer)] };
            let found = families["test_level"].value("test_level", labels);
            prop_assert_eq!(found.map(f64::to_bits), Some(value.to_bits()).filter(|_| !value.is_nan()).or(Some(f64::NAN.to_bits())));
        }
        for metric in &metrics {
            if let Data::Histogram { points, .. } = &metric.data {
                for point in points {
                    let labels: Vec<_> = point.attributes.iter().map(|(key, value)| (key.as_ref(), value.to_text())).collect();
                    let labels: Vec<_> = labels.iter().map(|(key, value)| (*key, value.as_ref())).collect();
                    let family = &families["test_size_bytes"];
                    prop_assert_eq!(family.value("test_size_bytes_sum", &labels), Some(point.sum));
                    prop_assert_eq!(family.value("test_size_bytes_count", &labels), Some(point.count as f64));
                    let bounds = family.samples.iter().filter(|(name, ..)| name.ends_with("_bucket"));
                    prop_assert_eq!(bounds.count(), 4 * peers.len());
                }
            }
        }
    }
}

/// Registers counters or gauges, a point each, and renders.
#[track_caller]
fn check_names(make: impl FnOnce(Telemetry), expect: &[(&str, &str, Why)], families: &[&str]) {
    let telemetry = Telemetry::builder()
        .manual()
        .build()
        .expect("valid settings");
    make(telemetry);
    let mut text = String::new();
    let page = page_of(&resource_attributes());
    let skipped = page.render(&cumulative(telemetry), &mut text);
    let skipped: Vec<_> = skipped
        .iter()
        .map(|skip| (&*skip.metric, &*skip.name, skip.why))
        .collect();
    assert_eq!(skipped, expect);
    let parsed = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(
        parsed.keys().map(String::as_str).collect::<Vec<_>>(),
        families
    );
}

#[test]
fn a_name_that_another_type_has_is_left_out_and_reported() {
    let one = |telemetry: Telemetry| {
        telemetry
            .gauge(&instrument("test.a", ""))
            .bind(&["", ""])
            .set(1.0);
        telemetry
            .histogram(&instrument("test_a", ""), &[1.0])
            .bind(&["", ""])
            .record(1.0);
    };
    check_names(
        one,
        &[("test_a", "test_a", Why::NameTaken)],
        &["target_info", "test_a"],
    );
    let of_a_histogram = |telemetry: Telemetry| {
        telemetry
            .histogram(&instrument("test.a", ""), &[1.0])
            .bind(&["", ""])
            .record(1.0);
        telemetry
            .gauge(&instrument("test.a.count", ""))
            .bind(&["", ""])
            .set(1.0);
    };
    check_names(
        of_a_histogram,
        &[("test.a.count", "test_a_count", Why::NameTaken)],
        &["target_info", "test_a"],
    );
    let before_a_histogram = |telemetry: Telemetry| {
        telemetry
            .gauge(&instrument("test.a.sum", ""))
            .bind(&["", ""])
            .set(1.0);
        telemetry
            .histogram(&instrument("test.a", ""), &[1.0])
            .bind(&["", ""])
            .record(1.0);
    };
    check_names(
        before_a_histogram,
        &[("test.a", "test_a", Why::NameTaken)],
        &["target_info", "test_a_sum"],
    );
    let ours = |telemetry: Telemetry| {
        telemetry
            .gauge(&instrument("target.info", ""))
            .bind(&["", ""])
            .set(1.0)
    };
    check_names(
        ours,
        &[("target.info", "target_info", Why::NameTaken)],
        &["target_info"],
    );
    let nothing = |telemetry: Telemetry| {
        telemetry
            .gauge(&instrument("…", ""))
            .bind(&["", ""])
            .set(1.0)
    };
    check_names(nothing, &[("…", "", Why::Unnamable)], &["target_info"]);
}

#[test]
fn metrics_of_one_name_and_type_are_one_metric_and_no_series_comes_twice() {
    let make = |telemetry: Telemetry| {
        telemetry
            .gauge(&instrument("test.a", ""))
            .bind(&["x", ""])
            .set(1.0);
        let other = telemetry.gauge(&instrument("test_a", ""));
        other.bind(&["x", ""]).set(2.0);
        other.bind(&["y", ""]).set(3.0);
    };
    check_names(
        make,
        &[("test_a", "test_a", Why::SeriesTaken)],
        &["target_info", "test_a"],
    );
}

#[test]
fn deltas_are_not_for_prometheus() {
    let telemetry = Telemetry::builder()
        .manual()
        .build()
        .expect("valid settings");
    telemetry
        .counter(&instrument("test.calls", ""))
        .bind(&["", ""])
        .add(1);
    let metrics = telemetry.reader(Temporality::Delta).collect();
    let mut text = String::new();
    let skipped = page_of(&[]).render(&metrics, &mut text);
    assert_eq!(text, "");
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].why, skipped[0].points), (Why::Delta, 1));
}

#[test]
fn labels_that_become_one_are_joined_and_those_of_the_format_get_a_prefix() {
    use obs_core::{Key, Label, Values};
    static ODD: Instrument = Instrument {
        name: "test.odd",
        unit: "",
        description: "",
        labels: &[
            Label {
                key: Key::new(&"a.b"),
                values: Values::Open { cap: 9 },
            },
            Label {
                key: Key::new(&"le"),
                values: Values::Open { cap: 9 },
            },
            Label {
                key: Key::new(&"a_b"),
                values: Values::Open { cap: 9 },
            },
            Label {
                key: Key::new(&"otel.scope.name"),
                values: Values::Open { cap: 9 },
            },
        ],
        scope: &SCOPE,
    };
    let telemetry = Telemetry::builder()
        .manual()
        .build()
        .expect("valid settings");
    telemetry
        .histogram(&ODD, &[1.0])
        .bind(&["1", "2", "3", "4"])
        .record(0.5);
    let page = page_of(&[]).with_scope_labels(true);
    let families = rendered(&page, &cumulative(telemetry));
    let labels = [
        ("a_b", "1;3"),
        ("exported_le", "2"),
        ("exported_otel_scope_name", "4"),
        ("otel_scope_name", SCOPE.name),
        ("otel_scope_version", SCOPE.version),
    ];
    assert_eq!(
        families["test_odd"].value("test_odd_count", &labels),
        Some(1.0)
    );
}
