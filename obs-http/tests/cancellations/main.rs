//! 100,000 random cancellations on a multi-thread runtime: nothing is lost, nothing is counted twice, nothing leaks.
//!
//! A binary of its own with one test: it counts the live heap of the whole process.

mod storm;

use obs_core::metrics::{Data, Temporality};
use obs_core::sampling::HeadSampler;
use obs_core::setup::environment::Environment;
use obs_core::{Builder, Records, Subscriber, Telemetry};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use storm::{Starts, Storm, WORK};
use tokio::runtime::Runtime;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const EXCHANGES: u64 = 100_000;
const WORKERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes on the heap now.
fn live_heap() -> u64 {
    let stats = HEAP.stats();
    (stats.bytes_allocated - stats.bytes_deallocated) as u64
}

/// Counts records, and keeps none: what it held would look like a leak.
struct Count(Arc<AtomicU64>);

impl Subscriber for Count {
    fn on_records(&mut self, records: Records<'_>) {
        self.0.fetch_add(records.len() as u64, Ordering::Relaxed);
    }
}

struct Rig {
    telemetry: Telemetry,
    records: Arc<AtomicU64>,
}

impl Rig {
    fn new(set: impl FnOnce(Builder) -> Builder) -> Self {
        let records = Arc::default();
        let builder = Telemetry::builder()
            .with_environment(Environment::default())
            .manual()
            .with_subscriber(Count(Arc::clone(&records)));
        let telemetry = set(builder).build().expect("a usable configuration");
        Self { telemetry, records }
    }

    fn collect(&self) -> u64 {
        self.telemetry.collect(PATIENCE).expect("in time");
        self.records.load(Ordering::Relaxed)
    }

    /// Values of a histogram, or the sum of a gauge, over all series.
    fn total(&self, name: &str) -> i64 {
        let metrics = self.telemetry.reader(Temporality::Cumulative).collect();
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

    fn exchanges(&self) -> u64 {
        self.total("http.server.request.duration") as u64
    }

    /// One in each exchange.
    fn clients(&self) -> u64 {
        self.total("http.client.request.duration") as u64
    }

    fn children(&self) -> u64 {
        self.total(WORK.duration.as_ref().expect("it has one").name) as u64
    }

    #[track_caller]
    fn at_rest(&self) {
        assert_eq!(self.total("http.server.active_requests"), 0, "exchanges");
        assert_eq!(self.total("http.client.active_requests"), 0, "clients");
        let gauge = WORK.in_flight.as_ref().expect("it has one").name;
        assert_eq!(self.total(gauge), 0, "children");
        let counts = self.telemetry.counts();
        assert_eq!(counts.parked_bytes, 0, "bytes that wait for roots");
        assert_eq!(counts.panics, 0, "panics inside the instrumentation");
    }
}

/// A storm, and the runtime it rages on.
struct Run {
    rig: Rig,
    storm: Storm,
    runtime: Runtime,
    lost_before: Cell<u64>,
}

impl Run {
    fn new(sampler: HeadSampler) -> Self {
        let rig = Rig::new(|builder| builder.with_sampler(sampler));
        let storm = Storm::new(rig.telemetry);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            rig,
            storm,
            runtime,
            lost_before: Cell::new(0),
        }
    }

    /// What there is before the storm, but with all buffers at their size: smaller storms have passed.
    fn calm(&self) -> Left {
        self.rage(EXCHANGES / 2);
        self.rage(EXCHANGES / 10)
    }

    /// Storms, and says what is left.
    fn rage(&self, exchanges: u64) -> Left {
        self.runtime.block_on(self.storm.rage(exchanges));
        self.rig.collect();
        let lost = self.rig.telemetry.counts().ring_full;
        self.runtime.block_on(self.storm.renew_pools(WORKERS));
        let records = self.rig.collect();
        self.rig.at_rest();
        Left {
            starts: self.storm.starts(),
            exchanges: self.rig.exchanges(),
            clients: self.rig.clients(),
            children: self.rig.children(),
            records,
            lost_in_the_storm: lost
                - self
                    .lost_before
                    .replace(self.rig.telemetry.counts().ring_full),
            lost: self.rig.telemetry.counts().ring_full,
            heap: live_heap(),
        }
    }
}

/// What there is after a storm.
#[derive(Clone, Copy, Debug)]
struct Left {
    starts: Starts,
    exchanges: u64,
    clients: u64,
    children: u64,
    records: u64,
    /// For want of room, all in all; and in this storm, without the pools' renewal.
    lost: u64,
    lost_in_the_storm: u64,
    heap: u64,
}

impl Left {
    /// What must hold whatever is sampled.
    #[track_caller]
    fn check(&self, before: &Self) {
        let (was, is) = (before.starts, self.starts);
        assert_eq!(is.exchanges - was.exchanges, EXCHANGES, "starts");
        assert!(is.children - was.children > EXCHANGES / 2, "{is:?}");
        assert_eq!(self.exchanges, is.exchanges, "points of exchanges");
        assert_eq!(self.clients, is.exchanges, "points of clients");
        assert_eq!(self.children, is.children, "points of children");
        assert_eq!(self.lost_in_the_storm, 0, "records without room");
        let change = self.heap.abs_diff(before.heap) as f64 / before.heap as f64;
        assert!(
            change <= 0.01,
            "the heap went from {} to {} bytes",
            before.heap,
            self.heap
        );
    }
}

/// One after the other: side by side they would see each other's heap.
#[test]
fn a_hundred_thousand_random_cancellations_leave_nothing_behind() {
    everything_sampled();
    nothing_sampled_and_errors_kept_late();
}

fn everything_sampled() {
    let run = Run::new(HeadSampler::always_on());
    let before = run.calm();
    let after = run.rage(EXCHANGES);
    after.check(&before);
    assert_eq!(
        after.records + after.lost,
        2 * after.starts.exchanges + after.starts.children,
        "records"
    );
}

/// Children wait for their roots, and go one way or the other.
fn nothing_sampled_and_errors_kept_late() {
    let run = Run::new(HeadSampler::always_off());
    let before = run.calm();
    let after = run.rage(EXCHANGES);
    after.check(&before);
    let starts = 2 * after.starts.exchanges + after.starts.children;
    assert!(after.records < starts, "{after:?}");
    assert!(after.records > before.records, "{after:?}");
    let counts = run.rig.telemetry.counts();
    assert!(counts.keep_dropped > 0, "{counts:?}");
    assert_eq!(counts.keep_truncated, 0, "{counts:?}");
}
