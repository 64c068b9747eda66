//! What `.ci/memcheck` runs under valgrind: the one unsafe line (the clock's), and the engine's buffers on their way
//! through threads, families, rings and shutdown. Small, because valgrind is slow; the same assertions hold without it.
#![allow(
    clippy::print_stdout,
    reason = "which clock was looked at belongs into the log of the run"
)]

#[path = "support/support.rs"]
mod support;

use obs_core::otel::KeyValue;
use obs_core::otel::trace::TraceContextExt;
use obs_core::{
    Clock, ContextMode, Event, KeepPolicy, Labels, Operation, Outcome, Parent, Session, StatsLevel,
    Telemetry,
};
use std::cell::RefCell;
use std::sync::Mutex;
use std::time::Duration;
use support::points::{finished, in_flight};
use support::{Captured, METHOD, WORK};

/// A telemetry lives until the process ends: its handle is `Copy`, so nobody can tell which one is the last. Held here,
/// so that what valgrind calls lost is lost.
static LIVING: Mutex<Vec<Telemetry>> = Mutex::new(Vec::new());

fn telemetry(sampled: bool, manual: bool) -> (Telemetry, Captured) {
    let captured = Captured::default();
    let mut builder = support::builder()
        .with_clock(Clock::fastest())
        .with_sampler(support::sampler(sampled))
        .with_level(StatsLevel::Detailed)
        .with_context_mode(ContextMode::Full)
        .with_shards(2)
        .with_subscriber(captured.clone());
    if manual {
        builder = builder.manual();
    }
    let mut keep = KeepPolicy::default();
    keep.parked_bytes = 16 << 10;
    keep.parked_children = 8;
    let telemetry = builder.with_keep(keep).build().expect("usable");
    LIVING.lock().expect("not poisoned").push(telemetry);
    (telemetry, captured)
}

/// A root with children on other threads, with everything that allocates.
fn trace(telemetry: &Telemetry, round: usize) {
    let kind = telemetry.kind(&WORK);
    let label = |step: &str| Labels::NONE.with(METHOD, kind.label(METHOD, step));
    let mut root = kind.start(label("root"), Parent::Root);
    let mut active = root.active().expect("recording");
    active.set_session(Session::new("s-1").with_user("u-1"));
    active.set(obs_core::Key::new(&"long"), "x".repeat(2_000).as_str());
    active.set_dynamic(KeyValue::new("owned", "y".repeat(500)));
    let handle = active.handle();
    root.stamp(Event::SERVER_HANDLE_START);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (handle, label) = (handle.clone(), &label);
            scope.spawn(move || {
                for child in 0..5 {
                    let step = format!("child{}", (thread + child) % 4);
                    let mut child = kind.start(label(&step), Parent::Operation(&handle));
                    child.scope(|| {
                        let context = obs_core::otel::Context::current();
                        context
                            .span()
                            .set_attribute(KeyValue::new("user", step.clone()));
                        kind.start(label("grandchild"), Parent::Current)
                            .end(Outcome::ANSWERED);
                    });
                    child.end(Outcome::ANSWERED);
                }
                handle.add_event(
                    "from afar",
                    vec![KeyValue::new("thread", i64::from(thread))],
                );
            });
        }
    });
    match round % 4 {
        0 => root.end(Outcome::ANSWERED),
        1 => root.end(Outcome::failed(obs_core::ErrorType::own(0))),
        2 => drop(root),
        _ => {
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                root.scope(|| panic!("on purpose"));
            }));
            assert!(unwound.is_err());
            drop(root);
        }
    }
    handle.set_attribute(KeyValue::new("late", true));
}

#[test]
fn traces_through_threads_families_rings_and_shutdown() {
    const ROUNDS: usize = 8;
    const EACH: u64 = 1 + 3 * 5 * 2;
    for sampled in [true, false] {
        for manual in [true, false] {
            let (telemetry, captured) = telemetry(sampled, manual);
            for round in 0..ROUNDS {
                trace(&telemetry, round);
                if round % 3 == 0 {
                    telemetry.collect(Duration::from_secs(60)).expect("in time");
                }
            }
            let answer = telemetry.shutdown(Duration::from_secs(60));
            let lost = telemetry.books().lost().total();
            assert_eq!(answer.map_or_else(|error| error.lost(), |()| 0), lost);
            assert_eq!(finished(&telemetry), ROUNDS as u64 * EACH);
            assert_eq!(in_flight(&telemetry), 0);
            let counts = telemetry.counts();
            assert_eq!(
                (counts.parked_bytes, counts.panics, counts.late_calls),
                (0, 0, ROUNDS as u64)
            );
            let seen = captured.take_spans().len() as u64 + counts.ring_full;
            let let_go = counts.keep_truncated + counts.keep_dropped;
            if sampled {
                assert_eq!((seen, let_go), (ROUNDS as u64 * EACH, 0));
            } else {
                // The answered roots themselves are dropped uncounted: nobody asked for them.
                assert_eq!(seen + let_go + ROUNDS as u64 / 4, ROUNDS as u64 * EACH);
            }
        }
    }
}

#[test]
fn a_full_ring_gives_its_records_back() {
    let (telemetry, captured) = telemetry(true, true);
    let kind = telemetry.kind(&WORK);
    for _ in 0..600 {
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
    }
    telemetry.collect(Duration::from_secs(60)).expect("manual");
    let full = telemetry.counts().ring_full;
    assert_eq!(
        (captured.take_spans().len() as u64 + full, full > 0),
        (600, true)
    );
}

#[test]
fn operations_that_end_while_their_thread_does() {
    thread_local! {
        static BEFORE: RefCell<Option<Operation>> = const { RefCell::new(None) };
        static AFTER: RefCell<Option<Operation>> = const { RefCell::new(None) };
    }
    let (telemetry, captured) = telemetry(true, true);
    let kind = telemetry.kind(&WORK);
    std::thread::spawn(move || {
        // Destructors run in some order around ours: one of the two ends after the thread's own part is gone.
        BEFORE.with(|slot| slot.borrow_mut().take());
        let start = || Some(kind.start(Labels::NONE, Parent::Root));
        let operation = start();
        BEFORE.set(operation);
        AFTER.set(start());
    })
    .join()
    .expect("no panic");
    telemetry.collect(Duration::from_secs(60)).expect("manual");
    let spans = captured.take_spans();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.outcome == Outcome::CANCELLED));
    assert_eq!((finished(&telemetry), in_flight(&telemetry)), (2, 0));
}

#[test]
fn the_counter_runs_forward() {
    // With the processor's counter where it can be trusted, which is where the unsafe line is.
    let (telemetry, captured) = telemetry(true, true);
    let operation = telemetry.kind(&WORK).start(Labels::NONE, Parent::Root);
    let started = std::time::Instant::now();
    while started.elapsed() < Duration::from_millis(2) {
        std::hint::spin_loop();
    }
    operation.end(Outcome::ANSWERED);
    telemetry.collect(Duration::from_secs(60)).expect("manual");
    let span = captured.take_spans().remove(0);
    assert!(span.end > span.start, "{span:?}");
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        println!("clock: {}", Clock::fastest().name());
    }
}
