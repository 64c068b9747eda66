//! Names that another kind has, or something of ours, and names that are none.

use crate::support::points::{all, find, histogram, number, numbers};
use crate::support::{Rig, SCOPE, WORK, builder, rig, rig_with};
use crate::{page, recording};
use metrics::{counter, gauge, histogram as histogram_macro};
use obs_core::metrics::Data;
use obs_core::{Instrument, Labels, Outcome, Parent, Telemetry, View};

/// Refused recordings, conflicts, and the one warning.
#[track_caller]
fn says(telemetry: &Telemetry, refused: u64, conflicts: u64, expect: &str) {
    let warnings = telemetry.warnings();
    let [warning] = &warnings[..] else {
        panic!("one warning expected: {warnings:?}");
    };
    assert!(warning.contains(expect), "{warning}");
    let counts = telemetry.counts();
    assert_eq!(
        (counts.metrics_refused, counts.instrument_conflicts),
        (refused, conflicts)
    );
}

#[test]
fn the_first_kind_under_a_name_has_it() {
    let rig = rig(false);
    recording(&rig, || {
        counter!("orders").increment(2);
        for _ in 0..3 {
            gauge!("orders").set(9.0);
        }
        counter!("orders").increment(1);
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(number(&metrics, "orders", &[]), 3.0);
    let data = find(&metrics, "orders").map(|metric| &metric.data);
    assert!(matches!(data, Some(Data::Sum { .. })));
    says(
        &rig.telemetry,
        3,
        1,
        "`orders` records nothing as a gauge: it is a counter already",
    );
    recording(&rig, || histogram_macro!("orders").record(1.0));
    assert_eq!(rig.telemetry.counts().instrument_conflicts, 2);
    assert_eq!(rig.telemetry.warnings().len(), 2);
}

static OURS: Instrument = Instrument {
    name: "app.orders",
    unit: "{order}",
    description: "Orders.",
    labels: &[],
    scope: &SCOPE,
};

#[test]
fn a_name_that_an_instrument_has_on_the_page_is_refused() {
    for name in ["app_orders_total", "app_orders", "App.Orders"] {
        let rig = rig(false);
        rig.telemetry.counter(&OURS).bind(&[]).add(1);
        recording(&rig, || {
            counter!(name).increment(5);
            counter!(name).increment(5);
        });
        says(
            &rig.telemetry,
            2,
            1,
            "`app_orders_total` is on the metrics page",
        );
        assert_eq!(
            page(&rig)["app_orders_total"].value("app_orders_total", &[]),
            Some(1.0)
        );
    }
}

#[test]
fn a_name_that_a_sample_of_our_histograms_has_is_refused() {
    let rig = rig(false);
    rig.root("a").end(Outcome::ANSWERED);
    recording(&rig, || gauge!("test_work_duration_seconds_count").set(1.0));
    says(
        &rig.telemetry,
        1,
        1,
        "`test_work_duration_seconds_count` is on the metrics page",
    );
    assert!(page(&rig).contains_key("test_work_duration_seconds"));
}

#[test]
fn two_names_that_are_one_on_the_page_are_not_both_recorded() {
    let rig = rig(false);
    recording(&rig, || {
        counter!("visits").increment(1);
        counter!("visits_total").increment(1);
    });
    says(
        &rig.telemetry,
        1,
        1,
        "`visits_total` is on the metrics page",
    );
    assert_eq!(
        page(&rig)["visits_total"].value("visits_total", &[]),
        Some(1.0)
    );
}

fn viewed(view: View) -> Rig {
    rig_with(false, |builder| builder.with_view(view))
}

#[test]
fn a_name_that_a_view_took_away_or_dropped_is_free_for_another() {
    let rig = viewed(View::of("shop.visits").with_name("shop.calls"));
    recording(&rig, || {
        counter!("shop.visits").increment(1);
        counter!("shop_visits_total").increment(2);
    });
    assert!(rig.telemetry.warnings().is_empty());
    let shown = page(&rig);
    for (name, value) in [("shop_calls_total", 1.0), ("shop_visits_total", 2.0)] {
        assert_eq!(shown[name].value(name, &[]), Some(value), "{name}");
    }
    let rig = viewed(View::of("shop.visits").dropped());
    recording(&rig, || {
        counter!("shop.visits").increment(1);
        counter!("shop_visits").increment(2);
    });
    assert!(rig.telemetry.warnings().is_empty());
    let name = "shop_visits_total";
    assert_eq!(page(&rig)[name].value(name, &[]), Some(2.0));
}

#[test]
fn a_name_that_a_view_gave_to_another_is_refused() {
    let rig = viewed(View::of("shop.visits").with_name("shop.calls"));
    recording(&rig, || {
        counter!("shop.visits").increment(1);
        counter!("shop_calls").increment(2);
    });
    says(
        &rig.telemetry,
        1,
        1,
        "`shop_calls` records nothing as a counter: `shop_calls_total`",
    );
}

#[test]
fn an_instrument_that_comes_later_is_exported_beside_and_warned_about() {
    let rig = rig(false);
    recording(&rig, || counter!("app_orders_total").increment(5));
    rig.telemetry.counter(&OURS).bind(&[]).add(1);
    says(
        &rig.telemetry,
        0,
        1,
        "`app.orders` is `app_orders_total` on the metrics page",
    );
    let metrics = all(&rig.telemetry);
    let both = ["app_orders_total", "app.orders"].map(|name| number(&metrics, name, &[]));
    assert_eq!(both, [5.0, 1.0]);
}

#[test]
fn a_kind_that_comes_later_is_warned_about_too() {
    let telemetry = builder().manual().build().expect("usable");
    let recorder = obs_core::metrics_facade::MetricsRecorder::new(&telemetry);
    metrics::with_local_recorder(&recorder, || {
        gauge!("test_work_duration_seconds").set(1.0);
    });
    let kind = telemetry.kind(&WORK);
    kind.start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    says(
        &telemetry,
        0,
        1,
        "`test.work.duration` is `test_work_duration_seconds` on the metrics page",
    );
    let metrics = all(&telemetry);
    assert_eq!(number(&metrics, "test_work_duration_seconds", &[]), 1.0);
    assert_eq!(histogram(&metrics, "test.work.duration", &[]).count, 1);
    let page = telemetry.prometheus();
    assert!(
        page.contains("# not shown: 1 points of \"test_work_duration_seconds\""),
        "{page}"
    );
}

#[track_caller]
fn refuses_name(name: &str) {
    let rig = rig(false);
    recording(&rig, || {
        counter!(name.to_owned()).increment(1);
        gauge!(name.to_owned()).set(1.0);
        histogram_macro!(name.to_owned()).record(1.0);
        metrics::describe_counter!(name.to_owned(), "Nothing.");
    });
    says(&rig.telemetry, 3, 0, "empty or longer than 255 bytes");
    let mut ours = all(&rig.telemetry).into_iter();
    assert!(ours.all(|metric| metric.scope.name != "metrics"));
}

#[test]
fn names_that_are_none_record_nothing() {
    refuses_name("");
    refuses_name(&"n".repeat(256));
    refuses_name(&"\u{1F600}".repeat(100));
}

/// Exported as it is, and told about once.
#[track_caller]
fn takes_name(name: &'static str) -> Rig {
    let rig = rig(false);
    recording(&rig, || (0..2).for_each(|_| counter!(name).increment(1)));
    assert_eq!(number(&all(&rig.telemetry), name, &[]), 2.0);
    says(&rig.telemetry, 0, 0, "not the name of an instrument");
    page(&rig);
    rig
}

#[test]
fn names_that_opentelemetry_does_not_allow_are_exported_as_they_are() {
    takes_name("app:orders:rate");
    takes_name("_hidden");
    takes_name("9lives");
    takes_name("größe");
    takes_name("two words\nand a line");
    let rig = takes_name("…");
    assert!(
        rig.telemetry.prometheus().contains("# not shown"),
        "it has no name there"
    );
}

#[test]
fn values_that_are_not_finite_are_not_recorded_and_counted() {
    let rig = rig(false);
    recording(&rig, || {
        for value in [f64::NAN, f64::INFINITY, 1.0, f64::NEG_INFINITY] {
            histogram_macro!("took").record(value);
        }
    });
    let metrics = all(&rig.telemetry);
    let point = histogram(&metrics, "took", &[]);
    assert_eq!((point.count, point.sum), (1, 1.0));
    assert_eq!(rig.telemetry.counts().metrics_refused, 3);
    let dropped = number(
        &metrics,
        "obs.telemetry.dropped",
        &[("obs.drop.reason", "metric_refused")],
    );
    assert_eq!(dropped, 3.0);
    assert_eq!(numbers(&metrics, "took_seconds").len(), 0);
}
