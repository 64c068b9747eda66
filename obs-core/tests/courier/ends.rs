//! The end of a process whose collector accepts a connection and never answers, from every kind of thread.

use std::time::{Duration, Instant};

use obs_core::courier::{Courier, DropReason, Signal};

use super::collector::{Collector, PATIENCE, Reply};
use super::{batch, courier, soon};

const DEADLINE: Duration = Duration::from_millis(300);
const GRACE: Duration = Duration::from_millis(100);

/// Shuts down with one batch in a silent collector's hands and one waiting, both lost by the deadline.
#[track_caller]
fn check_shutdown(courier: &Courier) {
    let started = Instant::now();
    let error = courier
        .shutdown(started + DEADLINE)
        .expect_err("nobody answered");
    let took = started.elapsed();
    assert!(took >= DEADLINE && took <= DEADLINE + GRACE, "{took:?}");
    assert!(error.is_timeout() && error.is_lost());
    assert_eq!(error.lost(), 5);
    let account = courier.accounts().logs;
    assert_eq!(account.dropped.by(DropReason::Shutdown), 5);
    assert!(account.is_balanced() && account.pending == 0);
}

#[track_caller]
fn check_silent(threaded: bool) {
    let collector = Collector::start([Reply::Silence, Reply::Silence]);
    let courier = courier(&collector);
    if threaded {
        courier.start().expect("a thread");
    }
    courier.outbox().push(batch(Signal::Logs, 2));
    courier.outbox().push(batch(Signal::Logs, 3));
    if threaded {
        collector.wait_for(1);
        let started = Instant::now();
        let error = courier.flush(started + GRACE).expect_err("nobody answered");
        assert!(started.elapsed() <= GRACE * 2);
        assert_eq!((error.pending(), error.lost()), (5, 0));
    }
    check_shutdown(&courier);
}

#[track_caller]
fn check_answering(threaded: bool) {
    let collector = Collector::start([]);
    let courier = courier(&collector);
    if threaded {
        courier.start().expect("a thread");
    }
    courier.outbox().push(batch(Signal::Traces, 2));
    courier.flush(soon()).expect("delivered");
    courier.outbox().push(batch(Signal::Traces, 3));
    courier.shutdown(soon()).expect("delivered");
    assert_eq!(courier.accounts().traces.delivered, 5);
}

fn everything() {
    for threaded in [true, false] {
        check_silent(threaded);
        check_answering(threaded);
    }
}

#[test]
fn outside_any_runtime() {
    everything();
}

#[test]
fn on_a_current_thread_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async { everything() });
}

#[test]
fn on_a_multi_threaded_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("a runtime");
    runtime
        .block_on(async { tokio::spawn(async { everything() }).await })
        .expect("no panic");
}

#[test]
fn a_collector_that_drips_does_not_delay_the_end() {
    let collector = Collector::start([Reply::Drip(Duration::from_millis(20))]);
    let courier = courier(&collector);
    courier.start().expect("a thread");
    courier.outbox().push(batch(Signal::Logs, 5));
    collector.wait_for(1);
    check_shutdown(&courier);
}

#[test]
fn many_threads_push_and_flush_at_once_and_nothing_is_lost() {
    let collector =
        Collector::start((0..40).map(|turn| Reply::status(if turn % 3 == 0 { 503 } else { 200 })));
    let courier = courier(&collector);
    courier.start().expect("a thread");
    std::thread::scope(|scope| {
        for signal in Signal::ALL {
            scope.spawn({
                let courier = &courier;
                move || {
                    for items in 1..=20 {
                        courier.outbox().push(batch(signal, items));
                        if items % 5 == 0 {
                            courier.flush(Instant::now() + PATIENCE).expect("delivered");
                        }
                    }
                }
            });
        }
    });
    courier.shutdown(soon()).expect("nothing was lost");
    assert_eq!(
        courier.accounts().total().delivered,
        3 * (1..=20).sum::<u64>()
    );
}
