//! The engine of one telemetry: what its threads own, what they share, and how a finished operation is decided.
//!
//! The hot path reads top to bottom in `operation.rs`, `engine/local.rs` and `engine/finish.rs`.

pub(crate) mod cells;
pub(crate) mod checks;
pub(crate) mod config;
pub(crate) mod counts;
pub(crate) mod diagnostics;
pub(crate) mod exemplars;
pub(crate) mod exponential;
pub(crate) mod family;
pub(crate) mod finish;
pub(crate) mod flow;
pub(crate) mod fold;
pub(crate) mod histogram;
pub(crate) mod in_flight;
pub(crate) mod instruments;
#[cfg(feature = "sdk")]
pub(crate) mod intakes;
#[cfg(not(feature = "sdk"))]
#[path = "engine/no_intakes.rs"]
pub(crate) mod intakes;
pub(crate) mod kind;
pub(crate) mod lent;
pub(crate) mod live;
pub(crate) mod local;
pub(crate) mod log_queue;
pub(crate) mod metric_set;
pub(crate) mod observables;
pub(crate) mod parked;
#[cfg(feature = "metrics")]
pub(crate) mod recorded;
#[cfg(not(feature = "metrics"))]
#[path = "engine/no_recorded.rs"]
pub(crate) mod recorded;
pub(crate) mod registry;
pub(crate) mod ring;
pub(crate) mod shard;
pub(crate) mod shards;
pub(crate) mod sources;
pub(crate) mod views;
pub(crate) mod waiting;

use crate::annotate::Annotators;
use crate::clock::Clock;
use crate::descriptor::Descriptor;
use crate::fork::{Kept, PerProcess};
use crate::level::StatsLevel;
use crate::redact::{Caps, Looking};
use crate::sampling::HeadSampler;
use crate::witness::Witnesses;
use config::Config;
use counts::Counts;
use diagnostics::Diagnostics;
use exemplars::Exemplars;
use flow::Flow;
use instruments::Instruments;
use intakes::Intakes;
use kind::Kind;
use lent::Lent;
use local::Local;
use log_queue::LogQueue;
use metric_set::MetricSet;
use observables::Observables;
use parked::Parked;
use recorded::Recorded;
use registry::Registry;
use shard::Shard;
use shards::Shards;
use sources::Sources;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;
use std::time::Duration;
use views::Views;
use waiting::Waiting;

pub(crate) struct Engine {
    pub(crate) clock: Clock,
    pub(crate) sampler: HeadSampler,
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) counts: Counts,
    pub(crate) flow: Flow,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) parked: Parked,
    pub(crate) waiting: Waiting,
    pub(crate) exemplars: Exemplars,
    pub(crate) instruments: Instruments,
    pub(crate) recorded: Recorded,
    pub(crate) observables: Observables,
    pub(crate) sources: Sources,
    pub(crate) views: Views,
    pub(crate) lent: Lent,
    pub(crate) logs: LogQueue,
    /// Who has something to say of operations of other crates.
    pub(crate) annotators: Annotators,
    /// Who is told of operations in sessions.
    pub(crate) witnesses: Witnesses,
    /// What comes from the user's OpenTelemetry SDK.
    pub(crate) intakes: Intakes,
    /// When it was made, in ticks.
    pub(crate) started: u64,
    kinds: Kept<Vec<&'static Kind>>,
    next_set: AtomicU16,
    shards: PerProcess<Shards<Shard>>,
    fallback: PerProcess<Mutex<Option<Box<Local>>>>,
    collector: OnceLock<Thread>,
    shut_down: AtomicBool,
    closed: AtomicBool,
    /// Which process it was made in, and which it is in, as far as that was noticed.
    born: u32,
    generation: AtomicU32,
    /// When that process began to record, in ticks and in nanoseconds since the Unix epoch; 0 in the one it was made in.
    forked_ticks: AtomicU64,
    forked_nanos: AtomicU64,
}

