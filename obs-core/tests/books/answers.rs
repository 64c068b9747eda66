//! What flush and shutdown say, and when they say Ok.

use super::{FAILED, LONG, Scripted, event};
use crate::support::{WORK, builder, rig, rig_with, sampler};
use obs_core::courier::{Capture, DropReason, Sent, Signal};
use obs_core::{
    Body, Diagnostic, Error, KeepPolicy, Labels, LogEvent, Outcome, Parent, Records, Subscriber,
    Telemetry,
};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// More than a thread's ring has room for.
const MANY: u64 = 2_000;

fn end(telemetry: Telemetry, count: u64) {
    let kind = telemetry.kind(&WORK);
    (0..count).for_each(|_| {
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED)
    });
}

#[track_caller]
fn check_lost(error: &Error, signal: Signal, reason: DropReason, count: u64) {
    assert!(error.is_lost(), "{error}");
    assert_eq!(error.losses().of(signal).by(reason), count, "{error}");
    assert_eq!(error.lost(), count, "{error}");
    let said = format!("{signal}: {} {count}", reason.as_str());
    assert!(error.to_string().contains(&said), "{said}: {error}");
}

#[test]
fn a_full_ring_is_told_by_the_flush_it_happened_before_and_by_shutdown() {
    let rig = rig_with(true, |builder| builder.with_transport(Capture::new()));
    end(rig.telemetry, MANY);
    let lost = rig.telemetry.counts().ring_full;
    assert!(lost > 0 && lost < MANY);
    // It was lost before this one began.
    rig.telemetry
        .flush(LONG)
        .expect("what there was is delivered");
    let books = rig.telemetry.books().traces;
    assert_eq!((books.created, books.delivered), (MANY, MANY - lost));
    let error = rig.telemetry.shutdown(LONG).expect_err("not all of it");
    check_lost(&error, Signal::Traces, DropReason::RingFull, lost);
    assert!(!error.is_timeout(), "{error}");
    let again = rig.telemetry.shutdown(LONG).expect_err("the same");
    assert_eq!(
        (again.lost(), again.to_string()),
        (error.lost(), error.to_string())
    );
}

#[test]
fn a_full_queue_of_log_events_is_told() {
    let rig = rig_with(true, |builder| {
        // Or they are cut, and all of them fit.
        builder
            .with_body_bytes(2 << 20)
            .with_transport(Capture::new())
    });
    let large = || LogEvent::new("test.event", Body::Text("x".repeat(1 << 20)));
    (0..40).for_each(|_| rig.telemetry.emit(large()));
    let lost = rig.telemetry.counts().log_events_full;
    assert!(lost > 0 && lost < 40);
    let error = rig.telemetry.shutdown(LONG).expect_err("not all of it");
    check_lost(&error, Signal::Logs, DropReason::LogQueueFull, lost);
    let logs = rig.telemetry.books().logs;
    assert_eq!((logs.created, logs.delivered), (40, 40 - lost));
}

#[test]
fn without_a_loss_it_is_ok_and_what_was_chosen_is_no_loss() {
    let mut keep = KeepPolicy::default();
    keep.parked_children = 2;
    let rig = rig_with(false, |builder| {
        builder.with_keep(keep).with_transport(Capture::new())
    });
    let family = |outcome| {
        let mut root = rig.root("root");
        root.scope(|| {
            for _ in 0..3 {
                rig.start("child", Parent::Current).end(Outcome::ANSWERED);
            }
        });
        root.end(outcome);
    };
    family(Outcome::ANSWERED);
    rig.telemetry.emit(event());
    rig.telemetry.flush(LONG).expect("delivered");
    let book = rig.telemetry.books().traces;
    // Three children; one had no room, two went with the trace.
    assert_eq!((book.created, book.delivered, book.lost.total()), (3, 0, 0));
    assert_eq!(book.dropped.by(DropReason::KeepDropped), 2);
    assert_eq!(book.dropped.by(DropReason::KeepTruncated), 1);
    rig.telemetry
        .shutdown(LONG)
        .expect("nothing that anybody wanted is lost");
}

#[test]
fn a_child_for_which_there_was_no_room_is_lost_once_its_trace_is_kept() {
    let mut keep = KeepPolicy::default();
    keep.parked_children = 2;
    let rig = rig_with(false, |builder| {
        builder.with_keep(keep).with_transport(Capture::new())
    });
    let mut root = rig.root("root");
    root.scope(|| {
        for _ in 0..3 {
            rig.start("child", Parent::Current).end(Outcome::ANSWERED);
        }
    });
    let book = rig.telemetry.books().traces;
    assert_eq!((book.created, book.pending, book.waiting), (3, 2, 2));
    assert_eq!((book.dropped.total(), book.lost.total()), (1, 0));
    root.end(FAILED);
    let error = rig
        .telemetry
        .shutdown(LONG)
        .expect_err("one child is missing");
    check_lost(&error, Signal::Traces, DropReason::KeepTruncated, 1);
    let book = rig.telemetry.books().traces;
    assert_eq!((book.created, book.delivered), (4, 3));
}

