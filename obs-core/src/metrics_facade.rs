//! What services and libraries record with the macros of the [`metrics`](https://docs.rs/metrics) crate, in cells of ours.
//!
//! ```
//! use obs_core::Telemetry;
//! use obs_core::metrics_facade::MetricsRecorder;
//!
//! let telemetry = Telemetry::builder().manual().build()?;
//! MetricsRecorder::new(&telemetry).install_global()?;
//!
//! metrics::describe_histogram!("checkout", metrics::Unit::Seconds, "How long a checkout takes.");
//! metrics::counter!("orders_total", "shop" => "north").increment(3);
//! metrics::histogram!("checkout").record(0.2);
//!
//! let page = telemetry.prometheus();
//! assert!(page.contains("orders_total{shop=\"north\"} 3\n"));
//! assert!(page.contains("checkout_seconds_bucket{le=\"0.25\"} 1\n"));
//! # Ok::<(), obs_core::Error>(())
//! ```
//!
//! They leave with everything else: over OTLP in either temporality, on the metrics page in both formats, under
//! [views](crate::View), and no longer after shutdown. Their scope is `metrics`, whoever records: the crate says no more.
//!
//! # Two arrangements
//! A service that has `metrics-exporter-prometheus` may keep it as its recorder and have its page joined with ours
//! (`MetricsPage::with_joined` of `obs-http`): then these metrics are on the page only. Or our recorder is the global one, as
//! above, and [hands on](MetricsRecorder::with_forward) to theirs for as long as somebody reads what theirs shows. Not both on
//! one page: each name would be on it twice, which joining refuses.
//!
//! # Names and units
//! A name goes out over OTLP as it was given. On the page it follows the same rules as every other metric: a counter ends in
//! `_total`, once, whether its name does or not; a unit becomes a word, unless the name has it. So `http_requests_total` is
//! that in both places, and `visits` is `visits_total` on the page (where `metrics-exporter-prometheus` shows `visits` unless
//! it is told otherwise). A name that is not of OpenTelemetry's syntax is exported as it is, and
//! [warned about](crate::Telemetry::warnings); an empty one, or one of more than 255 bytes, records nothing.
//!
//! `describe_*` gives unit and description, the first time for each name. It may come after the first recording, but a unit that
//! comes after a scrape renames the metric on the page. Units are UCUM's over OTLP: `s`, `By`, `Mbit/s`, `%`; `Unit::Count` is
//! `{count}`.
//!
//! The first kind under a name has it: a gauge called as a counter is records nothing. The same goes for a name that, on the
//! page, an instrument or a kind of operation has already. Each is warned about, and counted as
//! [a conflict](crate::EngineCounts::instrument_conflicts); what was recorded in vain is
//! [counted](crate::EngineCounts::metrics_refused) too. Where it is ours that comes later, both are exported, with a warning.
//!
//! # Kinds
//! - A counter is a monotonic sum. `absolute` raises it to a total and never lowers it. It takes a lock, for what is polled.
//! - A gauge is in one place that threads share: what is set last is shown.
//! - A histogram has explicit boundaries, for `s` those of durations and for `By` those of sizes
//!   ([`DURATION_BOUNDS`](crate::DURATION_BOUNDS), [`SIZE_BOUNDS`](crate::SIZE_BOUNDS)), by what is described before the first
//!   recording, else by the last word of the name (`_seconds`, `_bytes`); for all others 20 from 0.005 to 10,000.
//!   [`View::with_boundaries`](crate::View::with_boundaries) and [`Builder::with_boundary`](crate::Builder::with_boundary)
//!   change them. A value that is not finite is not recorded, and counted.
//!
//! Counters and gauges are there at 0 once they are registered.
//!
//! # What is bounded
//! Label values may be anything here, even strangers' text. Of one metric there are as many label sets as
//! [the cap](crate::Builder::with_max_series) allows, of all together 16,384 and 16 MiB of text; what comes later shares one
//! series, `otel.metric.overflow`, with exact totals, but for what cannot be added: of a gauge it has what was set last, of
//! totals that are set (`absolute`) the greatest. At most 2,000 names; 16 labels, keys of 128 bytes, beyond which labels are
//! left out; values of 512 bytes, beyond which they read `_OTHER`. What does not fit is counted in `obs.telemetry.dropped`, by
//! the reasons `label_overflow` and `metric_refused`.
//!
//! # What it costs
//! A macro asks for its series each time it is run. What a thread has recorded to lately it finds without a lock or an
//! allocation (but for those of the macro: labels that are no literals are allocated there), and counters and histograms add to
//! cells of the thread's own. A handle that is kept, `let orders = metrics::counter!("orders_total")`, saves the look-up, and
//! works from any thread.

mod cache;
mod forward;
mod series;
mod units;

use crate::attributes::cut;
use crate::descriptor::Scope;
use crate::engine::Engine;
use crate::engine::recorded::{Found, LabelSet, Recording, Said};
use crate::redact::{Looking, Place};
use crate::{Error, Telemetry};
use ::metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};
use forward::Forward;
use series::Series;
use std::borrow::Cow;
use std::sync::Arc;

/// Who emits them: the facade, because whoever called it does not say.
static SCOPE: Scope = Scope {
    name: "metrics",
    version: "",
    schema_url: "",
};

/// A longer description is cut.
const DESCRIPTION_BYTES: usize = 1_024;

