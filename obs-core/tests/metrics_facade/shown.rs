//! Where it comes out: the page in both formats, OTLP in both temporalities, under views.

use crate::support::points::{all, find, histogram, number, numbers};
use crate::support::{Rig, rig, rig_with};
use crate::{page, recording};
use metrics::{Unit, counter, gauge, histogram as histogram_macro};
use obs_core::courier::{Capture, Signal};
use obs_core::encode::PageFormat;
use obs_core::metrics::Temporality;
use obs_core::{Builder, ExponentialHistogram, View};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use prost::Message;
use std::time::Duration;

/// The name on the page of a counter, gauge or histogram that is described with this unit.
#[track_caller]
fn check_name(kind: &str, name: &'static str, unit: Option<Unit>, ucum: &str, expect: &str) {
    let rig = rig(false);
    recording(&rig, || {
        let said = "What it is.";
        match (kind, unit) {
            ("counter", Some(unit)) => metrics::describe_counter!(name, unit, said),
            ("gauge", Some(unit)) => metrics::describe_gauge!(name, unit, said),
            (_, Some(unit)) => metrics::describe_histogram!(name, unit, said),
            ("counter", None) => metrics::describe_counter!(name, said),
            ("gauge", None) => metrics::describe_gauge!(name, said),
            _ => metrics::describe_histogram!(name, said),
        }
        match kind {
            "counter" => counter!(name).increment(1),
            "gauge" => gauge!(name).set(1.0),
            _ => histogram_macro!(name).record(1.0),
        }
    });
    let page = page(&rig);
    let family = page
        .get(expect)
        .unwrap_or_else(|| panic!("{expect}: {page:?}"));
    assert_eq!(family.kind, kind);
    assert_eq!(family.help.as_deref(), Some("What it is."));
    let metrics = all(&rig.telemetry);
    let metric = find(&metrics, name).expect("under its own name");
    assert_eq!((&*metric.unit, &*metric.description), (ucum, "What it is."));
    assert!(rig.telemetry.warnings().is_empty());
}

#[test]
fn a_counter_ends_in_total_once() {
    check_name(
        "counter",
        "http_requests_total",
        None,
        "",
        "http_requests_total",
    );
    check_name("counter", "visits", None, "", "visits_total");
    check_name("counter", "shop.visits", None, "", "shop_visits_total");
    let bytes = Some(Unit::Bytes);
    check_name(
        "counter",
        "sent_bytes_total",
        bytes,
        "By",
        "sent_bytes_total",
    );
    check_name("counter", "sent_total", bytes, "By", "sent_bytes_total");
}

#[test]
fn units_are_ucum_over_otlp_and_words_on_the_page() {
    let check = |unit, ucum, expect| check_name("gauge", "x", Some(unit), ucum, expect);
    check(Unit::Count, "{count}", "x");
    check(Unit::Percent, "%", "x_percent");
    check(Unit::Seconds, "s", "x_seconds");
    check(Unit::Milliseconds, "ms", "x_milliseconds");
    check(Unit::Microseconds, "us", "x_microseconds");
    check(Unit::Nanoseconds, "ns", "x_nanoseconds");
    // As the Collector spells it.
    check(Unit::Tebibytes, "TiBy", "x_tibibytes");
    check(Unit::Gibibytes, "GiBy", "x_gibibytes");
    check(Unit::Mebibytes, "MiBy", "x_mebibytes");
    check(Unit::Kibibytes, "KiBy", "x_kibibytes");
    check(Unit::Bytes, "By", "x_bytes");
    check(Unit::TerabitsPerSecond, "Tbit/s", "x_Tbit_per_second");
    check(Unit::GigabitsPerSecond, "Gbit/s", "x_Gbit_per_second");
    check(Unit::MegabitsPerSecond, "Mbit/s", "x_Mbit_per_second");
    check(Unit::KilobitsPerSecond, "kbit/s", "x_kbit_per_second");
    check(Unit::BitsPerSecond, "bit/s", "x_bit_per_second");
    check(Unit::CountPerSecond, "{count}/s", "x_per_second");
    let seconds = Some(Unit::Seconds);
    check_name("histogram", "took", seconds, "s", "took_seconds");
    check_name("histogram", "took_seconds", seconds, "s", "took_seconds");
}

#[test]
fn the_first_description_counts_and_may_come_late_or_with_the_macro() {
    let rig = rig(false);
    recording(&rig, || {
        gauge!("depth").set(1.0);
        metrics::describe_gauge!("depth", Unit::Bytes, "What waits.");
        metrics::describe_gauge!("depth", Unit::Seconds, "Something else.");
        for _ in 0..2 {
            counter!(description: "Orders so far.", unit: Unit::Count, "orders_total", "shop" => "a")
                .increment(1);
        }
        metrics::describe_counter!("long_total", "é".repeat(2_000));
        counter!("long_total").increment(1);
    });
    let page = page(&rig);
    let help = |name: &str| page[name].help.clone().expect("described");
    assert_eq!(help("depth_bytes"), "What waits.");
    assert_eq!(help("orders_total"), "Orders so far.");
    assert!(help("long_total").starts_with(&"é".repeat(512)) && help("long_total").len() < 1_100);
}

