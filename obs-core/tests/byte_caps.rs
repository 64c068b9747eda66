//! What a telemetry holds is what it may hold: the live heap of the process, by a counting allocator, with a destination that is
//! dead and load without end.
//!
//! What it holds beside its queues (records in pools and rings, buffers of encoders) is measured by the same load with a
//! destination that takes everything. A binary of its own: it counts the whole process, one case at a time.

#[path = "support/support.rs"]
mod support;

use obs_core::courier::{Batch, Sent, Settings, Transport};
use obs_core::otel::KeyValue;
use obs_core::{
    Body, Builder, Delivery, Labels, LogEvent, Outcome, Parent, Records, Subscriber, Telemetry,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use support::{METHOD, STEP, WORK, builder, sampler};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn count(more: usize) {
    let live = LIVE.fetch_add(more, Ordering::Relaxed) + more;
    MOST.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: everything is handed to the system's allocator as it comes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `dealloc`, and all memory is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const LONG: Duration = Duration::from_secs(60);

/// The most that was live at a time during `work`, beyond what was before.
fn most_during(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    work();
    MOST.load(Ordering::Relaxed) - before
}

/// A destination that takes everything, or none of it.
#[derive(Debug)]
struct Destination {
    dead: bool,
}

impl Transport for Destination {
    fn send(&mut self, _: &Batch, _: Instant) -> Sent {
        if self.dead {
            Sent::retry("nobody is there")
        } else {
            Sent::DELIVERED
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Load {
    SmallSpans,
    /// 256 KiB of attributes each, of which the telemetry keeps what one operation may hold.
    LargeSpans,
    Events,
    SmallLogs,
    LargeLogs,
}

impl Load {
    fn once(self, telemetry: &Telemetry) {
        let kind = telemetry.kind(&WORK);
        let labels = Labels::NONE.with(METHOD, kind.label(METHOD, "load"));
        match self {
            Self::SmallSpans => kind.start(labels, Parent::Root).end(Outcome::ANSWERED),
            Self::LargeSpans => {
                let mut operation = kind.start(labels, Parent::Root);
                let handle = operation.handle().expect("recording");
                for index in 0..16 {
                    let text = "x".repeat(16 * KIB);
                    handle.set_attribute(KeyValue::new(format!("large.{index}"), text));
                }
                operation.set(STEP, &*"y".repeat(256 * KIB));
                operation.end(Outcome::ANSWERED);
            }
            Self::Events => {
                let mut operation = kind.start(labels, Parent::Root);
                let handle = operation.handle().expect("recording");
                for index in 0..20 {
                    handle.add_event("event", vec![KeyValue::new("index", index)]);
                }
                operation.end(Outcome::ANSWERED);
            }
            Self::SmallLogs => {
                telemetry.emit(LogEvent::new("test.log", Body::Text("a line".into())));
            }
            Self::LargeLogs => {
                let text = Body::Text("z".repeat(64 * KIB));
                telemetry.emit(LogEvent::new("test.log", text));
            }
        }
    }

    /// Roughly what one takes when it is encoded.
    fn bytes(self) -> usize {
        match self {
            Self::SmallSpans => 100,
            Self::LargeSpans => 128 * KIB,
            Self::Events => KIB,
            Self::SmallLogs => 60,
            Self::LargeLogs => 64 * KIB,
        }
    }

    /// Twice as much as fits into `cap`.
    fn number(self, cap: usize) -> usize {
        2 * cap / self.bytes()
    }
}

fn telemetry(cap: usize, dead: bool, set: impl FnOnce(Builder) -> Builder) -> Telemetry {
    let settings = Settings::default()
        .with_capacity_bytes(cap)
        .with_backoff(Duration::from_secs(3600), Duration::from_secs(3600));
    let delivery = Delivery::through(Destination { dead }).with_settings(settings);
    set(builder()
        .with_sampler(sampler(true))
        .with_delivery(delivery)
        .with_metric_interval(Duration::from_secs(3600)))
    .build()
    .expect("usable")
}

/// In manual mode, by one thread: what is collected goes out as far as it can.
fn manually(load: Load, cap: usize, dead: bool) -> usize {
    let telemetry = telemetry(cap, dead, Builder::manual);
    // What waits to be collected is little against the cap.
    let every = (cap / 16 / load.bytes()).clamp(1, 64);
    let most = most_during(|| {
        for index in 0..load.number(cap) {
            load.once(&telemetry);
            if index % every == every - 1 {
                telemetry.collect(LONG).expect("collected");
                if !dead {
                    telemetry.flush(LONG).expect("delivered");
                }
            }
        }
        telemetry.collect(LONG).expect("collected");
    });
    let total = telemetry.accounts().total();
    assert!(total.is_balanced());
    if dead {
        let full = total.dropped.by(obs_core::courier::DropReason::QueueFull);
        assert!(full > 0, "{load:?}: it was never full: {total:?}");
        assert_eq!(total.delivered, 0);
    }
    // A dead one is not waited for.
    let _ = telemetry.shutdown(Duration::ZERO);
    most
}

#[track_caller]
fn check(load: Load, cap: usize) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // Once before: what a process makes at first use is not the telemetry's.
    manually(load, cap.min(MIB), false);
    let besides = manually(load, cap, false);
    let all = manually(load, cap, true);
    let held = all.saturating_sub(besides);
    assert!(
        held <= cap + cap / 20,
        "{load:?}: {held} bytes are held where {cap} may be, besides {besides}"
    );
    assert!(
        held >= cap / 10 * 8,
        "{load:?}: {held} bytes of {cap} are used, besides {besides}"
    );
}

#[test]
fn a_dead_destination_holds_its_cap_of_small_spans() {
    check(Load::SmallSpans, MIB);
    check(Load::SmallSpans, 8 * MIB);
}

#[test]
fn a_dead_destination_holds_its_cap_of_spans_with_256_kib_of_attributes() {
    check(Load::LargeSpans, MIB);
    check(Load::LargeSpans, 8 * MIB);
    check(Load::LargeSpans, 64 * MIB);
}

#[test]
fn a_dead_destination_holds_its_cap_of_events() {
    check(Load::Events, MIB);
    check(Load::Events, 8 * MIB);
}

#[test]
fn a_dead_destination_holds_its_cap_of_logs() {
    check(Load::LargeLogs, MIB);
    check(Load::LargeLogs, 8 * MIB);
    check(Load::LargeLogs, 64 * MIB);
    check(Load::SmallLogs, MIB);
}

/// Holds the collector in its first batch.
#[derive(Clone, Default)]
struct Hung(Arc<(Mutex<bool>, Condvar, AtomicBool)>);

impl Hung {
    fn hang(&self) {
        let (over, changed, reached) = &*self.0;
        reached.store(true, Ordering::Release);
        let over = over.lock().expect("nobody panics");
        drop(changed.wait_while(over, |over| !*over));
    }

    fn wait_until_reached(&self) {
        let deadline = Instant::now() + LONG;
        while !self.0.2.load(Ordering::Acquire) {
            assert!(Instant::now() < deadline, "the collector never came");
            std::thread::yield_now();
        }
    }

    fn let_go(&self) {
        *self.0.0.lock().expect("nobody panics") = true;
        self.0.1.notify_all();
    }
}

impl Subscriber for Hung {
    fn on_records(&mut self, _: Records<'_>) {
        self.hang();
    }
}

/// With a collector that hangs, by `threads` threads: the most that is held on the way to it.
fn hung(load: Load, waiting: usize, threads: usize, each: usize) -> (usize, u64) {
    let subscriber = Hung::default();
    let telemetry = telemetry(MIB, true, |builder| {
        builder
            .with_subscriber(subscriber.clone())
            .with_shards(threads)
            .with_waiting_bytes(waiting)
    });
    Load::SmallSpans.once(&telemetry);
    subscriber.wait_until_reached();
    let most = most_during(|| {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| (0..each).for_each(|_| load.once(&telemetry)));
            }
        });
    });
    let counts = telemetry.counts();
    subscriber.let_go();
    // A dead one is not waited for.
    let _ = telemetry.shutdown(Duration::ZERO);
    (most, counts.waiting_full + counts.log_events_full)
}

#[track_caller]
fn check_hung(load: Load, waiting: usize) {
    const THREADS: usize = 8;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let each = 4 * waiting / load.bytes() / THREADS;
    // What threads and rings take, however little waits in them; one at work per thread.
    let (besides, _) = hung(Load::SmallSpans, waiting, THREADS, each.max(600));
    let at_work = THREADS * 2 * load.bytes();
    let (all, dropped) = hung(load, waiting, THREADS, each);
    assert!(dropped > 0, "{load:?}: it was never full");
    let held = all.saturating_sub(besides + at_work);
    assert!(
        held <= waiting + waiting / 20,
        "{load:?}: {held} bytes wait where {waiting} may, besides {besides} and {at_work}"
    );
    assert!(
        all >= waiting / 2,
        "{load:?}: {all} bytes of {waiting} are used"
    );
}

#[test]
fn what_waits_for_a_collector_that_hangs_is_bounded_in_bytes_over_all_threads() {
    check_hung(Load::LargeSpans, 8 * MIB);
    check_hung(Load::LargeSpans, 32 * MIB);
    check_hung(Load::Events, 4 * MIB);
    check_hung(Load::LargeLogs, 8 * MIB);
    check_hung(Load::SmallLogs, MIB);
}
