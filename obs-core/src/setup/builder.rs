//! The builder: plain data, by value.

use super::asked::{limits_of, propagator_of, sampler_of, signals_of};
use super::collector::Collector;
use super::control::Control;
use super::delivery::{self, Delivery};
use super::environment::Environment;
use super::exporter::Exporter;
use super::resource::Resource;
use super::telemetry::Telemetry;
use crate::aggregation::HistogramAggregation;
use crate::clock::Clock;
use crate::context::ContextMode;
#[cfg(feature = "otlp")]
use crate::courier::Destinations;
use crate::courier::{Signal, Transport};
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::counts::Count;
use crate::engine::diagnostics::{Diagnostic, Hook};
use crate::engine::fold::Preference;
use crate::engine::lent::RaiseRule;
use crate::error::Error;
use crate::fork::PerProcess;
use crate::ids::IdGenerator;
use crate::level::StatsLevel;
use crate::metrics::Temporality;
use crate::propagation::Propagator;
use crate::recorder::Recorder;
use crate::redact::{Caps, Redactor, UserIds};
use crate::sampling::HeadSampler;
use crate::subscriber::Subscriber;
use crate::view::{self, View};
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
    /// Operations slower than this, where their kind or method has no threshold of its own; by default none is slow.
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
    environment: Option<Environment>,
    resource: Option<Resource>,
    service_name: Option<String>,
    sampler: Option<HeadSampler>,
    propagator: Option<Propagator>,
    deliveries: Vec<Delivery>,
    metric_interval: Option<Duration>,
    temporality: Option<Temporality>,
    exemplars: Option<bool>,
    histograms: Option<HistogramAggregation>,
    config: Config,
    /// What was set of that which a provider's recorder has no use for.
    flat_only: Vec<&'static str>,
    subscribers: Subscribers,
    diagnostics: OnDiagnostic,
    manual: bool,
    collect_every: Option<Duration>,
}

#[derive(Default)]
struct OnDiagnostic(Option<Hook>);