impl Engine {
    pub(crate) fn new(clock: Clock, sampler: HeadSampler, mut config: Config) -> &'static Self {
        config.asks_first =
            config.ids.is_some() || config.recorder.is_sdk() || config.looks_for_forks;
        let born = crate::fork::notice();
        // Leaked once per telemetry: a handle is then `Copy`, and a layer cloned per request counts no references.
        Box::leak(Box::new(Self {
            sampler,
            parked: Parked::new(config.parked_bytes),
            waiting: Waiting::new(config.waiting_bytes),
            exemplars: Exemplars::default(),
            logs: LogQueue::new(config.log_bytes),
            annotators: Annotators::default(),
            witnesses: Witnesses::default(),
            intakes: Intakes::default(),
            registry: Registry::new(config.total_series),
            shards: PerProcess::new(Shards::new(config.shards)),
            views: Views::new(
                std::mem::take(&mut config.views),
                std::mem::take(&mut config.boundaries),
            ),
            started: clock.ticks(),
            clock,
            config,
            counts: Counts::default(),
            flow: Flow::default(),
            diagnostics: Diagnostics::default(),
            instruments: Instruments::default(),
            recorded: Recorded::default(),
            observables: Observables::default(),
            sources: Sources::default(),
            lent: Lent::default(),
            kinds: Kept::default(),
            next_set: AtomicU16::new(0),
            fallback: PerProcess::default(),
            collector: OnceLock::new(),
            shut_down: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            born,
            generation: AtomicU32::new(born),
            forked_ticks: AtomicU64::new(0),
            forked_nanos: AtomicU64::new(0),
        }))
    }

    /// Whoever has to see a text before it waits, if anybody has to.
    pub(crate) fn looking(&self) -> Option<Looking<'_>> {
        self.config
            .redactors
            .looking(&self.counts.panics, Caps::NONE)
    }

    /// The same for what an SDK of the user's recorded, which is also cut where a cap was set.
    #[cfg(feature = "sdk")]
    pub(crate) fn looking_at_sdk(&self) -> Option<Looking<'_>> {
        self.config
            .redactors
            .looking(&self.counts.panics, self.config.sdk_caps)
    }

    /// The kind of a descriptor, registered at first sight.
    pub(crate) fn kind(&'static self, descriptor: &'static Descriptor) -> &'static Kind {
        let mut kinds = self.kinds.write();
        if let Some(known) = kinds
            .iter()
            .find(|kind| std::ptr::eq(kind.descriptor, descriptor))
        {
            return known;
        }
        let kind: &'static Kind = Box::leak(Box::new(Kind::new(
            self,
            descriptor,
            (self.next_set_id(), self.next_set_id()),
        )));
        if self.is_shut_down() {
            kind.switch_off();
        } else {
            self.check_kind(descriptor);
            self.warn_if_recorded(&kind.set);
            if let Some((gauge, _)) = &kind.gauge {
                self.warn_if_recorded(gauge);
            }
        }
        kinds.push(kind);
        kind
    }

    pub(crate) fn kinds(&self) -> Vec<&'static Kind> {
        self.kinds.read().clone()
    }

    /// Numbers of groups of metrics; each group needs its own.
    pub(crate) fn next_set_id(&self) -> u16 {
        self.next_set.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn ticks(&self, duration: Duration) -> u64 {
        (duration.as_secs_f64() * self.clock.ticks_per_second()) as u64
    }

    /// Values that found their label's set full, records that found no room for their labels, and points of others for which
    /// there was none.
    pub(crate) fn overflowed_labels(&self) -> u64 {
        let mut sum = self.sources.over();
        let mut count = |set: &MetricSet| {
            sum += set.overflowed.load(Ordering::Relaxed);
            sum += set
                .spaces
                .iter()
                .map(|space| space.overflowed())
                .sum::<u64>();
        };
        self.kinds().iter().for_each(|kind| count(&kind.set));
        self.instruments.each_set(&mut count);
        sum
    }

    /// A shard for a thread that records for the first time.
    fn acquire(&self) -> Arc<Shard> {
        self.shards_here().acquire(|owned| self.make_shard(owned))
    }

    fn common_shard(&self) -> Arc<Shard> {
        self.shards_here().common(|owned| self.make_shard(owned))
    }

    /// The cells of a series that is set, which are in one place.
    #[cfg(feature = "metrics")]
    pub(crate) fn common_cells(&self, series: u32, count: usize) -> Option<cells::Cells> {
        self.common_shard().cells(series, count).cloned()
    }

    fn shards_here(&self) -> &Shards<Shard> {
        let here = || self.shards.get(|parents| Shards::new(parents.most()));
        if here().is_busy() {
            crate::fork::notice();
        }
        here()
    }

    fn make_shard(&self, owned: bool) -> Shard {
        let series = self.config.total_series + registry::OVERFLOWS + registry::RESERVED;
        let shard = Shard::new(owned, series, self.config.ring);
        // Shards are made under the lock that `close` lists them under: either it lists this one, or this is true.
        if self.is_closed() {
            shard.ring.close();
        }
        shard
    }

    /// The thread of this shard has ended.
    fn release(&self, shard: &Arc<Shard>) {
        if shard.owned {
            self.shards_here().release(shard.clone());
        }
    }

    pub(crate) fn shards(&self) -> Vec<Arc<Shard>> {
        self.shards_here().all()
    }

    /// Finished operations that the collector has not taken yet.
    pub(crate) fn in_rings(&self) -> u64 {
        let shards = self.shards();
        shards.iter().map(|shard| shard.ring.len() as u64).sum()
    }

    /// How many there is room for.
    pub(crate) fn ring_capacity(&self) -> u64 {
        (self.shards().len() * 2 * self.config.ring) as u64
    }

    pub(crate) fn set_collector(&self, thread: Thread) {
        let _ = self.collector.set(thread);
    }

    /// Wakes the collector, if it is a thread.
    pub(crate) fn wake(&self) {
        if let Some(thread) = self.collector.get() {
            thread.unpark();
        }
    }

    /// Whether this is the collector's thread, which must not wait for itself.
    pub(crate) fn is_collector(&self) -> bool {
        let here = || std::thread::current().id();
        self.collector
            .get()
            .is_some_and(|thread| thread.id() == here())
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Relaxed)
    }

    /// The collection that comes is the last: what ends later finds no room and is counted.
    pub(crate) fn close(&self) {
        self.logs.settle(true);
        self.close_now();
        self.warn_of_unused_views();
    }

    /// The same where nobody can wait for those who write logs: nothing is taken any more, and what is there stays.
    pub(crate) fn close_now(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for shard in self.shards() {
            shard.ring.close();
        }
        self.logs.close();
        self.intakes.close();
    }

    /// Looks which process this is, and begins anew in a child that was forked meanwhile: in manual mode with numbers of its
    /// own, with threads as one that records nothing. Says which process it is.
    #[inline]
    pub(crate) fn settle(&self) -> u32 {
        let generation = crate::fork::notice();
        if self.generation.load(Ordering::Acquire) != generation {
            self.begin_anew(generation);
        }
        generation
    }

    /// The same where it is asked at each recording.
    #[inline(always)]
    pub(crate) fn look_for_fork(&self) {
        if self.config.looks_for_forks {
            self.settle();
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_anew(&self, generation: u32) {
        let known = self.generation.load(Ordering::Acquire);
        let first = self.generation.compare_exchange(
            known,
            generation,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if known == generation || first.is_err() {
            return;
        }
        self.counts.begin_anew();
        self.flow.begin_anew();
        self.parked.begin_anew();
        self.waiting.begin_anew();
        let now = self.clock.unix_nanos();
        self.forked_ticks
            .store(self.clock.ticks(), Ordering::Relaxed);
        self.forked_nanos.store(now, Ordering::Relaxed);
        if self.config.threads {
            self.kinds().iter().for_each(|kind| kind.switch_off());
        }
        if self.is_closed() {
            self.logs.close();
        }
    }

    /// Whether its threads are another process's: nothing that is recorded here goes anywhere.
    pub(crate) fn is_inert(&self) -> bool {
        self.config.threads && self.settle() != self.born
    }

    /// When this process began to record, in ticks; 0 in the one that the telemetry was made in.
    pub(crate) fn forked_ticks(&self) -> u64 {
        self.forked_ticks.load(Ordering::Relaxed)
    }

    /// Since when something counts that was there at `registered`.
    ///
    /// Where the wall clock was set back it is now, and stays: nothing may have begun after it is looked at.
    pub(crate) fn counts_since(&self, registered: &AtomicU64, now: u64) -> u64 {
        let registered = registered.fetch_min(now, Ordering::Relaxed);
        let forked = self.forked_nanos.fetch_min(now, Ordering::Relaxed);
        registered.max(forked).min(now)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// From now on nothing new starts; what runs may end. Says whether this was the first call.
    pub(crate) fn shut_down(&self) -> bool {
        let first = !self.shut_down.swap(true, Ordering::Relaxed);
        for kind in self.kinds() {
            kind.switch_off();
        }
        first
    }
}

/// Little: it holds its kinds, which hold it, and texts of users.
impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.config)
            .field("shut_down", &self.shut_down)
            .finish_non_exhaustive()
    }
}

/// The engine of [`Telemetry::noop`](crate::Telemetry::noop): one for all, shut down, so that nobody meets another in it.
pub(crate) fn noop() -> &'static Engine {
    static NOOP: OnceLock<&'static Engine> = OnceLock::new();
    NOOP.get_or_init(|| {
        let config = Config {
            level: StatsLevel::Disabled,
            ..Config::default()
        };
        let engine = Engine::new(Clock::portable(), HeadSampler::default(), config);
        engine.shut_down();
        engine
    })
}
