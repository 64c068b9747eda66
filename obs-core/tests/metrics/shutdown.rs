//! Around shutdown every record is somewhere: with the subscribers, or counted by why it is not.

use crate::support::{Captured, Rig, WORK, builder, rig_with, sampler};
use obs_core::{Body, Labels, LogEvent, Operation, Outcome, Parent, Telemetry};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn shut_down(telemetry: &Telemetry) {
    telemetry
        .shutdown(Duration::from_secs(30))
        .expect("nothing is lost by then");
}

/// What is running is not waited for.
fn rig(sampled: bool) -> Rig {
    rig_with(sampled, |builder| {
        builder.with_shutdown_grace(Duration::ZERO)
    })
}

#[test]
fn what_ends_after_shutdown_is_counted() {
    let rig = rig(true);
    let running: Vec<Operation> = (0..3).map(|_| rig.root("running")).collect();
    rig.root("before").end(Outcome::ANSWERED);
    shut_down(&rig.telemetry);
    let mut running = running.into_iter();
    drop(running.next());
    running.next().unwrap().end(Outcome::ANSWERED);
    // On a thread that has recorded nothing yet.
    let last = running.next().unwrap();
    std::thread::spawn(move || last.end(Outcome::ANSWERED))
        .join()
        .unwrap();
    assert_eq!(rig.exported(), ["before"]);
    let counts = rig.telemetry.counts();
    assert_eq!((counts.collected, counts.after_shutdown), (1, 3));
    assert_eq!(counts.ring_full, 0);
    rig.assert_at_rest();
}

#[test]
fn children_that_waited_for_a_root_that_ends_after_shutdown_are_counted() {
    let rig = rig(false);
    let mut root = rig.root("root");
    root.scope(|| rig.start("child", Parent::Current).end(Outcome::ANSWERED));
    shut_down(&rig.telemetry);
    root.end(Outcome::PANICKED);
    assert_eq!(rig.exported(), [""; 0]);
    let counts = rig.telemetry.counts();
    assert_eq!((counts.collected, counts.after_shutdown), (0, 1));
    // The child was let go of at the shutdown, and its trace would have been kept.
    assert_eq!((counts.keep_truncated, counts.keep_torn), (1, 1));
    let book = rig.telemetry.books().traces;
    assert_eq!((book.created, book.lost.total(), book.pending), (2, 2, 0));
    rig.assert_at_rest();
}

#[test]
fn the_page_says_how_many_ended_after_shutdown() {
    let rig = rig(true);
    let running = rig.root("running");
    shut_down(&rig.telemetry);
    running.end(Outcome::ANSWERED);
    let page = rig.telemetry.prometheus();
    let line = |line: &&str| line.contains("reason=\"after_shutdown\"");
    let found = page.lines().find(line).expect("a series");
    assert!(found.ends_with(" 1"), "{found}");
}

/// Threads that end operations while another shuts the telemetry down.
fn storm(round: u64) {
    let captured = Captured::default();
    let telemetry = builder()
        .with_sampler(sampler(true))
        .with_subscriber(captured.clone())
        .with_shards(2)
        .with_collect_interval(Duration::from_millis(1))
        .with_shutdown_grace(Duration::from_millis(round % 2))
        .build()
        .expect("usable");
    const THREADS: usize = 4;
    let (together, created) = (Barrier::new(THREADS + 1), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let kind = telemetry.kind(&WORK);
                together.wait();
                let mut held = Vec::new();
                for index in 0..400 {
                    let operation = kind.start(Labels::NONE, Parent::Root);
                    created.fetch_add(u64::from(operation.is_recording()), Ordering::Relaxed);
                    held.push(operation);
                    // Some end at once, some in a while, and so at the latest when all is over.
                    if index % 3 == 0 {
                        held.drain(..).for_each(|one| one.end(Outcome::ANSWERED));
                    }
                }
            });
        }
        together.wait();
        while created.load(Ordering::Relaxed) < round * 80 {
            std::thread::yield_now();
        }
        let answer = telemetry.shutdown(Duration::from_secs(30));
        let lost = answer.err().map_or(0, |error| error.lost());
        let counts = telemetry.counts();
        assert!(lost <= counts.ring_full + counts.after_shutdown);
    });
    let counts = telemetry.counts();
    let seen = captured.take_spans().len() as u64;
    assert_eq!(counts.collected, seen);
    let account = seen + counts.ring_full + counts.after_shutdown;
    assert_eq!(created.into_inner(), account, "round {round}: {counts:?}");
}

#[test]
fn the_account_is_exact_however_ends_and_shutdown_interleave() {
    (0..20).for_each(storm);
}

#[test]
fn log_events_after_shutdown_are_counted() {
    let rig: Rig = rig(true);
    let event = || LogEvent::new("test.event", Body::Text("x".into()));
    rig.telemetry.emit(event());
    shut_down(&rig.telemetry);
    rig.telemetry.emit(event());
    assert_eq!(rig.events().len(), 1);
    assert_eq!(rig.telemetry.counts().log_events_after_shutdown, 1);
    let noop = Telemetry::noop();
    noop.emit(event());
    assert_eq!(noop.counts().log_events_after_shutdown, 0);
}
