//! Names and labels without end: shared series, exact totals, everything counted.

use crate::recording;
use crate::support::points::{all, find, number, numbers};
use crate::support::{Rig, rig, rig_with};
use metrics::{counter, gauge, histogram};

fn total(rig: &Rig, name: &str) -> f64 {
    let points = numbers(&all(&rig.telemetry), name);
    points.iter().map(|point| point.value.as_f64()).sum()
}

/// What the telemetry itself says that it dropped for this reason.
fn dropped(rig: &Rig, reason: &str) -> f64 {
    let metrics = all(&rig.telemetry);
    let points = numbers(&metrics, "obs.telemetry.dropped");
    let of = points.iter().filter(|point| {
        let mut texts = point.attributes.iter().map(|(_, value)| value.to_text());
        texts.any(|text| text == reason)
    });
    of.map(|point| point.value.as_f64()).sum()
}

#[test]
fn a_flood_of_a_million_label_values_stays_in_its_cap_with_exact_totals() {
    const FLOOD: u64 = 1_000_000;
    let rig = rig_with(false, |builder| builder.with_max_series(100));
    recording(&rig, || {
        counter!("orders_total", "shop" => "north").increment(1);
        for user in 0..FLOOD {
            counter!("orders_total", "user" => user.to_string()).increment(3);
        }
        counter!("orders_total", "shop" => "north").increment(1);
        counter!("visits_total", "shop" => "north").increment(5);
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, "orders_total").len(), 100 + 1);
    assert_eq!(total(&rig, "orders_total"), (2 + 3 * FLOOD) as f64);
    assert_eq!(number(&metrics, "orders_total", &[("shop", "north")]), 2.0);
    let overflow = number(
        &metrics,
        "orders_total",
        &[("otel.metric.overflow", "true")],
    );
    assert_eq!(overflow, (3 * (FLOOD - 99)) as f64);
    assert_eq!(total(&rig, "visits_total"), 5.0, "a flood is one metric's");
    assert_eq!(dropped(&rig, "label_overflow"), (FLOOD - 99) as f64);
}

#[test]
fn beyond_the_cap_a_gauge_is_what_was_set_last_and_a_total_the_greatest() {
    let rig = rig_with(false, |builder| builder.with_max_series(1));
    recording(&rig, || {
        for (shard, value) in [("a", 9), ("b", 5), ("c", 7), ("d", 6)] {
            gauge!("depth", "shard" => shard).set(value);
            counter!("read_total", "shard" => shard).absolute(value as u64);
        }
    });
    let metrics = all(&rig.telemetry);
    let overflow = |name| number(&metrics, name, &[("otel.metric.overflow", "true")]);
    assert_eq!((overflow("depth"), overflow("read_total")), (6.0, 7.0));
    assert_eq!(number(&metrics, "depth", &[("shard", "a")]), 9.0);
    assert_eq!(number(&metrics, "read_total", &[("shard", "a")]), 9.0);
}

#[test]
fn a_flood_from_many_threads_loses_nothing() {
    let rig = rig_with(false, |builder| builder.with_max_series(50));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let rig = &rig;
            scope.spawn(move || {
                recording(rig, || {
                    for user in 0..5_000 {
                        let user = (user * 7 + thread) % 9_000;
                        counter!("orders_total", "user" => user.to_string()).increment(1);
                        histogram!("took", "user" => user.to_string()).record(1.0);
                        gauge!("depth", "user" => user.to_string()).increment(1.0);
                    }
                });
            });
        }
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, "orders_total").len(), 51);
    assert_eq!(total(&rig, "orders_total"), 20_000.0);
    assert_eq!(total(&rig, "depth"), 20_000.0);
    let took = crate::support::points::histograms(&metrics, "took");
    let counts: u64 = took.iter().map(|point| point.count).sum();
    assert_eq!((took.len(), counts), (51, 20_000));
}

