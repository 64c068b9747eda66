//! What an HTTP exchange is, to obs-core.

pub(crate) mod client;

use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{self, http, network};
use obs_core::{
    DURATION_BOUNDS, Descriptor, ErrorType, Event, Histogram, InFlight, Key, Label, Measure,
    Record, SIZE_BOUNDS, Scope, Stage, StatsLevel, Values,
};

pub(crate) const METHOD: usize = 0;
pub(crate) const ROUTE: usize = 1;
/// In the place of the route, on the side that asks.
pub(crate) const TEMPLATE: usize = ROUTE;
pub(crate) const STATUS: usize = 2;
pub(crate) const SCHEME: usize = 3;
pub(crate) const VERSION: usize = 4;

pub(crate) const SCHEMES: &[&str] = &["http", "https"];
pub(crate) const VERSIONS: &[&str] = &["1.0", "1.1", "2", "3"];

pub(crate) const REQUEST_SIZE: usize = 0;
pub(crate) const RESPONSE_SIZE: usize = 1;

/// `error.type` of an exchange whose service returned an error instead of an answer.
pub const SERVICE_ERROR: ErrorType = ErrorType::own(0);
/// `error.type` of an exchange whose response body failed.
pub const BODY_ERROR: ErrorType = ErrorType::own(1);

static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: semconv::SCHEMA_URL,
};

/// An HTTP exchange on the server's side. Its name in settings is `http.server`.
pub static HTTP_SERVER: Descriptor = Descriptor {
    name: "http.server",
    span_kind: SpanKind::Server,
    scope: &SCOPE,
    labels: &[
        // Open, so that a service can have methods of its own; only configured ones ever get in.
        Label {
            key: http::REQUEST_METHOD,
            values: Values::Open { cap: 64 },
        },
        Label {
            key: http::ROUTE,
            values: Values::Open { cap: 1024 },
        },
        Label {
            key: http::RESPONSE_STATUS_CODE,
            values: Values::Number,
        },
        Label {
            key: http::URL_SCHEME,
            values: Values::Closed(SCHEMES),
        },
        Label {
            key: network::PROTOCOL_VERSION,
            values: Values::Closed(VERSIONS),
        },
        Label {
            key: http::ERROR_TYPE,
            values: Values::Error,
        },
    ],
    method: Some(ROUTE),
    errors: &["service_error", "body_error"],
    duration: Some(Histogram {
        name: http::SERVER_REQUEST_DURATION,
        unit: "s",
        description: "Duration of HTTP server requests, until the end of the response body.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[Stage {
        histogram: Histogram {
            name: semconv::obs::HTTP_SERVER_HEAD_DURATION,
            unit: "s",
            description: "Time from the request's head to the response's head.",
            bounds: DURATION_BOUNDS,
        },
        attribute: None,
        from: Event::RPC_START,
        to: Event::RESPONSE_HEAD,
        level: StatsLevel::Base,
        by_hand: false,
    }],
    measures: &[
        size(
            http::REQUEST_BODY_SIZE,
            http::SERVER_REQUEST_BODY_SIZE,
            "Size of HTTP server request bodies.",
        ),
        size(
            http::RESPONSE_BODY_SIZE,
            http::SERVER_RESPONSE_BODY_SIZE,
            "Size of HTTP server response bodies.",
        ),
    ],
    quantities: &[],
    in_flight: Some(InFlight {
        name: http::SERVER_ACTIVE_REQUESTS,
        unit: "{request}",
        description: "Number of active HTTP server requests.",
        labels: 1 << METHOD | 1 << SCHEME,
    }),
    span_name: |record, name| span_name(record, ROUTE, name),
};

const fn size(key: Key, name: &'static str, description: &'static str) -> Measure {
    Measure {
        key,
        histogram: Histogram {
            name,
            unit: "By",
            description,
            bounds: SIZE_BOUNDS,
        },
    }
}

/// `{method} {target}`, and `HTTP` in the place of a method that is not known, as the conventions say. The target is a
/// route or a template.
fn span_name(record: &Record<'_>, target: usize, name: &mut String) {
    match record.label_value(METHOD) {
        Some(method) if method.to_text() != obs_core::OTHER => name.push_str(&method.to_text()),
        _ => name.push_str("HTTP"),
    }
    if let Some(target) = record.label_value(target) {
        name.push(' ');
        name.push_str(&target.to_text());
    }
}
