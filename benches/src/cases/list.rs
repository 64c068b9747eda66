//! The cases of HTTP and of the core, in the order of the table.

use super::*;

pub(super) static ALL: &[Case] = &[
    added(
        "http/noop",
        "our layer, telemetry that records nothing",
        http::noop,
    ),
    added(
        "http/disabled",
        "our layer, switched off at run time",
        http::disabled,
    ),
    added(
        "http/base-dropped",
        "Base, dropped at the end",
        http::base_dropped,
    ),
    added(
        "http/base-dropped-traceparent",
        "same, 4 headers, remote parent",
        http::base_dropped_traceparent,
    ),
    #[cfg(feature = "span")]
    added(
        "http/base-dropped-span",
        "same as `http/base-dropped`, with a `tracing` span in a bare registry",
        span::wanted,
    ),
    #[cfg(feature = "span")]
    added(
        "http/base-dropped-span-unwanted",
        "same, at a level that the subscriber does not want",
        span::unwanted,
    ),
    added(
        "http/base-dropped-exponential",
        "Base, dropped at the end, exponential histograms too",
        http::base_dropped_exponential,
    ),
    added("http/base-kept", "Base, kept", http::base_kept),
    added(
        "http/base-kept-traceparent",
        "same, 4 headers, remote parent",
        http::base_kept_traceparent,
    ),
    added(
        "http/detailed-dropped",
        "Detailed, 13 stamps, dropped at the end",
        http::detailed_dropped,
    ),
    added(
        "http/detailed-dropped-traceparent",
        "same, 4 headers, remote parent",
        http::detailed_dropped_traceparent,
    ),
    added(
        "http/detailed-kept",
        "Detailed, 13 stamps, kept",
        http::detailed_kept,
    ),
    added(
        "http/detailed-kept-traceparent",
        "same, 4 headers, remote parent",
        http::detailed_kept_traceparent,
    ),
    added(
        "http/default",
        "as it ships: kept, 12 headers, our span in the context, 4 polls",
        http::default_mode,
    ),
    added(
        "http/default-tracestate",
        "same, behind a vendor's tracer: 13 headers with a tracestate",
        http::default_tracestate,
    ),
    added(
        "http/context-attached",
        "OTel context with ids, over the layer without: call, poll, frame",
        http::context_ids,
    ),
    added(
        "http/context-span",
        "same, with our span behind it",
        http::context_full,
    ),
    added(
        "recorder-sdk/base-kept",
        "as `http/base-kept`, its span recorded by the SDK",
        recorder::base_kept,
    ),
    added(
        "recorder-sdk/default",
        "as `http/default`, its span recorded by the SDK",
        recorder::default_mode,
    ),
    added(
        "client/disabled",
        "our client layer, switched off at run time",
        client::disabled,
    ),
    added(
        "client/base",
        "Base, dropped at the end, traceparent written",
        client::base,
    ),
    added(
        "client/base-outside",
        "same, to a host that is not told of the trace",
        client::base_outside,
    ),
    added(
        "client/kept",
        "Base, kept, traceparent written",
        client::kept,
    ),
    added(
        "client/detailed",
        "Detailed, kept, traceparent written",
        client::detailed,
    ),
    added(
        "client/default",
        "as it ships: kept, our span in the context, traceparent written",
        client::default,
    ),
    added(
        "child/parked-dropped",
        "first child of a request, waits and goes with it",
        inside::child_parked_dropped,
    ),
    added(
        "child/parked-dropped-further",
        "each further child",
        inside::child_parked_dropped_further,
    ),
    added(
        "child/kept",
        "a child of a kept request",
        inside::child_kept,
    ),
    added(
        "attr/static",
        "attribute kept by pointer, of eight in one visit of the operation",
        inside::attribute_static,
    ),
    added(
        "attr/static-each",
        "same, each in a visit of its own",
        inside::attribute_static_each,
    ),
    added(
        "attr/dynamic",
        "attribute copied, of eight, each in a visit of its own",
        inside::attribute_dynamic,
    ),
    added(
        "stream/chunk",
        "chunk of a response body, counted",
        inside::chunk,
    ),
    added(
        "stream/chunk-current",
        "same, the operation current meanwhile",
        inside::chunk_current,
    ),
    added(
        "stream/chunk-default",
        "same, our span in the context meanwhile",
        inside::chunk_default,
    ),
    added(
        "histogram/bound",
        "a value into a bound histogram",
        histogram::explicit,
    ),
    added(
        "histogram/bound-exponential",
        "same, exponential too",
        histogram::exponential,
    ),
    added(
        "encode/span8",
        "record to OTLP bytes, per span of 8 attributes",
        encode::spans::<0>,
    ),
    added(
        "encode/span8-events13",
        "same, 13 events",
        encode::spans::<13>,
    ),
    added(
        "logs/json-line",
        "an event of `tracing` with 5 fields as a line of JSON",
        logs::line,
    ),
    added(
        "logs/json-line-ids",
        "same, with the ids of our operation, which is made current for it",
        logs::line_with_ids,
    ),
    added(
        "facade/counter",
        "`metrics::counter!` with two labels to our recorder, one increment",
        facade::counter::<facade::Ours>,
    ),
    added(
        "facade/counter-dynamic",
        "same, labels made at run time, over making them",
        facade::counter_dynamic::<facade::Ours>,
    ),
    added(
        "facade/histogram",
        "`metrics::histogram!` with two labels to our recorder, one value",
        facade::histogram::<facade::Ours>,
    ),
    added(
        "sdk/span8",
        "the SDK's span of 8 attributes by our processor: encoded where it ends",
        sdk_signals::span,
    ),
    added(
        "sdk/log5",
        "the SDK's log record of 5 attributes by our processor: encoded where it is emitted",
        sdk_signals::log,
    ),
    scaling(
        "contention/sdk-span8",
        "spans of one provider by our processor: 2 threads / 1, copies alone taken for 2",
        sdk_signals::contended,
    ),
    scaling(
        "contention/facade-counter",
        "`metrics::counter!`, one series: 2 threads / 1",
        facade::contended_counter::<facade::Ours>,
    ),
    scaling(
        "contention/facade-histogram",
        "`metrics::histogram!`, one series: 2 threads / 1",
        facade::contended_histogram::<facade::Ours>,
    ),
    scaling(
        "contention/histogram",
        "bound histogram: 2 threads / 1",
        scaling::histogram,
    ),
    scaling(
        "contention/histogram-exponential",
        "same, exponential too",
        scaling::exponential,
    ),
    scaling(
        "contention/http",
        "the layer, service cloned per request: 2 threads / 1, the handler alone taken for 2",
        scaling::http,
    ),
    scaling(
        "contention/bare",
        "context: the handler alone",
        scaling::bare,
    ),
    held(
        "inflight/bytes",
        "heap per exchange in flight, of 10,000",
        in_flight::base,
    ),
    held(
        "inflight/bytes-default",
        "same, as it ships, 12 headers",
        in_flight::default,
    ),
    added(
        "loopback/http1",
        "a whole HTTP/1.1 exchange on loopback, as it ships",
        loopback::http1,
    ),
    added(
        "outage/refused",
        "a request of 4 spans and a log event, the collector gone, over the same while it is there",
        outage::refused,
    ),
    added(
        "outage/hangs",
        "same, the collector accepts and never answers",
        outage::hangs,
    ),
    added(
        "peer/tower-http-unheard",
        "tower-http `TraceLayer`, no subscriber",
        peers_layers::tower_http_unheard,
    ),
    added(
        "peer/tower-http-registry",
        "tower-http `TraceLayer`, a bare registry",
        peers_layers::tower_http_registry,
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
        "peer/tower-otel-client",
        "tower-otel's client side, metrics + traces, AlwaysOn",
        peers_layers::tower_otel_client,
    ),
    added(
        "peer/reqwest-tracing",
        "reqwest-tracing + tracing-opentelemetry, AlwaysOn; no traceparent, no metrics",
        peers_client::reqwest_tracing,
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
        "peer/otel-exponential",
        "OTel exponential histogram, 5 attributes",
        peers_recording::exponential,
    ),
    added(
        "peer/otel-exponential-bound",
        "same, bound",
        peers_recording::exponential_bound,
    ),
    added(
        "peer/otel-batch-span8",
        "the same by `BatchSpanProcessor`, encoded elsewhere",
        sdk_signals::peer_span,
    ),
    added(
        "peer/otel-batch-log5",
        "the same by `BatchLogProcessor`, copied, and encoded elsewhere",
        sdk_signals::peer_log,
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
    added(
        "peer/json-subscriber",
        "json-subscriber, an event with 5 fields",
        peers_logs::json_subscriber,
    ),
    added(
        "peer/tracing-subscriber-json",
        "tracing-subscriber's JSON formatter, the same",
        peers_logs::tracing_subscriber,
    ),
    added(
        "peer/metrics-prometheus-counter",
        "`metrics::counter!` to metrics-exporter-prometheus, the same",
        facade::counter::<facade::Theirs>,
    ),
    added(
        "peer/metrics-prometheus-counter-dynamic",
        "same, labels made at run time, over making them",
        facade::counter_dynamic::<facade::Theirs>,
    ),
    added(
        "peer/metrics-prometheus-histogram",
        "`metrics::histogram!` to metrics-exporter-prometheus, the same",
        facade::histogram::<facade::Theirs>,
    ),
    scaling(
        "peer/metrics-prometheus-counter-contention",
        "`metrics::counter!`, one series: 2 threads / 1",
        facade::contended_counter::<facade::Theirs>,
    ),
    scaling(
        "peer/metrics-prometheus-histogram-contention",
        "`metrics::histogram!`, one series: 2 threads / 1",
        facade::contended_histogram::<facade::Theirs>,
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
    scaling(
        "peer/otel-exponential-bound-contention",
        "OTel exponential histogram, bound: 2 threads / 1",
        peers_recording::contended_exponential_bound,
    ),
];
