//! What records nothing: the telemetry that never was one, and the one that is over.

use crate::support::points::{all, number};
use crate::support::{Captured, SCOPE, builder, sampler};
use obs_core::courier::Capture;
use obs_core::metrics::Temporality;
use obs_core::{Instrument, Telemetry};
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

const fn named(name: &'static str) -> Instrument {
    Instrument {
        name,
        unit: "1",
        description: "",
        labels: &[],
        scope: &SCOPE,
    }
}

/// Writes into all there is.
fn write_all(telemetry: Telemetry) {
    telemetry.counter(&named("test.counter")).bind(&[]).add(1);
    let absolute = telemetry.absolute_counter(&named("test.absolute"));
    absolute.bind(&[]).set_absolute(2);
    telemetry.gauge(&named("test.gauge")).bind(&[]).set(3.0);
    let sizes = telemetry.histogram(&named("test.sizes"), &[1.0]);
    sizes.bind(&[]).record(4.0);
}

#[test]
fn instruments_of_a_noop_telemetry_record_nothing() {
    let noop = Telemetry::noop();
    write_all(noop);
    assert_eq!(noop.reader(Temporality::Cumulative).collect().len(), 0);
    assert_eq!(noop.prometheus(), "");
    assert_eq!(noop.warnings(), [""; 0]);
}

#[test]
fn libraries_that_do_not_know_each_other_do_not_meet_in_the_noop_telemetry() {
    let noop = Telemetry::noop();
    noop.counter(&named("test.shared")).bind(&[]).add(1);
    // The same name for something else.
    noop.gauge(&named("test.shared")).bind(&["x"]).set(1.0);
    assert_eq!(noop.warnings(), [""; 0]);
    assert_eq!(noop.counts(), Default::default());
}

#[test]
fn an_observable_of_a_noop_telemetry_is_let_go_of() {
    let held = Arc::new(());
    let captured = held.clone();
    Telemetry::noop().observe(move || {
        let _ = &captured;
    });
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn after_shutdown_instruments_record_nothing_whenever_they_were_made() {
    for manual in [true, false] {
        let builder = builder()
            .with_transport(Capture::new())
            .with_observable_deadline(LONG);
        let builder = if manual { builder.manual() } else { builder };
        let telemetry = builder.build().expect("usable");
        write_all(telemetry);
        let before = telemetry.counter(&named("test.counter")).bind(&[]);
        let gauge = telemetry.gauge(&named("test.gauge")).bind(&[]);
        let last = telemetry.gauge(&named("test.last")).bind(&[]);
        let held = Arc::new(());
        let captured = held.clone();
        telemetry.observe(move || {
            let _ = &captured;
            last.set(9.0);
        });
        telemetry.shutdown(LONG).expect("delivered");
        assert_eq!(Arc::strong_count(&held), 1, "observables are let go of");
        before.add(5);
        gauge.set(5.0);
        write_all(telemetry);
        telemetry.counter(&named("test.new")).bind(&[]).add(1);
        let metrics = all(&telemetry);
        assert_eq!(number(&metrics, "test.counter", &[]), 1.0);
        assert_eq!(number(&metrics, "test.gauge", &[]), 3.0);
        assert_eq!(number(&metrics, "test.last", &[]), 9.0, "the last round");
        assert!(metrics.iter().all(|metric| metric.name != "test.new"));
    }
}

#[test]
fn what_ends_after_shutdown_is_still_told() {
    let telemetry = builder()
        .with_sampler(sampler(true))
        .with_subscriber(Captured::default())
        .build()
        .expect("usable");
    let kind = telemetry.kind(&crate::support::WORK);
    let running = kind.start(obs_core::Labels::NONE, obs_core::Parent::Root);
    telemetry.shutdown(LONG).expect("nothing to deliver");
    running.end(obs_core::Outcome::ANSWERED);
    let page = telemetry.prometheus();
    assert!(page.contains("after_shutdown"), "{page}");
}