impl std::fmt::Debug for OnDiagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "told" } else { "not told" })
    }
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
            environment: None,
            resource: None,
            service_name: None,
            sampler: None,
            propagator: None,
            deliveries: Vec::new(),
            metric_interval: None,
            temporality: None,
            exemplars: None,
            histograms: None,
            config: Config::default(),
            flat_only: Vec::new(),
            subscribers: Subscribers::default(),
            diagnostics: OnDiagnostic::default(),
            manual: false,
            collect_every: None,
        }
    }

    /// Where time comes from.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// What stands in for the process's `OTEL_*` variables; `Environment::default()` is none at all.
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// The service's name, beside what can be detected and what the environment says; it beats that of
    /// [`with_resource`](Self::with_resource).
    pub fn with_service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Who is speaking, and nothing besides but a name of [`with_service_name`](Self::with_service_name); by default what can be detected and what the environment says.
    pub fn with_resource(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Exports traces, metrics and structured events over OTLP, to where `OTEL_EXPORTER_OTLP_*` says, by default
    /// `http://localhost:4318`.
    #[cfg(feature = "otlp")]
    pub fn with_otlp(self) -> Self {
        self.with_delivery(Delivery::from_environment())
    }

    /// The same, to given destinations: code beats the environment.
    #[cfg(feature = "otlp")]
    pub fn with_otlp_to(self, destinations: Destinations) -> Self {
        self.with_delivery(Delivery::otlp(destinations))
    }

    /// Exports encoded OTLP through a transport of the caller's.
    pub fn with_transport(self, transport: impl Transport) -> Self {
        self.with_delivery(Delivery::through(transport))
    }

    /// Exports to a destination besides those named before: each is given everything.
    pub fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.deliveries.push(delivery);
        self
    }

    /// How often metrics are exported; by default `OTEL_METRIC_EXPORT_INTERVAL`, else a minute.
    pub fn with_metric_interval(mut self, every: Duration) -> Self {
        self.metric_interval = Some(every.max(Duration::from_millis(1)));
        self
    }

    /// Whether exported metrics count from the start or from the last export; by default
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, else from the start. Those of an SDK's instruments by
    /// `Telemetry::metric_exporter` (feature `sdk`), too.
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.temporality = Some(temporality);
        self
    }

    /// The head decision; by default `OTEL_TRACES_SAMPLER`, else `parentbased_always_on`.
    pub fn with_sampler(mut self, sampler: HeadSampler) -> Self {
        self.sampler = Some(sampler);
        self.flat_only.push("with_sampler");
        self
    }

    /// How layers of servers read what their callers send; by default `OTEL_PROPAGATORS` (`tracecontext`, `baggage`,
    /// `none`), else the W3C's formats. Others than those are slower: they look headers up by name and allocate.
    pub fn with_propagator(mut self, propagator: Propagator) -> Self {
        self.propagator = Some(propagator);
        self
    }

    /// Where trace and span ids come from; by default each thread makes its own.
    pub fn with_id_generator(mut self, ids: Arc<dyn IdGenerator>) -> Self {
        self.config.ids = Some(ids);
        self.flat_only.push("with_id_generator");
        self
    }

    /// Who records the spans of operations; by default this crate.
    pub fn with_recorder(mut self, recorder: Recorder) -> Self {
        self.config.recorder = recorder;
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

    /// From when one kind is slow, by its descriptor's name: a call that takes as long or longer is kept.
    ///
    /// This is a matter of traces: buckets stay as they are, so that those of all services add up. For an alert at the
    /// same threshold see [`with_boundary`](Self::with_boundary).
    pub fn with_kind_slow(mut self, kind: &str, slow: Duration) -> Self {
        self.config.kind_mut(kind).slow = Some(slow);
        self
    }

    /// Raises a method to Detailed for a time after an error or a slow call. Default: nothing is raised.
    pub fn with_raise(mut self, rule: RaiseRule) -> Self {
        self.config.raise = Some(rule);
        self
    }

    /// What is kept although the head decision left it out.
    pub fn with_keep(mut self, keep: KeepPolicy) -> Self {
        self.flat_only.push("with_keep");
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

    /// The HTTP methods that are labels of their own, as they are spelled: the whole list, in place of the usual ones; by
    /// default `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`, else those of the conventions.
    pub fn with_known_http_methods<M: Into<String>>(
        mut self,
        methods: impl IntoIterator<Item = M>,
    ) -> Self {
        self.config.known_http_methods = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// Whether histograms of operations carry exemplars: for each bucket the latest exported operation that counted in
    /// it. By default `OTEL_METRICS_EXEMPLAR_FILTER`, else yes. What is
    /// handed to no exporter and no subscriber is never an exemplar.
    pub fn with_exemplars(mut self, exemplars: bool) -> Self {
        self.exemplars = Some(exemplars);
        self
    }

    /// How all histograms count that no [view](View) has an aggregation or boundaries for; by default
    /// `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`, else by explicit boundaries.
    pub fn with_histograms(mut self, aggregation: impl Into<HistogramAggregation>) -> Self {
        self.histograms = Some(aggregation.into());
        self
    }

    /// What becomes of the metrics that a [view](View) selects; may be called several times.
    ///
    /// [`Telemetry::warnings`] says of two streams under one name, and of a view that matched nothing after a minute or
    /// until the end.
    pub fn with_view(mut self, view: View) -> Self {
        self.config.views.push(view);
        self
    }

    /// A boundary that a histogram has besides its own (or its [view's](Self::with_view)), by the metric's name as it is
    /// registered and in its unit: an alert on the share of calls above 300 ms is exact where a bucket ends at 0.3.
    ///
    /// ```
    /// # use obs_core::Telemetry;
    /// let telemetry = Telemetry::builder()
    ///     .with_boundary("http.server.request.duration", 0.3)
    ///     .manual()
    ///     .build()?;
    /// # Ok::<(), obs_core::Error>(())
    /// ```
    ///
    /// A bucket has what takes up to its boundary, with that. All that report to one backend want the same boundaries:
    /// buckets that some lack do not add up to a quantile. At most 256 of one metric.
    pub fn with_boundary(mut self, metric: impl Into<String>, limit: f64) -> Self {
        self.config.boundaries.push((metric.into(), limit));
        self
    }

    /// How many label sets a group of metrics may have; what comes later shares one series.
    pub fn with_max_series(mut self, series: u32) -> Self {
        self.config.max_series = series.max(1);
        self
    }

    /// How many bytes of dynamic attributes, events and links one operation may have, with what they take in memory; by
    /// default 128 KiB, twice the content of a model call. What does not fit is counted on the span as dropped.
    pub fn with_dynamic_bytes(mut self, bytes: usize) -> Self {
        self.config.side.total_bytes = bytes;
        self
    }

    /// How many bytes may wait for the collector: of finished operations that hold much (events, links, dynamic attributes, long
    /// texts), over all threads, and as much again of log events; by default 16 MiB. What finds no room is dropped and counted.
    pub fn with_waiting_bytes(mut self, bytes: usize) -> Self {
        self.config.waiting_bytes = bytes;
        self.config.log_bytes = bytes;
        self
    }

    /// How many threads record without sharing; by default four per core.
    pub fn with_shards(mut self, shards: usize) -> Self {
        self.config.shards = shards;
        self
    }

    /// How long a collection waits for observables, by default a second. One that takes longer is counted, and sits out
    /// the next ten.
    pub fn with_observable_deadline(mut self, deadline: Duration) -> Self {
        self.config.observable_deadline = deadline;
        self
    }

    /// How long [`Telemetry::shutdown`] waits for operations that are still running, by default half a second; never longer
    /// than a tenth of its deadline. What is still running then is lost when it ends. Operations of a kind without an
    /// [in-flight gauge](crate::Descriptor::in_flight) are not waited for.
    pub fn with_shutdown_grace(mut self, grace: Duration) -> Self {
        self.config.shutdown_grace = grace;
        self
    }

    /// Who gets finished operations besides the exporter.
    pub fn with_subscriber(mut self, subscriber: impl Subscriber + 'static) -> Self {
        self.subscribers.0.push(Box::new(subscriber));
        self
    }

    /// Who sees each text before it waits in any queue, and may replace it or take it out; by default nobody. May be called
    /// several times: each redactor sees what the one before it left. See [`redact`](crate::redact).
    pub fn with_redactor(mut self, redactor: impl Redactor) -> Self {
        self.config.redactors.push(redactor);
        self
    }

    /// What becomes of the ids of users, by default nothing. See [`UserIds`].
    pub fn with_user_ids(mut self, user_ids: UserIds) -> Self {
        self.config.user_ids = user_ids;
        self
    }

    /// How many bytes a text may have, in an attribute or a name; by default 16 KiB. What is longer is cut, and says at its
    /// end how much is missing: `…[+n bytes]`. A list has 1,024 elements at most, and one of texts says behind them how many more
    /// there were: `…[+n elements]`. What is logged has limits of its own, and so have
    /// [bodies](Self::with_body_bytes). `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` cuts spans besides, to so many characters and
    /// without a mark, as the specification has it.
    ///
    /// Once it is set it holds for spans and log records of an OpenTelemetry SDK of the service's own, too (see `sdk`, feature
    /// `sdk`), which are otherwise exported as they are: that SDK does not cut texts.
    pub fn with_value_bytes(mut self, bytes: usize) -> Self {
        self.config.bounds.value_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.config.side.value_bytes = bytes;
        #[cfg(feature = "sdk")]
        {
            self.config.sdk_caps.value = bytes;
        }
        self
    }

    /// How many bytes each text in the body of a structured event may have, which is where content travels; by default 64 KiB.
    /// What is longer is cut as [elsewhere](Self::with_value_bytes). Bytes are not, as half of an image is none: an event for which
    /// there is no room is counted. Once it is set it holds for bodies of an SDK's log records, too.
    pub fn with_body_bytes(mut self, bytes: usize) -> Self {
        self.config.body_bytes = bytes;
        #[cfg(feature = "sdk")]
        {
            self.config.sdk_caps.body = bytes;
        }
        self
    }

    /// Who is told what is wrong: each of [`Telemetry::warnings`], and after a collection in which delivery failed the
    /// [last problem](Telemetry::last_problem). Nothing is printed otherwise.
    ///
    /// It is called on the collector's thread, and a last time by whoever shuts down; in manual mode inside the calls.
    /// Where `OTEL_SDK_DISABLED` is set there is no thread, and [`build`](Self::build) calls it. A panic in it is
    /// contained and counted; it must not block for long, because collections wait behind it. What it logs is written as
    /// lines and becomes no record: one about a delivery that failed would have to be delivered.
    ///
    /// ```
    /// let telemetry = obs_core::Telemetry::builder()
    ///     .with_diagnostics(|diagnostic| eprintln!("telemetry: {diagnostic}"))
    ///     .manual()
    ///     .build()?;
    /// # Ok::<(), obs_core::Error>(())
    /// ```
    pub fn with_diagnostics(
        mut self,
        tell: impl Fn(Diagnostic<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.diagnostics = OnDiagnostic(Some(Box::new(tell)));
        self
    }

    /// No threads: nothing happens but inside [`Telemetry::collect`]. For functions, command-line tools, tests, and processes
    /// that fork.
    ///
    /// A forked child is whole: it has ids, numbers, a resource and connections of its own
    /// ([`Transport::remake`](crate::courier::Transport::remake)), and delivers what it records itself. What was pending at the
    /// fork, and operations that ran, stay the parent's. For that each operation asks the kernel which process it is in, once
    /// when it begins and once when it ends. With threads a child is inert: what is recorded there is let go of, and
    /// [`shutdown`](Telemetry::shutdown) says so at once.
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// How often the collector's thread looks for finished operations; by default `OTEL_BSP_SCHEDULE_DELAY`, else 200 ms.
    pub fn with_collect_interval(mut self, every: Duration) -> Self {
        self.collect_every = Some(every);
        self
    }

    /// Starts it.
    ///
    /// Values of the environment that cannot be used are passed over: [`Telemetry::warnings`] says which and why.
    ///
    /// # Errors
    /// When a setting made in code cannot be used, or the system refuses a thread.
    pub fn build(mut self) -> Result<Telemetry, Error> {
        let environment = self
            .environment
            .take()
            .unwrap_or_else(Environment::from_process);
        let mut warnings: Vec<String> = environment
            .warnings()
            .iter()
            .map(|warning| warning.to_string())
            .collect();
        if self.config.recorder.is_sdk() {
            warnings.extend(self.flat_only.iter().map(|set| unused(set)));
        }
        let sampler = self
            .sampler
            .unwrap_or_else(|| sampler_of(&environment, &mut warnings));
        let resource = match self.resource.take() {
            Some(resource) => resource,
            None => Resource::builder().with_environment(&environment).build(),
        };
        let resource = match self.service_name.take() {
            Some(name) => resource.renamed(name),
            None => resource,
        };
        self.config.user_ids.check()?;
        if !self.config.user_ids.are_kept() {
            let first = self.config.user_ids.clone();
            self.config.redactors.push_first(first);
        }
        let panics = Count::default();
        let resource = match self.config.redactors.looking(&panics, Caps::NONE) {
            Some(by) => resource.redacted(by),
            None => resource,
        };
        self.config.views.iter().try_for_each(View::check)?;
        view::check_boundaries(&self.config.boundaries)?;
        limits_of(&environment, &mut self.config);
        let histograms = self.histograms.or(environment.histograms);
        self.config.histograms = histograms.unwrap_or_default();
        self.config.histograms.check()?;
        self.config.exemplars = self.exemplars.or(environment.exemplars).unwrap_or(true);
        let asked = environment.temporality_preference.map(Preference::from);
        let temporality = self.temporality.map(Preference::from).or(asked);
        self.config.temporality = temporality.unwrap_or(Preference::Cumulative);
        self.config.propagator = self
            .propagator
            .unwrap_or_else(|| propagator_of(&environment, &mut warnings));
        let hook = self.diagnostics.0;
        let start = |config| {
            let engine = Engine::new(self.clock, sampler, config);
            engine.counts.panics.add(panics.read());
            warnings
                .into_iter()
                .for_each(|warning| engine.diagnostics.warn(warning));
            if let Some(hook) = hook {
                engine.diagnostics.set_hook(hook);
            }
            engine
        };
        // Leaked as the engine is: handles are `Copy`.
        let leak = |resource| -> &'static PerProcess<Resource> {
            Box::leak(Box::new(PerProcess::new(resource)))
        };
        if environment.sdk_disabled {
            self.config.level = StatsLevel::Disabled;
            let engine = start(self.config);
            engine.shut_down();
            engine.diagnostics.tell(|| None);
            return Ok(Telemetry::new(engine, None, leak(resource)));
        }
        for subscriber in &mut self.subscribers.0 {
            subscriber.set_resource(&resource);
        }
        let signals = signals_of(&environment);
        let pushed = Signal::ALL.map(|signal| match signal {
            // The provider exports them.
            Signal::Traces if self.config.recorder.is_sdk() => false,
            _ => *signals.of(signal),
        });
        let couriers = delivery::couriers(self.deliveries, &environment, pushed)?;
        self.config.threads = !self.manual;
        self.config.looks_for_forks = self.manual && cfg!(unix);
        let engine = start(self.config);
        let collections = super::self_metrics::register(engine, couriers.clone());
        let exporter = (!couriers.is_empty()).then(|| {
            let interval = self.metric_interval.or(environment.metric_export_interval);
            Exporter::new(
                engine,
                couriers,
                &resource,
                engine.config.temporality,
                interval.unwrap_or(Duration::from_secs(60)),
                environment.spans.max_export_batch_size,
                collections,
            )
        });
        let resource = leak(resource);
        let collector = Collector::new(engine, self.subscribers.0, exporter);
        let control = if self.manual {
            Control::manual(collector, engine, resource)
        } else {
            let asked = self.collect_every.or(environment.spans.schedule_delay);
            let every = asked.unwrap_or(Duration::from_millis(200));
            Control::threaded(collector, engine, every.max(Duration::from_millis(1)))?
        };
        Ok(Telemetry::new(engine, Some(control), resource))
    }
}

fn unused(setting: &str) -> String {
    format!("`{setting}` has no effect: spans are recorded by a tracer provider (`Recorder::Sdk`)")
}