#[test]
fn openmetrics_has_no_family_twice_where_a_counter_and_a_gauge_differ_by_total() {
    let rig = rig(false);
    recording(&rig, || {
        counter!("visits_total").increment(1);
        gauge!("visits").set(2.0);
        counter!("target_total").increment(3);
    });
    let page = rig.telemetry.prometheus_page(PageFormat::OpenMetrics);
    let mut types: Vec<_> = { page.lines() }
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    types.sort_unstable();
    let all = types.len();
    types.dedup();
    assert_eq!(types.len(), all, "{page}");
    for line in [
        "# TYPE visits_total unknown",
        "visits_total 1",
        "# TYPE visits gauge",
        "visits 2",
        "target_total 3",
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line}: {page}");
    }
    assert!(
        rig.telemetry
            .prometheus()
            .contains("# TYPE visits_total counter\n")
    );
}

#[test]
fn names_that_openmetrics_has_for_itself_are_left_free_there_and_shown_in_text() {
    let rig = rig(false);
    recording(&rig, || {
        gauge!("orders_created").set(7.0);
        counter!("orders_total").increment(3);
        histogram_macro!("took_seconds").record(0.3);
        gauge!("took_seconds_created").set(8.0);
        gauge!("target").set(9.0);
        // Of nothing that is there.
        gauge!("tickets_created").set(10.0);
    });
    let open = rig.telemetry.prometheus_page(PageFormat::OpenMetrics);
    let has = |page: &str, line: &str| page.lines().any(|shown| shown == line);
    assert_eq!(open.matches("# TYPE target ").count(), 1, "{open}");
    for line in ["orders_created 7", "took_seconds_created 8", "target 9"] {
        assert!(!has(&open, line), "{line} in\n{open}");
        assert!(has(&rig.telemetry.prometheus(), line), "{line}");
    }
    for line in [
        "orders_total 3",
        "took_seconds_count 1",
        "tickets_created 10",
    ] {
        assert!(has(&open, line), "{line} in\n{open}");
    }
}

