//! The books as they are exported: the same equation, under names of ours and of the conventions.

use super::{Scripted, event};
use crate::support::points::{all, has, histogram, histograms, number, numbers};
use crate::support::{WORK, rig_with};
use obs_core::courier::{Sent, Signal};
use obs_core::metrics::Metric;
use obs_core::{Delivery, Labels, Outcome, Parent, Telemetry};

/// All points of a metric that have these labels.
fn sum(metrics: &[Metric], name: &str, labels: &[(&str, &str)]) -> f64 {
    let points = numbers(metrics, name);
    let of = points.iter().filter(|point| has(&point.attributes, labels));
    of.map(|point| point.value.as_f64()).sum()
}

#[track_caller]
fn check_equation(telemetry: Telemetry) {
    let metrics = all(&telemetry);
    for signal in Signal::ALL {
        let of = [("obs.signal", signal.as_str())];
        let value = |name: &str| sum(&metrics, &format!("obs.telemetry.{name}"), &of);
        assert_eq!(
            value("created"),
            value("delivered") + value("dropped") + value("pending"),
            "{signal}"
        );
        let book = *telemetry.books().of(signal);
        assert_eq!(value("created") as u64, book.created, "{signal}");
        assert_eq!(value("lost") as u64, book.lost.total(), "{signal}");
    }
}

#[test]
fn the_equation_holds_among_what_is_exported() {
    let (stubborn, _) = Scripted::new(|batch, _| match batch {
        1 => Sent::refused("no"),
        2 => super::refuses_one_item(),
        _ => Sent::retry("later"),
    });
    let rig = rig_with(true, |builder| {
        builder.with_delivery(Delivery::through(stubborn).named("stubborn"))
    });
    let kind = rig.telemetry.kind(&WORK);
    check_equation(rig.telemetry);
    for round in 0..3 {
        (0..700).for_each(|_| {
            kind.start(Labels::NONE, Parent::Root)
                .end(Outcome::ANSWERED)
        });
        rig.telemetry.emit(event());
        // In the rings and the queue.
        check_equation(rig.telemetry);
        rig.telemetry
            .flush(std::time::Duration::from_millis(10))
            .expect_err("not all of it");
        check_equation(rig.telemetry);
        assert!(rig.telemetry.books().total().pending > 0 || round == 0);
    }
    rig.telemetry
        .shutdown(std::time::Duration::from_millis(10))
        .expect_err("not all of it");
    check_equation(rig.telemetry);
    super::assert_closed(&rig.telemetry.books());
}

#[test]
fn the_conventions_names_say_the_same_by_component() {
    let (one, _) = Scripted::new(|_, signal| match signal {
        Signal::Traces => super::refuses_one_item(),
        _ => Sent::DELIVERED,
    });
    let (held, _) = Scripted::new(|_, _| Sent::retry("later"));
    let rig = rig_with(true, |builder| {
        builder
            .with_delivery(Delivery::through(one).named("one"))
            .with_delivery(Delivery::through(held).named("held"))
    });
    let kind = rig.telemetry.kind(&WORK);
    (0..700).for_each(|_| {
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED)
    });
    rig.telemetry.emit(event());
    let metrics = all(&rig.telemetry);
    let queued = number(&metrics, "otel.sdk.processor.span.queue.size", &[]);
    let refused = number(
        &metrics,
        "otel.sdk.processor.span.processed",
        &[("error.type", "queue_full")],
    );
    assert_eq!(queued + refused, 700.0);
    assert!(
        refused > 0.0 && number(&metrics, "otel.sdk.processor.span.queue.capacity", &[]) >= queued
    );
    assert_eq!(
        number(&metrics, "otel.sdk.processor.log.queue.size", &[]),
        1.0
    );
    assert_eq!(number(&metrics, "otel.sdk.log.created", &[]), 1.0);

    rig.telemetry
        .flush(std::time::Duration::from_secs(2))
        .expect_err("one of two holds it");
    let metrics = all(&rig.telemetry);
    assert_eq!(
        number(&metrics, "otel.sdk.processor.span.queue.size", &[]),
        0.0
    );
    let exported = |name: &str, error: Option<&str>| {
        let points = numbers(&metrics, "otel.sdk.exporter.span.exported");
        let of = points.iter().filter(|point| {
            let text = |key: &str| {
                let found = point.attributes.iter().find(|(known, _)| known == key);
                found.map(|(_, value)| value.to_text().into_owned())
            };
            text("otel.component.name").as_deref() == Some(name)
                && text("error.type").as_deref() == error
        });
        of.map(|point| point.value.as_f64()).sum::<f64>()
    };
    assert_eq!(exported("obs_core::Courier/one", Some("rejected")), 1.0);
    assert_eq!(exported("obs_core::Courier/one", None), queued - 1.0);
    assert_eq!(exported("obs_core::Courier/held", None), 0.0);
    let held = [("otel.component.name", "obs_core::Courier/held")];
    assert_eq!(
        number(&metrics, "otel.sdk.exporter.span.inflight", &held),
        queued
    );
    assert_eq!(
        number(&metrics, "otel.sdk.exporter.log.inflight", &held),
        1.0
    );
    let points = number(
        &metrics,
        "otel.sdk.exporter.metric_data_point.inflight",
        &held,
    );
    assert!(points > 0.0);
    let reader = [("otel.component.type", "periodic_metric_reader")];
    let collections = histogram(
        &metrics,
        "otel.sdk.metric_reader.collection.duration",
        &reader,
    );
    assert_eq!(collections.count, 1);
    let took = |error: &[(&str, &str)]| {
        let points = histograms(&metrics, "otel.sdk.exporter.operation.duration");
        let of = points.iter().filter(|point| has(&point.attributes, error));
        of.map(|point| point.count).sum::<u64>()
    };
    // Spans, of which one was refused, points and log records at one destination, and nothing of what is tried again.
    assert_eq!((took(&[]), took(&[("error.type", "rejected")])), (3, 1));
    rig.telemetry
        .shutdown(std::time::Duration::from_millis(10))
        .expect_err("one holds it");
    let metrics = all(&rig.telemetry);
    let gone = [held[0], ("error.type", "shutdown")];
    assert_eq!(
        number(&metrics, "otel.sdk.exporter.span.exported", &gone),
        queued
    );
    assert_eq!(
        number(&metrics, "otel.sdk.exporter.span.inflight", &held),
        0.0
    );
}
