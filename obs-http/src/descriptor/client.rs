//! What a request is to the side that sends it: one attempt, and the call around all attempts.

use super::{METHOD, SCOPE, TEMPLATE, VERSIONS, span_name};
use super::{SCHEMES, size};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{http, network, obs};
use obs_core::{
    DURATION_BOUNDS, Descriptor, Event, Histogram, InFlight, Label, Measure, Stage, StatsLevel,
    Values,
};

pub(crate) const ADDRESS: usize = 5;
pub(crate) const PORT: usize = 6;

/// How many attempts a call took so far.
pub(crate) const ATTEMPTS: usize = 2;
/// No measure of the descriptor: set where the exchange has dialled a connection.
pub(crate) const DIALLED: usize = 3;

/// Both kinds have the labels of the convention, in the server's order as far as they are the same.
const LABELS: &[Label] = &[
    Label {
        key: http::REQUEST_METHOD,
        values: Values::Open { cap: 64 },
    },
    Label {
        key: http::URL_TEMPLATE,
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
    // Whom a service calls is few hosts, unless it is made to call what others name.
    Label {
        key: network::SERVER_ADDRESS,
        values: Values::Open { cap: 512 },
    },
    Label {
        key: network::SERVER_PORT,
        values: Values::Number,
    },
    Label {
        key: http::ERROR_TYPE,
        values: Values::Error,
    },
];

/// `service_error` and `body_error` stand first on both sides; the others are in the order of
/// [`failure`](crate::client).
const ERRORS: &[&str] = &[
    "service_error",
    "body_error",
    "dns_error",
    "connect_error",
    "connection_refused",
    "connection_reset",
    "connection_closed",
    "unreachable",
    "tls_error",
    "stream_reset",
    "goaway",
    "protocol_error",
    "request_body_error",
];

/// One request of a client and its answer. Its name in settings is `http.client`; its method, for levels and
/// thresholds, is the host it is sent to.
pub static HTTP_CLIENT: Descriptor = Descriptor {
    name: "http.client",
    span_kind: SpanKind::Client,
    scope: &SCOPE,
    labels: LABELS,
    method: Some(ADDRESS),
    errors: ERRORS,
    duration: Some(Histogram {
        name: http::CLIENT_REQUEST_DURATION,
        unit: "s",
        description: "Duration of HTTP client requests, until the end of the response body.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[
        Stage {
            histogram: Histogram {
                name: obs::HTTP_CLIENT_HEAD_DURATION,
                unit: "s",
                description: "Time from the request to the response's head.",
                bounds: DURATION_BOUNDS,
            },
            attribute: None,
            from: Event::RPC_START,
            to: Event::RESPONSE_HEAD,
            level: StatsLevel::Base,
            by_hand: false,
        },
        stage(
            "connect",
            Event::CLIENT_CONN_START,
            Event::CLIENT_CONN_FINISH,
        ),
        stage("dns", Event::DNS_START, Event::DNS_FINISH),
        stage("tcp", Event::TCP_START, Event::TCP_FINISH),
        stage("tls", Event::TLS_START, Event::TLS_FINISH),
    ],
    measures: &[
        size(
            http::REQUEST_BODY_SIZE,
            http::CLIENT_REQUEST_BODY_SIZE,
            "Size of HTTP client request bodies.",
        ),
        size(
            http::RESPONSE_BODY_SIZE,
            http::CLIENT_RESPONSE_BODY_SIZE,
            "Size of HTTP client response bodies.",
        ),
    ],
    quantities: &[],
    in_flight: Some(InFlight {
        name: http::CLIENT_ACTIVE_REQUESTS,
        unit: "{request}",
        description: "Number of active HTTP client requests.",
        labels: 1 << METHOD | 1 << ADDRESS | 1 << PORT,
    }),
    span_name: |record, name| span_name(record, TEMPLATE, name),
};

const fn stage(part: &'static str, from: Event, to: Event) -> Stage {
    Stage {
        histogram: Histogram {
            name: obs::HTTP_CLIENT_STAGE_DURATION,
            unit: "s",
            description: "Duration of the parts of an HTTP client's exchange.",
            bounds: DURATION_BOUNDS,
        },
        attribute: Some((obs::STAGE, part)),
        from,
        to,
        level: StatsLevel::Detailed,
        by_hand: false,
    }
}

/// What an application asked for, around all attempts that it takes. Its name in settings is `http.call`. By the
/// conventions it is no client span: those are its children.
pub static HTTP_CALL: Descriptor = Descriptor {
    name: "http.call",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: LABELS,
    method: Some(ADDRESS),
    errors: ERRORS,
    duration: Some(Histogram {
        name: obs::HTTP_CALL_DURATION,
        unit: "s",
        description: "Duration of HTTP calls with all their attempts, until the end of the response body.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[
        size(
            http::REQUEST_BODY_SIZE,
            obs::HTTP_CALL_REQUEST_BODY_SIZE,
            "Size of the request bodies of HTTP calls.",
        ),
        size(
            http::RESPONSE_BODY_SIZE,
            obs::HTTP_CALL_RESPONSE_BODY_SIZE,
            "Size of the response bodies of HTTP calls.",
        ),
        Measure {
            key: obs::CALL_ATTEMPTS,
            histogram: Histogram {
                name: obs::HTTP_CALL_ATTEMPTS,
                unit: "{attempt}",
                description: "How many attempts HTTP calls took.",
                bounds: &[1.0, 2.0, 3.0, 5.0, 10.0],
            },
        },
    ],
    quantities: &[],
    in_flight: None,
    span_name: |record, name| span_name(record, TEMPLATE, name),
};
