//! The builder: plain data, by value.

use super::collector::Collector;
use super::control::{About, Control};
use super::environment::{Environment, PerSignal, TemporalityPreference};
use super::exporter::Exporter;
use super::resource::Resource;
use super::telemetry::Telemetry;
use crate::clock::Clock;
use crate::context::ContextMode;
#[cfg(feature = "otlp")]
use crate::courier::Destinations;
use crate::courier::{self, Courier, Transport};
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::lent::RaiseRule;
use crate::error::Error;
use crate::ids::IdGenerator;
use crate::level::StatsLevel;
use crate::metrics::Temporality;
use crate::propagation::Propagator;
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
    environment: Option<Environment>,
    resource: Option<Resource>,
    service_name: Option<String>,
    sampler: Option<HeadSampler>,
    propagator: Option<Propagator>,
    otlp: Otlp,
    metric_interval: Option<Duration>,
    temporality: Option<Temporality>,
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
            environment: None,
            resource: None,
            service_name: None,
            sampler: None,
            propagator: None,
            otlp: Otlp::default(),
            metric_interval: None,
            temporality: None,
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

    /// What stands in for the process's `OTEL_*` variables; `Environment::default()` is none at all.
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// The service's name, beside what can be detected and what the environment says.
    pub fn with_service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Who is speaking, and nothing besides; by default what can be detected and what the environment says.
    pub fn with_resource(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Exports traces, metrics and structured events over OTLP/HTTP, to where `OTEL_EXPORTER_OTLP_*` says, by default
    /// `http://localhost:4318`.
    #[cfg(feature = "otlp")]
    pub fn with_otlp(mut self) -> Self {
        self.otlp = Otlp::Environment;
        self
    }

    /// The same, to given destinations: code beats the environment.
    #[cfg(feature = "otlp")]
    pub fn with_otlp_to(mut self, destinations: Destinations) -> Self {
        self.otlp = Otlp::To(Box::new(destinations));
        self
    }

    /// Exports encoded OTLP through a transport of the caller's.
    pub fn with_transport(mut self, transport: impl Transport) -> Self {
        self.otlp = Otlp::Through(Box::new(|settings| Courier::new(transport, settings)));
        self
    }

    /// How often metrics are exported; by default `OTEL_METRIC_EXPORT_INTERVAL`, else a minute.
    pub fn with_metric_interval(mut self, every: Duration) -> Self {
        self.metric_interval = Some(every.max(Duration::from_millis(1)));
        self
    }

    /// Whether exported metrics count from the start or from the last export; by default
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, else from the start.
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.temporality = Some(temporality);
        self
    }

    /// The head decision; by default `OTEL_TRACES_SAMPLER`, else `parentbased_always_on`.
    pub fn with_sampler(mut self, sampler: HeadSampler) -> Self {
        self.sampler = Some(sampler);
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

    /// Raises a method to Detailed for a time after an error or a slow call. Default: nothing is raised.
    pub fn with_raise(mut self, rule: RaiseRule) -> Self {
        self.config.raise = Some(rule);
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

    /// Whether histograms of operations carry exemplars: for each bucket the latest exported operation that counted in
    /// it. Default: yes. What is not exported is never an exemplar.
    pub fn with_exemplars(mut self, exemplars: bool) -> Self {
        self.config.exemplars = exemplars;
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
        if environment.sdk_disabled {
            return Ok(Telemetry::noop());
        }
        let sampler = self
            .sampler
            .unwrap_or_else(|| sampler_of(&environment, &mut warnings));
        let resource = match self.resource.take() {
            Some(resource) => resource,
            None => {
                let resource = Resource::builder().with_environment(&environment);
                match self.service_name.take() {
                    Some(name) => resource.with_service_name(name),
                    None => resource,
                }
                .build()
            }
        };
        for subscriber in &mut self.subscribers.0 {
            subscriber.set_resource(&resource);
        }
        limits_of(&environment, &mut self.config);
        self.config.propagator = self
            .propagator
            .unwrap_or_else(|| propagator_of(&environment, &mut warnings));
        let courier = self.otlp.courier(&environment)?.map(Arc::new);
        let engine = Engine::new(self.clock, sampler, self.config);
        super::self_metrics::register(engine, courier.as_ref().map(Arc::downgrade));
        let exporter = courier.map(|courier| {
            let preference =
                environment
                    .temporality_preference
                    .map(|preference| match preference {
                        TemporalityPreference::Cumulative => Temporality::Cumulative,
                        _ => Temporality::Delta,
                    });
            let interval = self.metric_interval.or(environment.metric_export_interval);
            Exporter::new(
                engine,
                courier,
                &resource,
                self.temporality.or(preference).unwrap_or_default(),
                interval.unwrap_or(Duration::from_secs(60)),
                signals_of(&environment),
            )
        });
        let collector = Collector::new(engine, self.subscribers.0, exporter);
        let about = About { resource, warnings };
        let control = if self.manual {
            Control::manual(collector, engine, about)
        } else {
            Control::threaded(collector, engine, about, self.collect_every)?
        };
        Ok(Telemetry::new(engine, control))
    }
}

/// Where encoded signals go.
#[derive(Default)]
enum Otlp {
    #[default]
    Nowhere,
    #[cfg(feature = "otlp")]
    Environment,
    #[cfg(feature = "otlp")]
    To(Box<Destinations>),
    Through(Box<dyn FnOnce(courier::Settings) -> Courier>),
}

impl std::fmt::Debug for Otlp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nowhere => "Nowhere",
            #[cfg(feature = "otlp")]
            Self::Environment => "Environment",
            #[cfg(feature = "otlp")]
            Self::To(_) => "To",
            Self::Through(_) => "Through",
        })
    }
}

