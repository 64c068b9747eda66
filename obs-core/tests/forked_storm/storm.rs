//! Some of the forks fall into each of our locks.

use crate::child::spawn_to_end_by;
use crate::collector::{Collector, PATIENCE};
use crate::everything::everything;
use crate::received::{self, destinations};
use crate::support::*;
use obs_core::{Labels, Outcome, Parent, Telemetry};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const ROUNDS: usize = 60;

fn busy(telemetry: &Telemetry, over: &AtomicBool, collects: bool) {
    let mut step = 0_u64;
    while !over.load(Ordering::Relaxed) {
        // Texts that were not met before, so that tables are written.
        everything(telemetry, &format!("busy {step}"));
        if collects {
            let _ = telemetry.flush(Duration::from_millis(200));
        }
        step += 1;
    }
}

/// Runs `work` in a forked child that ends by becoming another program. `exit` is not for a child that was forked while
/// threads started or ended: it takes a lock of the standard library's, which such a thread may have held.
fn try_in_child(work: impl FnOnce()) -> Result<(), String> {
    spawn_to_end_by(work, |code| {
        let error = Command::new("sh")
            .args(["-c", "exit $0", &code.to_string()])
            .exec();
        panic!("no shell: {error}")
    })
    .wait()
}

/// Forks `ROUNDS` times beside threads at work.
#[track_caller]
fn storm(telemetry: &Telemetry, collects: bool, work: impl Fn()) {
    let over = AtomicBool::new(false);
    let bad = std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| busy(telemetry, &over, collects));
        }
        // Threads that come and go, whose places change hands.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let telemetry = *telemetry;
                let thread = std::thread::spawn(move || everything(&telemetry, "short"));
                thread.join().expect("no panic");
            }
        });
        // A child that hung ends the series: one is enough.
        let bad = (0..ROUNDS).find_map(|round| {
            let ended = try_in_child(&work);
            ended.err().map(|why| (round, why))
        });
        over.store(true, Ordering::Relaxed);
        bad
    });
    assert_eq!(bad, None, "the round, and what became of the child");
}

#[test]
fn every_child_of_a_busy_manual_telemetry_is_whole() {
    let collector = Collector::start([]);
    let telemetry = builder()
        .manual()
        .with_sampler(sampler(true))
        .with_otlp_to(destinations(&collector))
        .build()
        .expect("usable");
    storm(&telemetry, true, || {
        let kind = telemetry.kind(&WORK);
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
        everything(&telemetry, "child");
        telemetry.flush(PATIENCE).expect("delivered");
        assert_eq!(telemetry.accounts().traces.delivered, 3);
        telemetry.shutdown(PATIENCE).expect("nothing was lost");
    });
    telemetry.shutdown(PATIENCE).expect("nothing was lost");
    let own = i64::from(std::process::id());
    let spans = received::spans(&collector);
    let (ours, theirs): (Vec<_>, Vec<_>) = spans.iter().partition(|(from, _)| from.pid == own);
    assert_eq!(theirs.len(), 3 * ROUNDS);
    assert_eq!(ours.len() as u64, telemetry.accounts().traces.delivered);
    let mut ids: Vec<_> = spans.iter().map(|(_, span)| &span.span_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "no span came twice");
}

#[test]
fn no_child_of_a_busy_telemetry_with_threads_hangs() {
    let collector = Collector::start([]);
    let telemetry = builder()
        .with_sampler(sampler(true))
        .with_collect_interval(Duration::from_millis(1))
        .with_metric_interval(Duration::from_millis(1))
        .with_otlp_to(destinations(&collector))
        .build()
        .expect("usable");
    let rounds = AtomicU64::new(0);
    telemetry.observe(|| ());
    storm(&telemetry, false, || {
        rounds.fetch_add(1, Ordering::Relaxed);
        for _ in 0..600 {
            let kind = telemetry.kind(&WORK);
            kind.start(Labels::NONE, Parent::Root)
                .end(Outcome::ANSWERED);
        }
        everything(&telemetry, "child");
        telemetry
            .shutdown(PATIENCE)
            .expect_err("what was recorded here is lost");
    });
    telemetry
        .shutdown(PATIENCE)
        .expect("the parent lost nothing");
    let own = i64::from(std::process::id());
    let spans = received::spans(&collector);
    assert!(spans.iter().all(|(from, _)| from.pid == own));
    assert_eq!(spans.len() as u64, telemetry.accounts().traces.delivered);
    assert!(
        received::logs(&collector)
            .iter()
            .all(|(_, text)| text != "child")
    );
}
