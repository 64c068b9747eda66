//! What the builder decided, as plain data.

use crate::aggregation::HistogramAggregation;
use crate::attributes::Bounds;
use crate::context::ContextMode;
use crate::engine::fold::Preference;
use crate::engine::lent::RaiseRule;
use crate::ids::IdGenerator;
use crate::level::StatsLevel;
use crate::propagation::Propagator;
use crate::record::limits::Limits;
use crate::recorder::Recorder;
use crate::redact::{Redactors, UserIds};
use crate::side::SideBounds;
use crate::view::View;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) level: StatsLevel,
    /// Settings of single kinds, by their name.
    pub(crate) kinds: Vec<(String, KindConfig)>,
    pub(crate) slow: Option<Duration>,
    pub(crate) raise: Option<RaiseRule>,
    pub(crate) keep_errors: bool,
    /// Whether late keep is on at all: off, what the head left out is dropped at its end.
    pub(crate) late_keep: bool,
    pub(crate) context: ContextMode,
    pub(crate) ids: Option<Arc<dyn IdGenerator>>,
    pub(crate) recorder: Recorder,
    /// Whether there is something to ask before an operation begins: others for its ids, or the kernel which process this is.
    pub(crate) asks_first: bool,
    pub(crate) propagator: Propagator,
    pub(crate) measures: bool,
    pub(crate) exemplars: bool,
    /// Since when exported points count.
    pub(crate) temporality: Preference,
    pub(crate) views: Vec<View>,
    /// Where no view says otherwise.
    pub(crate) histograms: HistogramAggregation,
    /// Limits that a histogram has besides its own, by the metric's name.
    pub(crate) boundaries: Vec<(String, f64)>,
    pub(crate) known_http_methods: Option<Vec<String>>,
    /// Series of one group of metrics.
    pub(crate) max_series: u32,
    /// Series of all groups.
    pub(crate) total_series: usize,
    /// Shards that threads own.
    pub(crate) shards: usize,
    /// Records in each half of a ring.
    pub(crate) ring: usize,
    /// Records in the pool of a thread.
    pub(crate) pool: usize,
    /// Children that wait in one family, by number and by bytes; bytes over all families.
    pub(crate) family_children: usize,
    pub(crate) family_bytes: usize,
    pub(crate) parked_bytes: usize,
    /// A root open for longer no longer holds its children.
    pub(crate) patience: Duration,
    pub(crate) patience_ticks: OnceLock<u64>,
    pub(crate) observable_deadline: Duration,
    /// How long shutdown waits for operations that are running, at most.
    pub(crate) shutdown_grace: Duration,
    /// Whether there may be threads at all.
    pub(crate) threads: bool,
    /// Whether each thread asks, whenever it records, which process it is in.
    pub(crate) looks_for_forks: bool,
    /// Bytes of large records that wait for the collector.
    pub(crate) waiting_bytes: usize,
    /// Bytes of structured events that wait for the collector.
    pub(crate) log_bytes: usize,
    /// Bytes of one text in the body of one.
    pub(crate) body_bytes: usize,
    pub(crate) bounds: Bounds,
    pub(crate) side: SideBounds,
    /// What of all that is exported.
    pub(crate) limits: Limits,
    /// Who sees each text before it waits.
    pub(crate) redactors: Redactors,
    /// What becomes of the ids of users.
    pub(crate) user_ids: UserIds,
    /// Of what an SDK of the user's recorded: it has none until somebody sets one, as there is none in the SDK.
    #[cfg(feature = "sdk")]
    pub(crate) sdk_caps: crate::redact::Caps,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KindConfig {
    pub(crate) level: Option<StatsLevel>,
    pub(crate) slow: Option<Duration>,
}

impl Config {
    pub(crate) fn kind(&self, name: &str) -> KindConfig {
        self.kinds
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, config)| *config)
            .unwrap_or_default()
    }

    pub(crate) fn kind_mut(&mut self, name: &str) -> &mut KindConfig {
        let index = match self.kinds.iter().position(|(known, _)| known == name) {
            Some(index) => index,
            None => {
                self.kinds.push((name.to_owned(), KindConfig::default()));
                self.kinds.len() - 1
            }
        };
        &mut self.kinds[index].1
    }
}

impl Config {
    pub(crate) fn patience_ticks(&self, engine: &super::Engine) -> u64 {
        *self
            .patience_ticks
            .get_or_init(|| engine.ticks(self.patience))
    }
}

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(4, usize::from);
        Self {
            level: StatsLevel::Base,
            kinds: Vec::new(),
            slow: None,
            raise: None,
            keep_errors: true,
            late_keep: true,
            context: ContextMode::Full,
            ids: None,
            recorder: Recorder::Flat,
            asks_first: false,
            propagator: Propagator::W3c,
            measures: false,
            exemplars: true,
            temporality: Preference::Cumulative,
            views: Vec::new(),
            histograms: HistogramAggregation::default(),
            boundaries: Vec::new(),
            known_http_methods: None,
            max_series: 2_000,
            total_series: 16_384,
            shards: cores * 4,
            ring: 256,
            pool: 256,
            family_children: 256,
            family_bytes: 256 << 10,
            parked_bytes: 32 << 20,
            patience: Duration::from_secs(30),
            patience_ticks: OnceLock::new(),
            observable_deadline: Duration::from_secs(1),
            shutdown_grace: Duration::from_millis(500),
            threads: false,
            looks_for_forks: false,
            waiting_bytes: 16 << 20,
            log_bytes: 16 << 20,
            body_bytes: 64 << 10,
            bounds: Bounds {
                count: 128,
                value_bytes: 16 << 10,
                total_bytes: 64 << 10,
            },
            side: SideBounds {
                attributes: 128,
                events: 128,
                links: 128,
                per_event: 128,
                value_bytes: 16 << 10,
                // A content event of a model call is up to 64 KiB; as much again beside it.
                total_bytes: 128 << 10,
            },
            limits: Limits::default(),
            redactors: Redactors::default(),
            user_ids: UserIds::default(),
            #[cfg(feature = "sdk")]
            sdk_caps: crate::redact::Caps::NONE,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("level", &self.level)
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}