impl Otlp {
    fn courier(self, environment: &Environment) -> Result<Option<Courier>, Error> {
        let settings = courier::Settings::default();
        Ok(match self {
            Self::Nowhere => None,
            #[cfg(feature = "otlp")]
            Self::Environment => Some(Courier::new(
                courier::HttpTransport::new(&environment.destinations())?,
                settings,
            )),
            #[cfg(feature = "otlp")]
            Self::To(destinations) => Some(Courier::new(
                courier::HttpTransport::new(&destinations)?,
                settings,
            )),
            Self::Through(make) => {
                let _ = environment;
                Some(make(settings))
            }
        })
    }
}

fn sampler_of(environment: &Environment, warnings: &mut Vec<String>) -> HeadSampler {
    let (name, arg) = (
        environment.traces_sampler.as_deref(),
        environment.traces_sampler_arg.as_deref(),
    );
    HeadSampler::from_env_values(name, arg).unwrap_or_else(|error| {
        warnings.push(error.to_string());
        error.fallback()
    })
}

fn propagator_of(environment: &Environment, warnings: &mut Vec<String>) -> Propagator {
    let names = environment.propagators.as_deref().unwrap_or_default();
    Propagator::from_env_value(&names.join(",")).unwrap_or_else(|unknown| {
        warnings.push(format!(
            "OTEL_PROPAGATORS: `{}` is not known here; `tracecontext,baggage` is used (others: `Builder::with_propagator`)",
            unknown.escape_debug()
        ));
        Propagator::W3c
    })
}

/// `OTEL_{TRACES,METRICS,LOGS}_EXPORTER=none` switches a signal off.
fn signals_of(environment: &Environment) -> PerSignal<bool> {
    let on = |list: &Option<Vec<String>>| {
        !list
            .as_ref()
            .is_some_and(|list| list.iter().all(|name| name == "none"))
    };
    let exporters = &environment.exporters;
    PerSignal {
        traces: on(&exporters.traces),
        metrics: on(&exporters.metrics),
        logs: on(&exporters.logs),
    }
}

fn limits_of(environment: &Environment, config: &mut Config) {
    let limits = &environment.limits;
    if let Some(count) = limits.attributes {
        config.bounds.count = u32::try_from(count).unwrap_or(u32::MAX);
        config.side.attributes = count;
    }
    if let Some(length) = limits.value_length {
        config.bounds.value_bytes = u32::try_from(length).unwrap_or(u32::MAX);
        config.side.value_bytes = length;
    }
    config.side.events = limits.events.unwrap_or(config.side.events);
    config.side.links = limits.links.unwrap_or(config.side.links);
    config.side.per_event = limits.attributes_per_event.unwrap_or(config.side.per_event);
    if config.known_http_methods.is_none() {
        config.known_http_methods = environment.http_known_methods.clone();
    }
}
