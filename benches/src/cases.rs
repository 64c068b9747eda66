//! Everything that can be measured, by name.

use crate::harness::Measured;

mod peers_encode;
mod peers_layers;
mod peers_recording;
mod sdk;

/// A named measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What it is, for the table.
    pub(crate) about: &'static str,
    pub(crate) measured: Measured,
}

const fn added(
    name: &'static str,
    about: &'static str,
    build: fn() -> crate::harness::pair::Pair,
) -> Case {
    Case {
        name,
        about,
        measured: Measured::Added(build),
    }
}

const fn scaling(
    name: &'static str,
    about: &'static str,
    build: fn() -> crate::harness::scaling::Scaling,
) -> Case {
    Case {
        name,
        about,
        measured: Measured::Scaling(build),
    }
}

/// All cases, in the order of the table.
pub(crate) static ALL: &[Case] = &[
    added(
        "peer/tower-http-unheard",
        "tower-http `TraceLayer`, no subscriber",
        peers_layers::tower_http_unheard,
    ),
    added(
        "peer/tower-http-tracing-otel",
        "tower-http + tracing-opentelemetry, AlwaysOn",
        peers_layers::tower_http::<0>,
    ),
    added(
        "peer/tower-http-tracing-otel-traceparent",
        "same, 4 headers, remote parent",
        peers_layers::tower_http::<1>,
    ),
    added(
        "peer/tower-http-tracing-otel-real",
        "same, 12 headers, remote parent",
        peers_layers::tower_http::<2>,
    ),
    added(
        "peer/otel-instrumentation-tower-unheard",
        "opentelemetry-instrumentation-tower, no SDK",
        peers_layers::otel_tower_unheard,
    ),
    added(
        "peer/otel-instrumentation-tower",
        "same, metrics + traces, AlwaysOn",
        peers_layers::otel_tower::<0>,
    ),
    added(
        "peer/otel-instrumentation-tower-traceparent",
        "same, 4 headers, remote parent",
        peers_layers::otel_tower::<1>,
    ),
    added(
        "peer/otel-instrumentation-tower-real",
        "same, 12 headers, remote parent",
        peers_layers::otel_tower::<2>,
    ),
    added(
        "peer/tower-otel",
        "tower-otel, metrics + traces, AlwaysOn",
        peers_layers::tower_otel::<0>,
    ),
    added(
        "peer/tower-otel-traceparent",
        "same, 4 headers, remote parent",
        peers_layers::tower_otel::<1>,
    ),
    added(
        "peer/tower-otel-real",
        "same, 12 headers, remote parent",
        peers_layers::tower_otel::<2>,
    ),
    added(
        "peer/fastrace-tower",
        "fastrace-tower (no attributes, no metrics)",
        peers_layers::fastrace::<0>,
    ),
    added(
        "peer/fastrace-tower-traceparent",
        "same, 4 headers, remote parent",
        peers_layers::fastrace::<1>,
    ),
    added(
        "peer/fastrace-tower-real",
        "same, 12 headers, remote parent",
        peers_layers::fastrace::<2>,
    ),
    added(
        "peer/axum-prometheus",
        "axum-prometheus, over a bare axum router",
        peers_layers::axum_prometheus,
    ),
    added(
        "peer/axum-router",
        "context: the axum router itself",
        peers_layers::axum_router,
    ),
    added(
        "peer/otel-span8",
        "OTel SDK span, 8 attributes",
        peers_recording::span::<0>,
    ),
    added(
        "peer/otel-span8-events13",
        "same, 13 events",
        peers_recording::span::<13>,
    ),
    added(
        "peer/otel-histogram",
        "OTel histogram, 5 attributes",
        peers_recording::histogram,
    ),
    added(
        "peer/otel-histogram-bound",
        "same, bound",
        peers_recording::histogram_bound,
    ),
    added(
        "peer/otel-encode-span8",
        "SDK's OTLP encoding, per span of 8 attributes",
        peers_encode::spans::<0>,
    ),
    added(
        "peer/otel-encode-span8-events13",
        "same, 13 events",
        peers_encode::spans::<13>,
    ),
    scaling(
        "peer/otel-histogram-contention",
        "OTel histogram, 5 attributes: 2 threads / 1",
        peers_recording::contended_histogram,
    ),
    scaling(
        "peer/otel-histogram-bound-contention",
        "same, bound",
        peers_recording::contended_histogram_bound,
    ),
];

/// The case of that name.
pub(crate) fn named(name: &str) -> Option<&'static Case> {
    ALL.iter().find(|case| case.name == name)
}
