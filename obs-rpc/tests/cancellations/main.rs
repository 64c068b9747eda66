//! 20,000 calls over real sockets that end at random: nothing is lost, nothing is counted twice, nothing leaks.
//!
//! A binary of its own with one test: it counts the live heap of the whole process.
#![cfg(feature = "tonic")]

#[path = "../support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;

mod chance;
mod storm;

use obs_core::metrics::{Data, Temporality};
use obs_core::setup::environment::Environment;
use obs_core::{End, Records, StatsLevel, Subscriber, Telemetry};
use obs_rpc::RPC_CALL;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use storm::Storm;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CALLS: u64 = 20_000;
const WORKERS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);
/// Series that a thread touches for the first time, less of them from storm to storm. One call in twenty that leaves something
/// is more.
const UNSETTLED: u64 = 64 * 1024;

/// Bytes on the heap now.
fn live_heap() -> u64 {
    let stats = HEAP.stats();
    (stats.bytes_allocated - stats.bytes_deallocated) as u64
}

/// How many records ended how; keeps none: what it held would look like a leak.
#[derive(Debug, Default)]
struct Ends {
    answered: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    late: AtomicU64,
    panicked: AtomicU64,
}

impl Ends {
    fn all(&self) -> [u64; 5] {
        let all = [
            &self.answered,
            &self.failed,
            &self.cancelled,
            &self.late,
            &self.panicked,
        ];
        all.map(|ends| ends.load(Ordering::Relaxed))
    }
}

struct Count(Arc<Ends>);

impl Subscriber for Count {
    fn on_records(&mut self, records: Records<'_>) {
        let calls = records
            .iter()
            .filter(|record| record.descriptor().name != RPC_CALL.name);
        for record in calls {
            let ends = match record.outcome().end() {
                End::Answered => &self.0.answered,
                End::Failed => &self.0.failed,
                End::Cancelled => &self.0.cancelled,
                End::TimedOut => &self.0.late,
                End::Panicked => &self.0.panicked,
                other => panic!("no call ends as {other:?}"),
            };
            ends.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Values of a histogram, or the sum of a gauge, over all series.
fn total(telemetry: &Telemetry, name: &str) -> i64 {
    let metrics = telemetry.reader(Temporality::Cumulative).collect();
    let found = metrics.iter().filter(|metric| metric.name == name);
    found
        .map(|metric| match &metric.data {
            Data::Histogram { points, .. } => {
                points.iter().map(|point| point.count as i64).sum::<i64>()
            }
            Data::Sum { points, .. } => {
                points.iter().map(|point| point.value.as_f64() as i64).sum()
            }
            _ => 0,
        })
        .sum()
}

/// Everything has ended: the server may need a moment to see its clients go.
fn at_rest(telemetry: &Telemetry) {
    let begun = Instant::now();
    for side in ["client", "server"] {
        let gauge = format!("obs.rpc.{side}.active_calls");
        while total(telemetry, &gauge) != 0 {
            let left = total(telemetry, &gauge);
            assert!(begun.elapsed() < PATIENCE, "{left} calls at the {side}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn twenty_thousand_random_cancellations_leave_nothing_behind() {
    let ends = Arc::<Ends>::default();
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_level(StatsLevel::Detailed)
        .with_measures(true)
        .manual()
        .with_subscriber(Count(Arc::clone(&ends)))
        .build()
        .expect("a usable configuration");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .expect("a runtime");
    let storm = Storm::new(telemetry);
    let mut lost = 0;
    let mut rage = |calls| {
        runtime.block_on(storm.rage(calls));
        at_rest(&telemetry);
        telemetry.collect(PATIENCE).expect("in time");
        let lost_before_renewal = telemetry.counts().ring_full;
        assert_eq!(lost_before_renewal, lost, "records without room");
        runtime.block_on(storm.renew_pools(WORKERS));
        telemetry.collect(PATIENCE).expect("in time");
        lost = telemetry.counts().ring_full;
        live_heap()
    };
    // All buffers at their size first, and all series touched on all threads: smaller storms have passed.
    let [_, _, before] = [CALLS / 4; 3].map(&mut rage);
    let after = rage(CALLS);

    let starts = storm.starts();
    assert!(starts.clients >= CALLS, "{starts:?}");
    assert!(
        starts.servers >= CALLS / 2,
        "most come to the server: {starts:?}"
    );
    let points = |name| total(&telemetry, name) as u64;
    assert_eq!(points("rpc.client.call.duration"), starts.clients);
    assert_eq!(points("rpc.server.call.duration"), starts.servers);
    assert_eq!(points("obs.rpc.client.request.messages"), starts.clients);
    assert_eq!(points("obs.rpc.server.response.size"), starts.servers);
    let counts = telemetry.counts();
    assert_eq!(counts.panics, 0, "panics inside the instrumentation");
    assert_eq!(counts.parked_bytes, 0, "bytes that wait for roots");
    let ends = ends.all();
    let records: u64 = ends.iter().sum();
    assert_eq!(records, starts.clients + starts.servers, "{ends:?}");
    // It was a storm: of each ending there were many.
    assert!(ends.iter().all(|ends| *ends > CALLS / 200), "{ends:?}");
    assert!(
        after <= before + UNSETTLED,
        "the heap went from {before} to {after} bytes"
    );
}
