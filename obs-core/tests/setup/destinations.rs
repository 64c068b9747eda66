//! Several destinations, each with a state of its own.

use obs_core::courier::{Batch, Capture, Sent, Settings, Signal, Transport};
use obs_core::setup::environment::Environment;
use obs_core::{Body, Builder, Delivery, LogEvent, Telemetry};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

fn builder() -> Builder {
    Telemetry::builder().with_environment(Environment::default())
}

fn say(telemetry: &Telemetry, times: usize) {
    for _ in 0..times {
        telemetry.emit(LogEvent::new("test.said", Body::Map(Vec::new())));
    }
}

/// Accepts and never answers: each attempt takes all the time it is given.
struct Silent(Arc<AtomicUsize>);

impl Transport for Silent {
    fn send(&mut self, _: &Batch, deadline: Instant) -> Sent {
        self.0.fetch_add(1, Ordering::Relaxed);
        let left = deadline.saturating_duration_since(Instant::now());
        let nobody = (Mutex::new(()), Condvar::new());
        let guard = nobody.0.lock().expect("nobody else has it");
        drop(
            nobody
                .1
                .wait_timeout(guard, left.min(Duration::from_secs(60))),
        );
        Sent::retry("no answer")
    }
}

fn logs(capture: &Capture) -> u64 {
    let batches = capture.take();
    let logs = batches.iter().filter(|batch| batch.signal == Signal::Logs);
    logs.map(|batch| batch.items).sum()
}

#[test]
fn each_destination_is_given_what_it_takes() {
    let (all, metrics) = (Capture::new(), Capture::new());
    let telemetry = builder()
        .with_transport(all.clone())
        .with_delivery(Delivery::through(metrics.clone()).only(&[Signal::Metrics]))
        .manual()
        .build()
        .expect("usable");
    say(&telemetry, 3);
    telemetry.flush(Duration::from_secs(5)).expect("delivered");
    assert_eq!(logs(&all), 3);
    let batches = metrics.take();
    assert!(!batches.is_empty(), "metrics of the telemetry itself");
    assert!(batches.iter().all(|batch| batch.signal == Signal::Metrics));
    let deliveries = telemetry.deliveries();
    let names: Vec<_> = deliveries.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["transport", "transport-2"]);
    assert_eq!(deliveries[0].1.logs.delivered, 3);
    assert_eq!(deliveries[1].1.logs.accepted, 0);
}

#[test]
fn two_of_one_name_are_refused() {
    let twice = builder()
        .with_delivery(Delivery::through(Capture::new()).named("a"))
        .with_delivery(Delivery::through(Capture::new()).named("a"))
        .manual()
        .build();
    let error = twice.expect_err("must be refused");
    assert!(
        error.is_configuration() && error.to_string().contains("`a`"),
        "{error}"
    );
}

#[test]
fn one_that_is_down_is_alone_in_losing() {
    let alive = Capture::new();
    let dead = Capture::new().with_answer(|_| Sent::retry("refused"));
    let telemetry = builder()
        .with_delivery(Delivery::through(dead).named("dead"))
        .with_delivery(Delivery::through(alive.clone()).named("alive"))
        .build()
        .expect("usable");
    say(&telemetry, 7);
    let error = telemetry
        .shutdown(Duration::from_millis(500))
        .expect_err("not all of it");
    assert_eq!(logs(&alive), 7);
    for (name, accounts) in telemetry.deliveries() {
        assert!(accounts.total().is_balanced(), "{name}: {accounts:?}");
        let lost = accounts.logs.dropped.total();
        assert_eq!(lost, if name == "dead" { 7 } else { 0 }, "{name}");
    }
    let dead = telemetry.deliveries()[0].1.total().dropped.total();
    assert_eq!(error.lost(), dead);
    assert!(error.to_string().contains("dead: "), "{error}");
    assert!(!error.to_string().contains("alive"), "{error}");
}

/// In manual mode one thread sends to all: whoever does not answer must leave the others time.
#[test]
fn one_that_never_answers_leaves_the_others_time_in_manual_mode() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let alive = Capture::new();
    let small = Settings::default().with_capacity_bytes(1 << 20);
    let telemetry = builder()
        .with_delivery(
            Delivery::through(Silent(attempts.clone()))
                .named("silent")
                .with_settings(small),
        )
        .with_transport(alive.clone())
        .manual()
        .build()
        .expect("usable");
    // Several batches for each.
    for _ in 0..5 {
        say(&telemetry, 2);
        telemetry
            .collect(Duration::from_secs(5))
            .expect("collected");
    }
    let started = Instant::now();
    let error = telemetry
        .shutdown(Duration::from_millis(800))
        .expect_err("one is silent");
    let took = started.elapsed();
    assert!(took < Duration::from_millis(900), "{took:?}");
    assert_eq!(logs(&alive), 10, "all of it");
    assert!(attempts.load(Ordering::Relaxed) > 0);
    assert!(
        error.is_lost() && error.to_string().contains("silent"),
        "{error}"
    );
}

#[test]
fn a_flush_of_two_that_wait_ends_at_the_deadline() {
    let held = || Capture::new().with_answer(|_| Sent::retry("not now"));
    let telemetry = builder()
        .with_transport(held())
        .with_transport(held())
        .manual()
        .build()
        .expect("usable");
    say(&telemetry, 1);
    let started = Instant::now();
    let error = telemetry
        .flush(Duration::from_millis(300))
        .expect_err("nobody takes it");
    assert!(error.is_timeout() && error.pending() > 0, "{error:?}");
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
}
