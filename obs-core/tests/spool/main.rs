//! The spool on real disks, and processes that end as suddenly as `kill -9` makes them. What no real disk does on demand is
//! tested inside the crate, on a simulated one.
#![cfg(all(unix, feature = "spool", feature = "otlp"))]
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "children talk to their tests, and tests say what they measured"
)]

mod child;
#[path = "../courier/collector.rs"]
#[allow(dead_code, reason = "the tests of the courier use more of it")]
mod collector;
mod disks;
mod ends;
mod forked;
mod kill;
mod scratch;
#[path = "../support/support.rs"]
mod support;
mod telemetry;

use std::time::{Duration, Instant};

use obs_core::courier::{Batch, Capture, Courier, Fsync, Sent, Settings, Signal, SpoolSettings};

use collector::PATIENCE;
use scratch::Scratch;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

fn quick() -> Settings {
    Settings::default().with_backoff(Duration::from_millis(5), Duration::from_millis(20))
}

/// One that takes nothing.
fn refusing() -> Capture {
    Capture::new().with_answer(|_| Sent::retry("refused"))
}

/// A body that says its number, and is as long as asked.
fn numbered(number: u64, bytes: usize) -> Batch {
    let mut body = number.to_le_bytes().to_vec();
    body.resize(bytes.max(8), number as u8);
    Batch::new(Signal::Traces, body, 1)
}

fn number_of(body: &[u8]) -> u64 {
    u64::from_le_bytes(body[..8].try_into().expect("a number"))
}

/// Leaves so many batches in a spool.
fn fill(spool: &SpoolSettings, batches: u64, bytes: usize) {
    let settings = quick().with_spool(spool.clone().with_patience(Duration::ZERO));
    let courier = Courier::new(refusing(), settings);
    courier.start().expect("threads");
    for number in 0..batches {
        // No faster than memory allows.
        while courier.accounts().pending_bytes > 32 << 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
        courier.outbox().push(numbered(number, bytes));
    }
    courier.shutdown(soon()).expect("kept");
    assert_eq!(courier.accounts().traces.spooled, batches);
}

/// The one test that says how fast it is, with `--nocapture`; of more than 262 MB if `OBS_SPOOL_BATCHES` says so, of 64 KiB
/// each. One bar is that of a gigabyte, which takes four times as long to find.
#[test]
fn a_large_spool_is_found_again_within_two_seconds() {
    let scratch = Scratch::new();
    let spool = SpoolSettings::at(scratch.path("spool")).with_fsync(Fsync::Never);
    let asked = std::env::var("OBS_SPOOL_BATCHES").ok();
    let batches: u64 = asked.map_or(4_000, |asked| asked.parse().expect("a number"));
    let bytes = 64 << 10;
    let megabytes = (batches as usize * bytes) as f64 / 1e6;
    let started = Instant::now();
    fill(&spool, batches, bytes);
    let written = started.elapsed();
    let capture = Capture::new();
    let courier = Courier::new(capture.clone(), quick().with_spool(spool));
    let started = Instant::now();
    courier.start().expect("threads");
    while courier.accounts().traces.recovered == 0 {
        assert!(started.elapsed() < PATIENCE, "{courier:?}");
        std::thread::sleep(Duration::from_micros(100));
    }
    let found = started.elapsed();
    courier.flush(soon()).expect("delivered");
    let delivered = started.elapsed() - found;
    courier.shutdown(soon()).expect("nothing was lost");
    let numbers: Vec<_> = capture
        .take()
        .iter()
        .map(|batch| number_of(&batch.body))
        .collect();
    assert_eq!(numbers, (0..batches).collect::<Vec<_>>());
    let per_batch = |took: Duration| took.as_secs_f64() * 1e6 / batches as f64;
    println!(
        "{batches} batches, {megabytes:.0} MB: written in {written:?} ({:.0} MB/s, {:.0} us a batch), found in {found:?}, \
         read and marked in {delivered:?} ({:.0} MB/s, {:.0} us a batch)",
        megabytes / written.as_secs_f64(),
        per_batch(written),
        megabytes / delivered.as_secs_f64(),
        per_batch(delivered),
    );
    assert!(found < Duration::from_secs(2), "{found:?}");
}