/// A recorder of the `metrics` crate, for one telemetry. Several of one telemetry share its metrics.
///
/// What it records is [above](self). Tests need no global one: `metrics::with_local_recorder(&recorder, || …)`.
pub struct MetricsRecorder {
    engine: &'static Engine,
    forward: Option<Forward>,
}

impl MetricsRecorder {
    /// One that records into `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            engine: telemetry.engine(),
            forward: None,
        }
    }

    /// Hands everything on to another recorder too, as it was given, whatever a redactor leaves of it here: `PrometheusBuilder::new().build_recorder()`. It is handed
    /// on whatever becomes of it here, after shutdown too, and what bounds it there is the other's business.
    ///
    /// Each macro then costs what it costs there, and an allocation. A panic of the other recorder ends here, and is
    /// [counted](crate::EngineCounts::panics). What it records itself, while it is called, is recorded here and not handed on.
    pub fn with_forward(mut self, to: impl Recorder + Send + Sync + 'static) -> Self {
        self.forward = Some(Forward::new(self.engine, Box::new(to)));
        self
    }

    /// Makes it what the macros of the process record to.
    ///
    /// # Errors
    /// When there is such a recorder already, of whatever kind.
    pub fn install_global(self) -> Result<(), Error> {
        ::metrics::set_global_recorder(self).map_err(|_| {
            Error::configuration("a global recorder of the crate `metrics` is installed already")
        })
    }

    #[inline]
    fn series(&self, kind: Recording, key: &Key) -> Arc<Series> {
        match cache::find(self.engine, kind, key) {
            Some(known) => known,
            None => self.look_up(kind, key),
        }
    }

    #[cold]
    fn look_up(&self, kind: Recording, key: &Key) -> Arc<Series> {
        let engine = self.engine;
        let seen = engine.looking().and_then(|by| redacted(by, key));
        let labels = LabelSet::of(seen.as_ref().unwrap_or(key));
        let make = |set, series| {
            Arc::new(match kind {
                Recording::Counter => Series::counter(engine, set, series),
                Recording::Gauge => Series::gauge(engine, set, series),
                Recording::Histogram => Series::histogram(engine, set, series),
            })
        };
        let withheld = seen.is_some() && crate::redact::is_within();
        let keep = |series| {
            if !withheld {
                cache::keep(engine, kind, key, &series);
            }
            series
        };
        match engine.recorded(kind, &SCOPE, key.name(), &labels) {
            // What was cut is counted each time.
            Found::Series(set, series) if labels.is_complete() => keep(make(set, series)),
            // Of what has no bound nothing is kept.
            Found::Series(set, series) | Found::Overflow(set, series) => make(set, series),
            Found::Nowhere => keep(Arc::new(Series::nowhere(engine))),
            Found::Refused => keep(Arc::new(Series::refused(engine))),
            Found::Unknown => Arc::new(Series::refused(engine)),
        }
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>, description: &SharedString) {
        self.engine.describe(name.as_str(), || Said {
            unit: units::ucum(unit),
            description: said_for_good(description.clone()),
        });
    }
}

/// The key with what redactors leave of its labels; `None` where they leave all of it.
#[cold]
fn redacted(by: Looking<'_>, key: &Key) -> Option<Key> {
    let mut changed = false;
    let mut labels = Vec::with_capacity(key.labels().len());
    for label in key.labels() {
        let left = by.left(Place::Label, label.key(), label.value());
        changed |= left.as_deref() != Some(label.value());
        labels.extend(left.map(|left| Label::new(label.key().to_owned(), left.into_owned())));
    }
    changed.then(|| Key::from_parts(key.name().to_owned(), labels))
}

/// Leaked if it is not fixed anyway, like the metric that it belongs to: once per name.
fn said_for_good(description: SharedString) -> &'static str {
    match Cow::<'static, str>::from(description) {
        Cow::Borrowed(text) if text.len() <= DESCRIPTION_BYTES => text,
        text => Box::leak(Box::from(cut(&text, DESCRIPTION_BYTES))),
    }
}

impl Recorder for MetricsRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&name, unit, &description);
        if let Some(forward) = &self.forward {
            forward.call(|to| to.describe_counter(name, unit, description));
        }
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&name, unit, &description);
        if let Some(forward) = &self.forward {
            forward.call(|to| to.describe_gauge(name, unit, description));
        }
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&name, unit, &description);
        if let Some(forward) = &self.forward {
            forward.call(|to| to.describe_histogram(name, unit, description));
        }
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let ours = self.series(Recording::Counter, key);
        match &self.forward {
            None => Counter::from_arc(ours),
            Some(forward) => {
                Counter::from_arc(forward.both(ours, |to| to.register_counter(key, metadata)))
            }
        }
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let ours = self.series(Recording::Gauge, key);
        match &self.forward {
            None => Gauge::from_arc(ours),
            Some(forward) => {
                Gauge::from_arc(forward.both(ours, |to| to.register_gauge(key, metadata)))
            }
        }
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let ours = self.series(Recording::Histogram, key);
        match &self.forward {
            None => Histogram::from_arc(ours),
            Some(forward) => {
                Histogram::from_arc(forward.both(ours, |to| to.register_histogram(key, metadata)))
            }
        }
    }
}

impl std::fmt::Debug for MetricsRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsRecorder")
            .field("forwards", &self.forward.is_some())
            .finish_non_exhaustive()
    }
}
