//! Threads that end operations and log, late keep, outages, panics of transports, and a shutdown in the middle of it.

use super::{
    FAILED, LONG, Scripted, Taken, assert_closed, event, panic_silently, refuses_one_item,
};
use crate::support::{WORK, builder, sampler};
use obs_core::courier::{DropReason, Losses, Sent, Settings, Signal};
use obs_core::{Delivery, KeepPolicy, Kind, Labels, Outcome, Parent, Telemetry};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const THREADS: u64 = 4;
const ROUNDS: u64 = 300;

/// Everything that can become of a batch, in turn.
fn weather(batch: u64, _: Signal) -> Sent {
    match batch % 9 {
        1 | 2 => Sent::retry("away"),
        4 => Sent::refused("no"),
        5 => refuses_one_item(),
        7 => panic_silently(),
        _ => Sent::DELIVERED,
    }
}

fn small() -> Settings {
    Settings::default()
        .with_capacity_bytes(48 << 10)
        .with_backoff(Duration::from_millis(1), Duration::from_millis(3))
}

/// What was created, as whoever created it counts.
#[derive(Debug, Default)]
struct Truth {
    spans: AtomicU64,
    logs: AtomicU64,
}

/// One trace that the head left out: kept if its root fails, with more children than have room.
fn family(kind: &'static Kind, fails: bool, children: u64, truth: &Truth) {
    let mut root = kind.start(Labels::NONE, Parent::Root);
    let recorded = root.is_recording();
    let mut started = 0;
    root.scope(|| {
        for _ in 0..children {
            let child = kind.start(Labels::NONE, Parent::Current);
            // Of one whose parent was not recorded nothing waits.
            started += u64::from(child.is_recording() && recorded);
            child.end(Outcome::ANSWERED);
        }
    });
    root.end(if fails { FAILED } else { Outcome::ANSWERED });
    let roots = u64::from(fails && recorded);
    truth.spans.fetch_add(started + roots, Ordering::SeqCst);
}

fn sampled(kind: &'static Kind, truth: &Truth) {
    let operation = kind.start(Labels::NONE, Parent::Root);
    let recorded = operation.is_recording();
    operation.end(Outcome::ANSWERED);
    truth.spans.fetch_add(u64::from(recorded), Ordering::SeqCst);
}

fn work(telemetry: Telemetry, late: bool, truth: &Truth) {
    let kind = telemetry.kind(&WORK);
    for round in 0..ROUNDS {
        if late {
            family(kind, round % 3 == 0, round % 6, truth);
        } else {
            sampled(kind, truth);
        }
        if round % 5 == 0 {
            telemetry.emit(event());
            truth.logs.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// What never goes back does not: whoever looks meanwhile sees no item twice.
fn watch(telemetry: Telemetry, over: &AtomicBool) {
    let (mut delivered, mut dropped) = (0, 0);
    while !over.load(Ordering::SeqCst) {
        let total = telemetry.books().total();
        assert!(total.delivered >= delivered && total.dropped.total() >= dropped);
        (delivered, dropped) = (total.delivered, total.dropped.total());
        std::thread::yield_now();
    }
}

#[track_caller]
fn check(late: bool, shut_down_at: Option<u64>, grace: Duration) {
    let (one, taken) = Scripted::new(weather);
    let (two, taken_too) = Scripted::new(|_, _| Sent::DELIVERED);
    let mut keep = KeepPolicy::default();
    keep.parked_children = 3;
    let telemetry = builder()
        .with_sampler(sampler(!late))
        .with_keep(keep)
        .with_shards(2)
        .with_shutdown_grace(grace)
        .with_collect_interval(Duration::from_millis(1))
        .with_metric_interval(Duration::from_millis(2))
        .with_delivery(
            Delivery::through(one)
                .named("weather")
                .with_settings(small()),
        )
        .with_delivery(
            Delivery::through(two)
                .named("calm")
                .only(&[Signal::Traces, Signal::Logs]),
        )
        .build()
        .expect("usable");
    let truth = Truth::default();
    let (together, over) = (Barrier::new(THREADS as usize + 1), AtomicBool::new(false));
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| watch(telemetry, &over));
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    work(telemetry, late, &truth);
                })
            })
            .collect();
        together.wait();
        match shut_down_at {
            Some(logs) => {
                while truth.logs.load(Ordering::SeqCst) < logs {
                    std::thread::yield_now();
                }
            }
            None => workers
                .into_iter()
                .for_each(|worker| worker.join().expect("no panic")),
        }
        let answer = telemetry.shutdown(LONG);
        over.store(true, Ordering::SeqCst);
        answer
    });
    settle(telemetry, &truth, [&taken, &taken_too]);
    let lost = telemetry.books().lost();
    let told = answer.map_or_else(
        |error| {
            assert!(!error.is_timeout() && error.is_lost(), "{error}");
            error.losses()
        },
        |()| Losses::default(),
    );
    if shut_down_at.is_none() {
        assert_eq!(told, lost);
        assert!(lost.total() > 0, "the weather lets something drown");
    } else {
        // What ended afterwards comes to it.
        assert!(told.total() <= lost.total(), "{told}; {lost}");
    }
    let again = telemetry.shutdown(LONG);
    assert_eq!(
        again.map_or_else(|error| error.losses(), |()| Losses::default()),
        told
    );
}

#[track_caller]
fn settle(telemetry: Telemetry, truth: &Truth, taken: [&Taken; 2]) {
    let (spans, logs) = (
        truth.spans.load(Ordering::SeqCst),
        truth.logs.load(Ordering::SeqCst),
    );
    let books = telemetry.books_by_destination();
    assert_eq!(books.len(), 2);
    for ((name, books), taken) in books.iter().zip(taken) {
        assert_closed(books);
        assert_eq!(books.traces.created, spans, "{name}");
        assert_eq!(books.logs.created, logs, "{name}");
        for signal in Signal::ALL {
            assert_eq!(
                books.of(signal).delivered,
                taken.of(signal),
                "{name} {signal}"
            );
        }
    }
    let [(_, weather), (_, calm)] = &books[..] else {
        panic!("two")
    };
    assert!(weather.metrics.created > 0 && calm.metrics.created == 0);
    let total = telemetry.books();
    assert_closed(&total);
    assert_eq!(total.traces.created, 2 * spans);
    assert_eq!(total.metrics, weather.metrics);
    assert_eq!(
        telemetry.counts().collected,
        spans - {
            let dropped = |reason| calm.traces.dropped.by(reason);
            dropped(DropReason::RingFull)
                + dropped(DropReason::AfterShutdown)
                + dropped(DropReason::KeepTruncated)
                + dropped(DropReason::KeepDropped)
        }
    );
}

#[test]
fn every_item_is_in_one_place_once_all_is_over() {
    check(false, None, Duration::ZERO);
    check(true, None, Duration::ZERO);
}

#[test]
fn every_item_is_in_one_place_when_shutdown_comes_in_the_middle() {
    for round in 0..6 {
        let late = round % 2 == 0;
        check(late, Some(20 + 30 * round), Duration::ZERO);
    }
    check(true, Some(40), Duration::from_millis(50));
}