#[test]
fn openmetrics_has_them_too() {
    let rig = rig(false);
    recording(&rig, || {
        counter!("orders_total", "shop" => "north").increment(3);
        histogram_macro!("took_seconds").record(0.3);
    });
    let page = rig.telemetry.prometheus_page(PageFormat::OpenMetrics);
    for line in [
        "# TYPE orders counter",
        "orders_total{shop=\"north\"} 3",
        "# TYPE took_seconds histogram",
        "took_seconds_bucket{le=\"0.5\"} 1",
    ] {
        assert!(page.lines().any(|known| known == line), "{line} in\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
}

/// What the last flush sent of the scope `metrics`.
fn sent(rig: &Rig, capture: &Capture) -> Vec<Metric> {
    let patience = Duration::from_secs(5);
    rig.telemetry.flush(patience).expect("delivered");
    let batches = capture.take().into_iter();
    let batches = batches.filter(|batch| batch.signal == Signal::Metrics);
    let scopes = batches.flat_map(|batch| {
        let request = ExportMetricsServiceRequest::decode(&batch.body[..]).expect("OTLP");
        let resources = request.resource_metrics.into_iter();
        resources.flat_map(|resource| resource.scope_metrics)
    });
    let ours = scopes.filter(|scope| scope.scope.as_ref().is_some_and(|it| it.name == "metrics"));
    ours.flat_map(|scope| scope.metrics).collect()
}

/// Sums and counts of each metric, by name.
fn values(metrics: &[Metric]) -> Vec<(&str, f64, i32)> {
    let number = |value: &Option<number_data_point::Value>| match value {
        Some(number_data_point::Value::AsInt(value)) => *value as f64,
        Some(number_data_point::Value::AsDouble(value)) => *value,
        None => f64::NAN,
    };
    let value = |metric: &Metric| match metric.data.as_ref().expect("data") {
        metric::Data::Sum(sum) => (
            number(&sum.data_points[0].value),
            sum.aggregation_temporality,
        ),
        metric::Data::Gauge(gauge) => (number(&gauge.data_points[0].value), 0),
        metric::Data::Histogram(all) => {
            (all.data_points[0].count as f64, all.aggregation_temporality)
        }
        other => panic!("none of ours: {other:?}"),
    };
    let mut values: Vec<_> = { metrics.iter() }
        .map(|metric| {
            let (value, temporality) = value(metric);
            (&*metric.name, value, temporality)
        })
        .collect();
    values.sort_by(|a, b| a.0.cmp(b.0));
    values
}

#[test]
fn they_leave_over_otlp_in_the_temporality_that_is_asked_for() {
    // `AggregationTemporality` of the protocol: 1 is delta, 2 cumulative.
    for (temporality, code) in [(Temporality::Delta, 1), (Temporality::Cumulative, 2)] {
        let capture = Capture::new();
        let rig = rig_with(false, |builder| {
            let builder = builder.with_transport(capture.clone());
            builder.with_temporality(temporality)
        });
        for round in 1..=2_u64 {
            recording(&rig, || {
                counter!("orders_total").increment(5);
                gauge!("depth").set(round as f64);
                histogram_macro!("took_seconds").record_many(0.1, 4);
            });
            rig.advance_ms(1_000);
            let times = if code == 1 { 1.0 } else { round as f64 };
            let sent = sent(&rig, &capture);
            assert_eq!(
                values(&sent),
                [
                    ("depth", round as f64, 0),
                    ("orders_total", 5.0 * times, code),
                    ("took_seconds", 4.0 * times, code),
                ]
            );
        }
    }
}

fn viewed(views: impl IntoIterator<Item = View>) -> Rig {
    rig_with(false, |builder| {
        views.into_iter().fold(builder, Builder::with_view)
    })
}

#[test]
fn views_rename_drop_and_merge_them() {
    let rig = viewed([
        View::of("orders_total")
            .with_name("shop.orders")
            .with_attributes(["shop"]),
        View::of("noise_*").with_scope("metrics").dropped(),
    ]);
    recording(&rig, || {
        for user in 0..10 {
            counter!("orders_total", "shop" => "north", "user" => user.to_string()).increment(1);
        }
        counter!("noise_total").increment(1);
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, "shop.orders").len(), 1);
    assert_eq!(number(&metrics, "shop.orders", &[("shop", "north")]), 10.0);
    assert!(find(&metrics, "noise_total").is_none());
    assert!(page(&rig).contains_key("shop_orders_total"));
    assert_eq!(
        rig.telemetry.counts().metrics_refused,
        0,
        "nobody wants to see it"
    );
    assert!(rig.telemetry.warnings().is_empty());
}

#[test]
fn boundaries_are_changed_by_a_view_and_added_by_the_builder() {
    let rig = rig_with(false, |builder| {
        builder
            .with_view(View::of("items").with_boundaries([1.0, 2.0]))
            .with_boundary("took_seconds", 0.3)
    });
    recording(&rig, || {
        for value in [0.5, 1.5, 2.5, 3.5] {
            histogram_macro!("items").record(value);
        }
        histogram_macro!("took_seconds").record(0.3);
    });
    let metrics = all(&rig.telemetry);
    let items = histogram(&metrics, "items", &[]);
    assert_eq!(
        (items.bounds, items.buckets),
        (vec![1.0, 2.0], vec![1, 1, 2])
    );
    assert!(
        histogram(&metrics, "took_seconds", &[])
            .bounds
            .contains(&0.3)
    );
}

#[test]
fn a_view_without_attributes_has_the_total_of_all_series_and_of_their_overflow() {
    let rig = viewed([View::of("orders_total").without_attributes()]);
    recording(&rig, || {
        for user in 0..10_000 {
            counter!("orders_total", "user" => user.to_string()).increment(1);
        }
    });
    assert_eq!(number(&all(&rig.telemetry), "orders_total", &[]), 10_000.0);
}

#[test]
fn a_histogram_is_exponential_too_where_that_is_asked_for() {
    let rig = rig_with(false, |builder| {
        builder.with_histograms(ExponentialHistogram::default())
    });
    recording(&rig, || {
        let took = histogram_macro!("took_seconds", "step" => "one");
        took.record(0.75);
        took.record_many(3.0, 5);
        took.record(0.0);
    });
    let point = histogram(&all(&rig.telemetry), "took_seconds", &[("step", "one")]);
    let exponential = point.exponential.expect("asked for");
    let counts = |buckets: &[u64]| buckets.iter().sum::<u64>();
    assert_eq!((point.count, exponential.zero_count), (7, 1));
    assert_eq!(counts(&exponential.positive.counts), 6);
    assert_eq!(exponential.positive.counts.iter().max(), Some(&5));
    assert!(exponential.negative.counts.is_empty());
}

#[test]
fn openmetrics_has_no_sum_of_a_histogram_whose_sum_falls() {
    let rig = rig(false);
    recording(&rig, || {
        histogram_macro!("falls").record(-5.0);
        histogram_macro!("rises").record(5.0);
    });
    let open = rig.telemetry.prometheus_page(PageFormat::OpenMetrics);
    assert!(open.contains("falls_bucket{le=\"+Inf\"} 1"), "{open}");
    assert!(
        !open.contains("falls_sum") && !open.contains("falls_count"),
        "{open}"
    );
    assert!(open.contains("rises_sum 5"), "{open}");
    let text = rig.telemetry.prometheus();
    assert!(
        text.contains("falls_sum -5") && text.contains("falls_count 1"),
        "{text}"
    );
}