#[test]
fn many_metrics_that_fill_the_telemetrys_room_have_exact_totals() {
    let rig = rig(false);
    let names: Vec<String> = (0..12).map(|index| format!("metric{index}")).collect();
    recording(&rig, || {
        for name in &names {
            for value in 0..1_900 {
                counter!(name.clone(), "value" => value.to_string()).increment(1);
            }
        }
    });
    for name in &names {
        assert_eq!(total(&rig, name), 1_900.0, "{name}");
    }
    let metrics = all(&rig.telemetry);
    let series: usize = names.iter().map(|name| numbers(&metrics, name).len()).sum();
    assert!(series <= 16_384 + names.len(), "{series}");
}

#[test]
fn long_texts_share_a_series_and_cost_no_memory() {
    let rig = rig(false);
    recording(&rig, || {
        for index in 0..100 {
            let long = "x".repeat(10_000) + &index.to_string();
            counter!("orders_total", "user" => long.clone()).increment(1);
            counter!("visits_total", long => "v").increment(1);
        }
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(
        number(&metrics, "orders_total", &[("user", "_OTHER")]),
        100.0
    );
    assert_eq!(numbers(&metrics, "orders_total").len(), 1);
    let visits = numbers(&metrics, "visits_total");
    assert_eq!((visits.len(), visits[0].attributes.len()), (1, 0));
    assert_eq!(dropped(&rig, "label_overflow"), 200.0);
}

#[test]
fn text_of_labels_has_a_budget_over_all_metrics() {
    let rig = rig_with(false, |builder| builder.with_max_series(10_000));
    const EACH: usize = 3_000;
    recording(&rig, || {
        for index in 0..EACH {
            let labels: Vec<_> = (0..16)
                .map(|label| (format!("key{label}"), format!("{index:0>500}")))
                .collect();
            counter!("orders_total", &labels).increment(1);
        }
        counter!("visits_total", "page" => "a").increment(1);
    });
    let metrics = all(&rig.telemetry);
    let series = numbers(&metrics, "orders_total").len();
    // 16 MiB of 16 labels of at least 500 bytes.
    assert!(series < (16 << 20) / (16 * 500) + 1, "{series}");
    assert!(series > 1_000, "{series}");
    assert_eq!(total(&rig, "orders_total"), EACH as f64);
    assert_eq!(
        dropped(&rig, "label_overflow"),
        (EACH - (series - 1)) as f64
    );
}

#[test]
fn names_have_a_cap_and_those_beyond_it_are_refused_and_counted() {
    const MOST: u64 = 2_000;
    let rig = rig(false);
    recording(&rig, || {
        for index in 0..MOST + 500 {
            counter!(format!("name{index}")).increment(1);
        }
        counter!("name0").increment(1);
    });
    let metrics = all(&rig.telemetry);
    let ours = metrics
        .iter()
        .filter(|metric| metric.scope.name == "metrics");
    assert_eq!(ours.count() as u64, MOST);
    assert_eq!(number(&metrics, "name0", &[]), 2.0);
    assert!(find(&metrics, &format!("name{MOST}")).is_none());
    assert_eq!(rig.telemetry.counts().metrics_refused, 500);
    assert_eq!(dropped(&rig, "metric_refused"), 500.0);
    let warnings = rig.telemetry.warnings();
    assert!(
        matches!(&warnings[..], [one] if one.contains("more than 2000 metrics")),
        "{warnings:?}"
    );
}

#[test]
fn nobody_can_say_of_a_series_that_it_is_the_overflows() {
    let rig = rig_with(false, |builder| builder.with_max_series(2));
    recording(&rig, || {
        counter!("a_total", "otel.metric.overflow" => "true").increment(1);
        counter!("a_total", "otel_metric_overflow" => "true", "b" => "c").increment(2);
        for user in 0..10 {
            counter!("a_total", "user" => user.to_string()).increment(3);
        }
    });
    let metrics = all(&rig.telemetry);
    let overflow = number(&metrics, "a_total", &[("otel.metric.overflow", "true")]);
    assert_eq!(overflow, 30.0);
    assert_eq!(number(&metrics, "a_total", &[("b", "c")]), 2.0);
    let page = rig.telemetry.prometheus();
    assert!(!page.contains("not shown"), "{page}");
}
