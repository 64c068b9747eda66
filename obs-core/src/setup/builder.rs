//! The builder: plain data, by value.

use super::collector::Collector;
use super::control::Control;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::context::ContextMode;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::error::Error;
use crate::ids::IdGenerator;
use crate::level::StatsLevel;
use crate::sampling::HeadSampler;
use crate::subscriber::Subscriber;
use std::sync::Arc;
use std::time::Duration;

/// What is kept although the head decision left it out.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KeepPolicy {
    /// Whether anything is, but for what is forced.
    pub late: bool,
    /// Operations that ended in an error, and their traces.
    pub errors: bool,
    /// Operations slower than this, where their kind or method has no threshold of its own.
    pub slow: Option<Duration>,
    /// Bytes of children that wait for undecided roots, over all traces.
    pub parked_bytes: usize,
    /// Children that wait in one trace.
    pub parked_children: usize,
    /// A root open for longer holds its finished children no more: they are decided by their own outcome.
    pub patience: Duration,
}

impl Default for KeepPolicy {
    fn default() -> Self {
        let config = Config::default();
        Self {
            late: config.late_keep,
            errors: config.keep_errors,
            slow: config.slow,
            parked_bytes: config.parked_bytes,
            parked_children: config.family_children,
            patience: config.patience,
        }
    }
}

/// Builds a [`Telemetry`].
#[must_use]
#[derive(Debug)]
pub struct Builder {
    clock: Clock,
    sampler: HeadSampler,
    config: Config,
    subscribers: Subscribers,
    manual: bool,
    collect_every: Duration,
}

#[derive(Default)]
struct Subscribers(Vec<Box<dyn Subscriber>>);

impl std::fmt::Debug for Subscribers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} subscribers", self.0.len())
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::fastest(),
            sampler: HeadSampler::default(),
            config: Config::default(),
            subscribers: Subscribers::default(),
            manual: false,
            collect_every: Duration::from_millis(200),
        }
    }

    /// Where time comes from.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The head decision.
    pub fn with_sampler(mut self, sampler: HeadSampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Where trace and span ids come from; by default each thread makes its own.
    pub fn with_id_generator(mut self, ids: Arc<dyn IdGenerator>) -> Self {
        self.config.ids = Some(ids);
        self
    }

    /// The level of all kinds.
    pub fn with_level(mut self, level: StatsLevel) -> Self {
        self.config.level = level;
        self
    }

    /// The level of one kind, by its descriptor's name: `http.server`.
    pub fn with_kind_level(mut self, kind: &str, level: StatsLevel) -> Self {
        self.config.kind_mut(kind).level = Some(level);
        self
    }

    /// From when one kind is slow, by its descriptor's name.
    pub fn with_kind_slow(mut self, kind: &str, slow: Duration) -> Self {
        self.config.kind_mut(kind).slow = Some(slow);
        self
    }

    /// What is kept although the head decision left it out.
    pub fn with_keep(mut self, keep: KeepPolicy) -> Self {
        let config = &mut self.config;
        config.late_keep = keep.late;
        config.keep_errors = keep.errors;
        config.slow = keep.slow;
        config.parked_bytes = keep.parked_bytes;
        config.family_children = keep.parked_children;
        config.patience = keep.patience;
        self
    }

    /// What the rest of OpenTelemetry sees of a current operation.
    pub fn with_context_mode(mut self, mode: ContextMode) -> Self {
        self.config.context = mode;
        self
    }

    /// Whether measures (body sizes, message counts) are histograms too, and not only attributes of spans.
    pub fn with_measures(mut self, measures: bool) -> Self {
        self.config.measures = measures;
        self
    }

    /// How many label sets a group of metrics may have; what comes later shares one series.
    pub fn with_max_series(mut self, series: u32) -> Self {
        self.config.max_series = series.max(1);
        self
    }

    /// How many threads record without sharing; by default four per core.
    pub fn with_shards(mut self, shards: usize) -> Self {
        self.config.shards = shards;
        self
    }

    /// How long one observable may take before it sits out the next collections.
    pub fn with_observable_deadline(mut self, deadline: Duration) -> Self {
        self.config.observable_deadline = deadline;
        self
    }

    /// Who gets finished operations besides the exporter.
    pub fn with_subscriber(mut self, subscriber: impl Subscriber + 'static) -> Self {
        self.subscribers.0.push(Box::new(subscriber));
        self
    }

    /// No threads: nothing happens but inside [`Telemetry::collect`]. For functions, command-line tools, tests.
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// How often the collector's thread looks for finished operations.
    pub fn with_collect_interval(mut self, every: Duration) -> Self {
        self.collect_every = every.max(Duration::from_millis(1));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When a setting cannot be used, or the system refuses a thread.
    pub fn build(self) -> Result<Telemetry, Error> {
        let engine = Engine::new(self.clock, self.sampler, self.config);
        let collector = Collector::new(engine, self.subscribers.0);
        let control = if self.manual {
            Control::manual(collector, engine)
        } else {
            Control::threaded(collector, engine, self.collect_every)?
        };
        Ok(Telemetry::new(engine, control))
    }
}
