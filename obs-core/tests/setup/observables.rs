//! Observables are code of users: slow, stuck, or collecting themselves, they hold up nothing but their own values.

use crate::support::points::{number, numbers};
use crate::support::{Captured, SCOPE, WORK, builder, sampler};
use obs_core::courier::Capture;
use obs_core::metrics::Temporality;
use obs_core::{BoundGauge, Instrument, Labels, Outcome, Parent, Telemetry};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

fn gauge(telemetry: Telemetry, name: &'static str) -> BoundGauge {
    let instrument = Instrument {
        name,
        unit: "1",
        description: "",
        labels: &[],
        scope: &SCOPE,
    };
    telemetry.gauge(&instrument).bind(&[])
}

/// A telemetry with threads, and one observable that waits in its first call until it is let go.
fn stuck(captured: &Captured) -> (Telemetry, Sender<()>, Receiver<()>) {
    let telemetry = builder()
        .with_sampler(sampler(true))
        .with_subscriber(captured.clone())
        .with_transport(Capture::new())
        .with_observable_deadline(SHORT)
        .build()
        .expect("usable");
    let ((go, gone), (arrive, arrived)) = (channel::<()>(), channel());
    let value = gauge(telemetry, "test.stuck");
    let mut calls = 0.0;
    telemetry.observe(move || {
        calls += 1.0;
        if arrive.send(()).is_ok() && calls == 1.0 {
            let _ = gone.recv();
        }
        value.set(calls);
    });
    (telemetry, go, arrived)
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LONG, "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_observable_that_never_returns_holds_up_neither_spans_nor_pages_nor_the_others_nor_the_end() {
    let captured = Captured::default();
    let (telemetry, _go, arrived) = stuck(&captured);
    let others = gauge(telemetry, "test.others");
    let mut rounds = 0.0;
    telemetry.observe(move || {
        rounds += 1.0;
        others.set(rounds);
    });
    let begun = Instant::now();
    wait_until(|| {
        drop(telemetry.prometheus());
        telemetry.counts().slow_observables > 0
    });
    arrived.try_recv().expect("it was called");
    // The others go on, on another thread.
    let reader = telemetry.reader(Temporality::Cumulative);
    let others = || numbers(&reader.collect(), "test.others");
    wait_until(|| others().iter().any(|point| point.value.as_f64() >= 2.0));
    telemetry
        .kind(&WORK)
        .start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    telemetry.flush(LONG).expect("in time");
    assert_eq!(captured.take_spans().len(), 1);
    assert!(!telemetry.prometheus().contains("test_stuck"));
    telemetry.shutdown(LONG).expect("in time");
    assert!(begun.elapsed() < LONG, "nothing waited for it");
    assert!(arrived.try_recv().is_err(), "it is called by nobody else");
}

#[test]
fn an_observable_that_is_stuck_is_counted_once_and_not_per_round() {
    let (telemetry, _go, _arrived) = stuck(&Captured::default());
    wait_until(|| {
        drop(telemetry.prometheus());
        telemetry.counts().slow_observables > 0
    });
    for _ in 0..5 {
        drop(telemetry.prometheus());
    }
    assert_eq!(telemetry.counts().slow_observables, 1);
}

#[test]
fn an_observable_that_returns_late_sits_out_and_is_called_again() {
    let captured = Captured::default();
    let (telemetry, go, arrived) = stuck(&captured);
    let reader = telemetry.reader(Temporality::Cumulative);
    drop(reader.collect());
    arrived.recv_timeout(LONG).expect("it was called");
    go.send(()).unwrap();
    // What it set when it was late is shown.
    wait_until(|| telemetry.prometheus().contains("test_stuck"));
    wait_until(|| {
        drop(reader.collect());
        arrived.try_recv().is_ok()
    });
    wait_until(|| number(&reader.collect(), "test.stuck", &[]) >= 2.0);
}

#[test]
fn an_observable_that_collects_itself_does_not_wait_for_itself() {
    for manual in [true, false] {
        let builder = builder()
            .with_transport(Capture::new())
            .with_observable_deadline(LONG);
        let builder = if manual { builder.manual() } else { builder };
        let telemetry = builder.build().expect("usable");
        let reader = telemetry.reader(Temporality::Delta);
        let calls = Arc::new(AtomicU64::new(0));
        let inner = calls.clone();
        telemetry.observe(move || {
            inner.fetch_add(1, Ordering::Relaxed);
            drop(telemetry.prometheus());
            drop(reader.collect());
            // Outside a collection of the telemetry's own, manual mode has nobody to wait for.
            let flushed = telemetry.flush(Duration::MAX);
            assert!(manual || flushed.is_err_and(|error| error.is_failed()));
        });
        let begun = Instant::now();
        drop(telemetry.prometheus());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        telemetry.flush(LONG).expect("in time");
        assert!(begun.elapsed() < LONG);
        telemetry.shutdown(LONG).expect("in time");
        assert_eq!(telemetry.counts().panics, 0);
    }
}

#[test]
fn observables_run_on_a_thread_of_their_own_and_never_on_a_readers() {
    let telemetry = builder()
        .with_transport(Capture::new())
        .with_observable_deadline(LONG)
        .build()
        .expect("usable");
    let seen: Arc<Mutex<Vec<ThreadId>>> = Arc::default();
    let threads = seen.clone();
    telemetry.observe(move || threads.lock().unwrap().push(std::thread::current().id()));
    drop(telemetry.prometheus());
    drop(telemetry.reader(Temporality::Delta).collect());
    telemetry.flush(LONG).expect("in time");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3, "once per collection");
    assert!(seen.iter().all(|thread| *thread == seen[0]));
    assert_ne!(seen[0], std::thread::current().id());
}

#[test]
fn a_caller_in_a_hurry_does_not_wait_for_observables_and_blames_nobody() {
    let telemetry = builder()
        .with_transport(Capture::new())
        .with_observable_deadline(LONG)
        .build()
        .expect("usable");
    let (go, gone) = channel::<()>();
    telemetry.observe(move || {
        let _ = gone.recv();
    });
    let begun = Instant::now();
    let _ = telemetry.flush(SHORT);
    telemetry.shutdown(SHORT).ok();
    assert!(begun.elapsed() < LONG / 2);
    assert_eq!(telemetry.counts().slow_observables, 0);
    drop(go);
}

#[test]
fn a_manual_collection_held_up_by_an_observable_says_that_it_was_late() {
    let telemetry = builder()
        .manual()
        .with_transport(Capture::new())
        .with_observable_deadline(Duration::from_millis(1))
        .build()
        .expect("usable");
    telemetry.observe(|| std::thread::sleep(SHORT));
    let late = telemetry.collect(SHORT / 2);
    assert!(late.expect_err("it took longer").is_timeout());
    assert_eq!(telemetry.counts().slow_observables, 1);
    telemetry.collect(LONG).expect("it sits out");
}
