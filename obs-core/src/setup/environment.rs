//! What the `OTEL_*` variables ask for, typed.
//!
//! Reading is pure and cannot fail: a value that makes no sense becomes a [`Warning`] and counts as unset, as the
//! specification asks (`configuration/sdk-environment-variables.md` and `protocol/exporter.md` of opentelemetry-specification).
//! An empty value is an unset one. Code beats the environment; that precedence is the builder's to apply.
//!
//! # The variables
#![doc = include_str!("environment/variables.md")]

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::aggregation::{ExponentialHistogram, HistogramAggregation};
use crate::courier::{Compression, Destination, Destinations, Protocol, Signal};

mod others;
mod otlp;
mod read;

use read::Reader;

/// Everything the environment asks for. `None` is "not set"; defaults belong to whoever uses a value.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Environment {
    /// `OTEL_SDK_DISABLED`: set-up is to return a telemetry that does nothing.
    pub sdk_disabled: bool,
    /// `OTEL_SERVICE_NAME`; beats `service.name` among [`resource_attributes`](Self::resource_attributes).
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, percent-decoded, in order.
    pub resource_attributes: Vec<(String, String)>,
    /// `OTEL_PROPAGATORS`, without repetitions.
    pub propagators: Option<Vec<String>>,
    /// `OTEL_TRACES_SAMPLER`, not interpreted here.
    pub traces_sampler: Option<String>,
    /// `OTEL_TRACES_SAMPLER_ARG`, not interpreted here.
    pub traces_sampler_arg: Option<String>,
    /// `OTEL_{TRACES,METRICS,LOGS}_EXPORTER`, e.g. `["otlp"]` or `["none"]`; one that is not known here counts as `otlp`.
    pub exporters: PerSignal<Option<Vec<String>>>,
    /// `OTEL_EXPORTER_OTLP_*`, the signal's own variable before the common one.
    pub otlp: PerSignal<Otlp>,
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`.
    pub temporality_preference: Option<TemporalityPreference>,
    /// `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`.
    pub histograms: Option<HistogramAggregation>,
    /// `OTEL_METRICS_EXEMPLAR_FILTER`: whether there are exemplars. `trace_based` is the only way there is.
    pub exemplars: Option<bool>,
    /// `OTEL_METRIC_EXPORT_INTERVAL`.
    pub metric_export_interval: Option<Duration>,
    /// `OTEL_METRIC_EXPORT_TIMEOUT`; [`Duration::MAX`] is no limit.
    pub metric_export_timeout: Option<Duration>,
    /// `OTEL_BSP_*`.
    pub spans: Batching,
    /// `OTEL_ATTRIBUTE_COUNT_LIMIT`, `OTEL_SPAN_*_LIMIT`.
    pub limits: SpanLimits,
    /// `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`: the whole list, replacing the built-in one; names are case-sensitive.
    pub http_known_methods: Option<Vec<String>>,
    warnings: Vec<Warning>,
}

impl Environment {
    /// Reads the variables of this process.
    pub fn from_process() -> Self {
        // What is not UTF-8 gets a replacement character, which the reader reports.
        Self::from_fn(|name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    /// Reads variables from wherever `get` finds them.
    pub fn from_fn(get: impl FnMut(&str) -> Option<String>) -> Self {
        let mut get = get;
        let mut read = Reader::new(&mut get);
        let attributes = read.limit("OTEL_ATTRIBUTE_COUNT_LIMIT");
        let value_length = read.limit("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let mut environment = Self {
            sdk_disabled: read.boolean("OTEL_SDK_DISABLED"),
            service_name: read.text("OTEL_SERVICE_NAME"),
            resource_attributes: read.attributes("OTEL_RESOURCE_ATTRIBUTES"),
            propagators: read.list("OTEL_PROPAGATORS"),
            traces_sampler: read.text("OTEL_TRACES_SAMPLER"),
            traces_sampler_arg: read.text("OTEL_TRACES_SAMPLER_ARG"),
            exporters: PerSignal {
                traces: others::exporters(&mut read, "OTEL_TRACES_EXPORTER", &["otlp", "none"]),
                metrics: others::exporters(
                    &mut read,
                    "OTEL_METRICS_EXPORTER",
                    &["otlp", "none", "prometheus"],
                ),
                logs: others::exporters(&mut read, "OTEL_LOGS_EXPORTER", &["otlp", "none"]),
            },
            otlp: otlp::read(&mut read),
            temporality_preference: read.choice(
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                &[
                    ("cumulative", TemporalityPreference::Cumulative),
                    ("delta", TemporalityPreference::Delta),
                    ("lowmemory", TemporalityPreference::LowMemory),
                ],
            ),
            histograms: read.choice(
                "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                &[
                    ("explicit_bucket_histogram", HistogramAggregation::Explicit),
                    (
                        "base2_exponential_bucket_histogram",
                        ExponentialHistogram::default().into(),
                    ),
                ],
            ),
            exemplars: read.choice(
                "OTEL_METRICS_EXEMPLAR_FILTER",
                &[("always_off", false), ("trace_based", true)],
            ),
            metric_export_interval: read.interval("OTEL_METRIC_EXPORT_INTERVAL"),
            metric_export_timeout: read.timeout("OTEL_METRIC_EXPORT_TIMEOUT"),
            spans: Batching {
                schedule_delay: read.duration("OTEL_BSP_SCHEDULE_DELAY"),
                export_timeout: read.timeout("OTEL_BSP_EXPORT_TIMEOUT"),
                max_export_batch_size: read.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
            },
            limits: SpanLimits {
                attributes: read.limit("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT").or(attributes),
                events: read.limit("OTEL_SPAN_EVENT_COUNT_LIMIT"),
                links: read.limit("OTEL_SPAN_LINK_COUNT_LIMIT"),
                attributes_per_event: read
                    .limit("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT")
                    .or(attributes),
                attributes_per_link: read.limit("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT").or(attributes),
                value_length: read
                    .limit("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")
                    .or(value_length),
            },
            http_known_methods: read.list("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"),
            warnings: Vec::new(),
        };
        others::warn(&mut read);
        environment.warnings = read.into_warnings();
        environment
    }

    /// The values that were passed over, and why.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Where each signal goes by this environment, with the defaults of OTLP for what it leaves open.
    pub fn destinations(&self) -> Destinations {
        let of = |signal| {
            let otlp = self.otlp.of(signal);
            let default = || Destinations::default().of(signal).clone();
            let export_timeout = match signal {
                Signal::Traces => self.spans.export_timeout,
                Signal::Metrics => self.metric_export_timeout,
                Signal::Logs => None,
            };
            let mut destination = match (otlp.protocol, &otlp.endpoint) {
                (Some(Protocol::Grpc), endpoint) => {
                    Destination::grpc(endpoint.as_deref().unwrap_or(GRPC_ENDPOINT))
                }
                (_, Some(url)) => Destination::at(url),
                (_, None) => default(),
            };
            destination.headers = otlp.headers.clone().unwrap_or_default();
            let timeout = otlp.timeout.unwrap_or(destination.timeout);
            destination.timeout = export_timeout.map_or(timeout, |export| export.min(timeout));
            destination.compression = otlp.compression.unwrap_or(destination.compression);
            destination.certificate = otlp.certificate.clone();
            destination.client_certificate = otlp.client_certificate.clone();
            destination.client_key = otlp.client_key.clone();
            destination
        };
        Destinations {
            traces: of(Signal::Traces),
            metrics: of(Signal::Metrics),
            logs: of(Signal::Logs),
        }
    }

    /// Whether any variable names an OTLP endpoint.
    pub fn names_an_endpoint(&self) -> bool {
        Signal::ALL
            .into_iter()
            .any(|signal| self.otlp.of(signal).endpoint.is_some())
    }
}

/// A collector on this host, at OTLP/gRPC's port.
const GRPC_ENDPOINT: &str = "http://localhost:4317";

/// One value for each signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PerSignal<T> {
    pub traces: T,
    pub metrics: T,
    pub logs: T,
}

impl<T> PerSignal<T> {
    /// The value for one signal.
    pub fn of(&self, signal: Signal) -> &T {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

/// How one signal leaves over OTLP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Otlp {
    /// The whole URL: the signal's own as it is, or the common one, over HTTP with `/v1/…` appended. Over gRPC with the scheme
    /// that it left to `OTEL_EXPORTER_OTLP_INSECURE`.
    pub endpoint: Option<String>,
    /// What is spoken there, `http/protobuf` if nothing is said.
    pub protocol: Option<Protocol>,
    /// Percent-decoded. The signal's own list replaces the common one.
    pub headers: Option<crate::courier::Headers>,
    /// For one attempt; [`Duration::MAX`] is no limit.
    pub timeout: Option<Duration>,
    /// Of request bodies.
    pub compression: Option<Compression>,
    /// A file of PEM certificates: who signs the destination's.
    pub certificate: Option<PathBuf>,
    /// A file of PEM certificates: who we say we are.
    pub client_certificate: Option<PathBuf>,
    /// A file with its key.
    pub client_key: Option<PathBuf>,
}

/// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemporalityPreference {
    /// Everything cumulative.
    Cumulative,
    /// Counters and histograms as deltas, up-down counters cumulative.
    Delta,
    /// Synchronous counters and histograms as deltas, everything else cumulative.
    LowMemory,
}

/// `OTEL_BSP_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batching {
    /// Between two exports.
    pub schedule_delay: Option<Duration>,
    /// For one export; [`Duration::MAX`] is no limit.
    pub export_timeout: Option<Duration>,
    /// Spans in one request.
    pub max_export_batch_size: Option<usize>,
}

/// What one span may hold. A general limit stands in for a span's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanLimits {
    /// Attributes of a span.
    pub attributes: Option<usize>,
    /// Events of a span.
    pub events: Option<usize>,
    /// Links of a span.
    pub links: Option<usize>,
    /// Attributes of an event.
    pub attributes_per_event: Option<usize>,
    /// Attributes of a link.
    pub attributes_per_link: Option<usize>,
    /// Characters of a string value.
    pub value_length: Option<usize>,
}

/// A variable whose value was passed over. It never repeats values that may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    variable: String,
    problem: String,
}

impl Warning {
    /// The variable's name.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// What is wrong with its value, and what happens instead.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.problem)
    }
}

#[cfg(test)]
mod tests;