#[test]
fn a_refusal_is_told_with_its_signal_its_reason_and_the_last_problem() {
    let (refuses, _) = Scripted::new(|batch, _| match batch {
        1 => Sent::refused("teapot"),
        _ => Sent::DELIVERED,
    });
    let rig = rig_with(true, |builder| builder.with_transport(refuses));
    end(rig.telemetry, 3);
    let error = rig.telemetry.flush(LONG).expect_err("refused");
    check_lost(&error, Signal::Traces, DropReason::Rejected, 3);
    assert!(error.to_string().contains("teapot"), "{error}");
    // What was lost before is no matter of the next flush.
    rig.telemetry.flush(LONG).expect("delivered");
    let error = rig.telemetry.shutdown(LONG).expect_err("it was lost");
    check_lost(&error, Signal::Traces, DropReason::Rejected, 3);
}

/// Waits in the first batch of records until it is let go.
struct Hangs(Sender<()>, Receiver<()>);

impl Subscriber for Hangs {
    fn on_records(&mut self, _: Records<'_>) {
        let _ = self.0.send(());
        let _ = self.1.recv();
    }
}

#[test]
fn a_collector_that_is_stuck_is_a_loss_and_not_ok_nor_a_hang() {
    let ((go, gone), (arrive, arrived)) = (channel(), channel());
    let telemetry = builder()
        .with_sampler(sampler(true))
        .with_subscriber(Hangs(arrive, gone))
        .with_transport(Capture::new())
        .with_collect_interval(Duration::from_millis(1))
        .build()
        .expect("usable");
    end(telemetry, 1);
    arrived.recv().expect("it hangs");
    end(telemetry, 4);
    telemetry.emit(event());
    let deadline = Duration::from_millis(300);
    let flush = telemetry.flush(deadline).expect_err("stuck");
    assert!(flush.is_timeout() && !flush.is_lost(), "{flush}");
    assert_eq!(flush.pending(), 6, "{flush}");
    let begun = Instant::now();
    let error = telemetry.shutdown(deadline).expect_err("stuck");
    let took = begun.elapsed();
    assert!(took < deadline + Duration::from_secs(1), "{took:?}");
    assert!(error.is_timeout(), "{error}");
    let losses = error.losses();
    assert_eq!(losses.traces.by(DropReason::Shutdown), 5, "{error}");
    assert_eq!(losses.logs.by(DropReason::Shutdown), 1, "{error}");
    // What ends now finds its ring closed; what the collector holds is refused by the outbox once it is free.
    end(telemetry, 1);
    go.send(()).expect("it waits");
    drop(go);
    let until = Instant::now() + LONG;
    while telemetry.books().total().pending > 0 && Instant::now() < until {
        std::thread::yield_now();
    }
    super::assert_closed(&telemetry.books());
    let traces = telemetry.books().traces;
    assert_eq!(
        (traces.created, traces.dropped.total()),
        (5, 5),
        "{traces:?}"
    );
}

#[test]
fn a_guard_tells_diagnostics_what_was_lost() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let hook = {
        let told = told.clone();
        move |diagnostic: Diagnostic<'_>| told.lock().unwrap().push(diagnostic.to_string())
    };
    let rig = rig_with(true, |builder| {
        builder
            .with_transport(Capture::new().with_answer(|_| Sent::refused("teapot")))
            .with_diagnostics(hook)
    });
    end(rig.telemetry, 2);
    drop(rig.telemetry.shutdown_on_drop(LONG));
    let told = told.lock().unwrap();
    let last = told.last().expect("it was told");
    assert!(
        last.contains("traces: rejected 2") && last.contains("teapot"),
        "{told:?}"
    );
    let problem = rig.telemetry.last_problem().expect("the same");
    assert_eq!(problem.message, *last);
}

#[test]
fn without_a_destination_subscribers_are_where_items_go() {
    let rig = rig(true);
    end(rig.telemetry, 3);
    rig.telemetry.emit(event());
    assert_eq!(rig.telemetry.books().traces.pending, 3);
    assert_eq!(rig.spans().len(), 3);
    let books = rig.telemetry.books();
    assert_eq!((books.traces.created, books.traces.delivered), (3, 3));
    assert_eq!((books.logs.created, books.logs.delivered), (1, 1));
    assert_eq!(books.metrics, obs_core::Book::default());
    assert!(rig.telemetry.books_by_destination().is_empty());
    assert_eq!(Telemetry::noop().books(), obs_core::Books::default());
}

#[test]
fn what_nobody_wants_is_not_lost() {
    let telemetry = builder().with_sampler(sampler(true)).manual().build();
    let telemetry = telemetry.expect("usable");
    // A service that has a metrics page and nothing else.
    end(telemetry, MANY);
    telemetry.emit(event());
    assert!(telemetry.counts().ring_full > 0);
    assert_eq!(telemetry.books(), obs_core::Books::default());
    telemetry
        .shutdown(LONG)
        .expect("there is nobody to lose it to");
    let page = telemetry.prometheus();
    assert!(
        !page.contains("obs_telemetry_") && !page.contains("otel_sdk_"),
        "{page}"
    );
}
