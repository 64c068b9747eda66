//! What a call is, to obs-core.
#![cfg_attr(
    not(feature = "tonic"),
    expect(
        dead_code,
        reason = "labels are set by adapters, each behind its feature"
    )
)]

use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{self, network, obs, rpc};
use obs_core::{
    DURATION_BOUNDS, Descriptor, ErrorType, Event, Histogram, InFlight, Key, Label, Measure,
    Record, SIZE_BOUNDS, Scope, Stage, StatsLevel, Values,
};
#[cfg(feature = "tonic")]
use obs_core::{LabelId, Labels};

pub(crate) const METHOD: usize = 0;
pub(crate) const SYSTEM: usize = 1;
pub(crate) const STATUS: usize = 2;
pub(crate) const ADDRESS: usize = 3;
pub(crate) const PORT: usize = 4;

/// Systems, in the order of [`System`].
const SYSTEMS: &[&str] = &["grpc", "thrift"];

/// Which wire a call goes over: `rpc.system.name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Grpc = 0,
    #[cfg_attr(
        not(feature = "volo-thrift"),
        expect(dead_code, reason = "its adapter is behind that feature")
    )]
    Thrift = 1,
}

/// What is known of every call of gRPC's.
#[cfg(feature = "tonic")]
pub(crate) const OF_GRPC: Labels = Labels::NONE.with(SYSTEM, LabelId::closed(System::Grpc as u16));

pub(crate) const REQUEST_MESSAGES: usize = 0;
pub(crate) const RESPONSE_MESSAGES: usize = 1;
pub(crate) const REQUEST_SIZE: usize = 2;
pub(crate) const RESPONSE_SIZE: usize = 3;

/// How many attempts a call took so far: the only measure of the call around them.
pub(crate) const ATTEMPTS: usize = 0;

/// `error.type` of a call whose service returned an error that says nothing more.
pub const SERVICE_ERROR: ErrorType = ErrorType::own(OTHERS);
/// `error.type` of a call whose request could not be written to its end, or whose response failed without saying why.
pub const BODY_ERROR: ErrorType = ErrorType::own(OTHERS + 1);
/// `error.type` of a call that could not be sent, or whose connection broke.
pub const TRANSPORT_ERROR: ErrorType = ErrorType::own(OTHERS + 2);
/// `error.type` of a call whose response is no gRPC: what stands before a message makes no sense.
pub const PROTOCOL_ERROR: ErrorType = ErrorType::own(OTHERS + 3);

/// The statuses of gRPC stand first among the errors, each at its own number.
const OTHERS: u16 = 17;

const ERRORS: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
    "service_error",
    "body_error",
    "transport_error",
    "protocol_error",
    "encode_error",
    "decode_error",
    "application_error",
    "biz_error",
];

/// The names of gRPC's statuses, each at its number.
pub(crate) const STATUSES: &[&str] = ERRORS.split_at(OTHERS as usize).0;

pub(crate) static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: semconv::SCHEMA_URL,
};

/// What the status is called: the conventions rename it between two of their release candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusKey {
    /// `rpc.response.status_code`, as in v1.39 to v1.44.
    #[default]
    ResponseStatusCode,
    /// `rpc.status_code`, as on the conventions' main branch.
    StatusCode,
}

impl StatusKey {
    /// The attribute's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResponseStatusCode => rpc::RESPONSE_STATUS_CODE.as_str(),
            Self::StatusCode => obs::RPC_STATUS_CODE_NEXT.as_str(),
        }
    }
}

/// The six kinds: three, each with either key.
const fn labels(status: Key) -> [Label; 6] {
    [
        Label {
            key: rpc::METHOD,
            values: Values::Open { cap: 1024 },
        },
        Label {
            key: rpc::SYSTEM_NAME,
            values: Values::Closed(SYSTEMS),
        },
        Label {
            key: status,
            values: Values::Closed(STATUSES),
        },
        // Whom a service calls is few hosts.
        Label {
            key: network::SERVER_ADDRESS,
            values: Values::Open { cap: 512 },
        },
        Label {
            key: network::SERVER_PORT,
            values: Values::Number,
        },
        Label {
            key: semconv::http::ERROR_TYPE,
            values: Values::Error,
        },
    ]
}

static LABELS: [Label; 6] = labels(rpc::RESPONSE_STATUS_CODE);
static LABELS_NEXT: [Label; 6] = labels(obs::RPC_STATUS_CODE_NEXT);

/// A call on the side that answers. Its name in settings is `rpc.server`.
pub static RPC_SERVER: Descriptor = server(&LABELS);
/// [`RPC_SERVER`] where the status is called as [`StatusKey::StatusCode`] says.
pub static RPC_SERVER_NEXT: Descriptor = server(&LABELS_NEXT);
/// A call on the side that asks; behind a layer that retries, one attempt. Its name in settings is `rpc.client`.
pub static RPC_CLIENT: Descriptor = client(&LABELS);
/// [`RPC_CLIENT`] where the status is called as [`StatusKey::StatusCode`] says.
pub static RPC_CLIENT_NEXT: Descriptor = client(&LABELS_NEXT);
/// What an application asked for, around all attempts that it takes. Its name in settings is `rpc.call`.
pub static RPC_CALL: Descriptor = call(&LABELS);
/// [`RPC_CALL`] where the status is called as [`StatusKey::StatusCode`] says.
pub static RPC_CALL_NEXT: Descriptor = call(&LABELS_NEXT);

/// Bytes of a method's name. What is longer is none, and is kept this far.
#[cfg(any(feature = "tonic", feature = "volo-thrift"))]
pub(crate) const LONGEST: usize = 512;

#[cfg(any(feature = "tonic", feature = "volo-thrift"))]
pub(crate) fn cut(method: &str) -> &str {
    let ends = (0..=LONGEST.min(method.len())).rev();
    let end = ends.into_iter().find(|end| method.is_char_boundary(*end));
    &method[..end.unwrap_or_default()]
}

/// The kind of a layer that tells no status: by whichever key others of its telemetry go, or one metric would be two.
#[cfg(feature = "volo-thrift")]
pub(crate) fn without_status(
    telemetry: &obs_core::Telemetry,
    [now, next]: [&'static Descriptor; 2],
) -> &'static obs_core::Kind {
    let kinds = telemetry.kinds();
    let is_next = |kind: &obs_core::Kind| std::ptr::eq(kind.descriptor().labels, &LABELS_NEXT[..]);
    match kinds.iter().any(|kind| is_next(kind)) {
        true => telemetry.kind(next),
        false => telemetry.kind(now),
    }
}

/// Both sides are one metric, and may have the same labels: so a stage is of one side by its name.
const SERVER_STAGES: &[Stage] = &[
    stage("read_request", Event::READ_START, Event::READ_FINISH),
    stage("decode_request", Event::DECODE_START, Event::DECODE_FINISH),
    stage(
        "handle",
        Event::SERVER_HANDLE_START,
        Event::SERVER_HANDLE_FINISH,
    ),
    stage("encode_response", Event::ENCODE_START, Event::ENCODE_FINISH),
    stage("write_response", Event::WRITE_START, Event::WRITE_FINISH),
];

/// Where the stages of messages stand.
#[cfg(feature = "codec")]
pub(crate) const SERVER_DECODE: usize = part(SERVER_STAGES, "decode_request");
#[cfg(feature = "codec")]
pub(crate) const SERVER_ENCODE: usize = part(SERVER_STAGES, "encode_response");
#[cfg(feature = "codec")]
pub(crate) const CLIENT_ENCODE: usize = part(CLIENT_STAGES, "encode_request");
#[cfg(feature = "codec")]
pub(crate) const CLIENT_DECODE: usize = part(CLIENT_STAGES, "decode_response");

/// The place of a part; one that there is not does not compile.
#[cfg(feature = "codec")]
const fn part(stages: &[Stage], wanted: &str) -> usize {
    let mut at = 0;
    loop {
        if let Some((_, name)) = stages[at].attribute
            && is_same(name.as_bytes(), wanted.as_bytes())
        {
            return at;
        }
        at += 1;
    }
}

#[cfg(feature = "codec")]
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

const SERVER_MEASURES: &[Measure] = &[
    messages(
        obs::RPC_REQUEST_MESSAGES,
        obs::RPC_SERVER_REQUEST_MESSAGES,
        "Messages of the requests of incoming calls.",
    ),
    messages(
        obs::RPC_RESPONSE_MESSAGES,
        obs::RPC_SERVER_RESPONSE_MESSAGES,
        "Messages of the responses to incoming calls.",
    ),
    size(
        obs::RPC_REQUEST_SIZE,
        obs::RPC_SERVER_REQUEST_SIZE,
        "Size of the requests of incoming calls.",
    ),
    size(
        obs::RPC_RESPONSE_SIZE,
        obs::RPC_SERVER_RESPONSE_SIZE,
        "Size of the responses to incoming calls.",
    ),
];

const fn server(labels: &'static [Label]) -> Descriptor {
    Descriptor {
        name: "rpc.server",
        span_kind: SpanKind::Server,
        scope: &SCOPE,
        labels,
        method: Some(METHOD),
        errors: ERRORS,
        duration: Some(duration(
            rpc::SERVER_CALL_DURATION,
            "Duration of incoming calls, until the status is sent.",
        )),
        stages: SERVER_STAGES,
        measures: SERVER_MEASURES,
        quantities: &[],
        in_flight: Some(InFlight {
            name: obs::RPC_SERVER_ACTIVE,
            unit: "{call}",
            description: "Number of incoming calls that are running.",
            labels: 1 << SYSTEM,
        }),
        span_name,
    }
}

const CLIENT_STAGES: &[Stage] = &[
    stage(
        "connect",
        Event::CLIENT_CONN_START,
        Event::CLIENT_CONN_FINISH,
    ),
    stage("dns", Event::DNS_START, Event::DNS_FINISH),
    stage("tcp", Event::TCP_START, Event::TCP_FINISH),
    stage("tls", Event::TLS_START, Event::TLS_FINISH),
    stage("encode_request", Event::ENCODE_START, Event::ENCODE_FINISH),
    stage("write_request", Event::WRITE_START, Event::WRITE_FINISH),
    stage(
        "wait_response",
        Event::WAIT_READ_START,
        Event::WAIT_READ_FINISH,
    ),
    stage("read_response", Event::READ_START, Event::READ_FINISH),
    stage("decode_response", Event::DECODE_START, Event::DECODE_FINISH),
];

const CLIENT_MEASURES: &[Measure] = &[
    messages(
        obs::RPC_REQUEST_MESSAGES,
        obs::RPC_CLIENT_REQUEST_MESSAGES,
        "Messages of the requests of outgoing calls.",
    ),
    messages(
        obs::RPC_RESPONSE_MESSAGES,
        obs::RPC_CLIENT_RESPONSE_MESSAGES,
        "Messages of the responses to outgoing calls.",
    ),
    size(
        obs::RPC_REQUEST_SIZE,
        obs::RPC_CLIENT_REQUEST_SIZE,
        "Size of the requests of outgoing calls.",
    ),
    size(
        obs::RPC_RESPONSE_SIZE,
        obs::RPC_CLIENT_RESPONSE_SIZE,
        "Size of the responses to outgoing calls.",
    ),
];

const fn client(labels: &'static [Label]) -> Descriptor {
    Descriptor {
        name: "rpc.client",
        span_kind: SpanKind::Client,
        scope: &SCOPE,
        labels,
        method: Some(METHOD),
        errors: ERRORS,
        duration: Some(duration(
            rpc::CLIENT_CALL_DURATION,
            "Duration of outgoing calls, until the status is there.",
        )),
        stages: CLIENT_STAGES,
        measures: CLIENT_MEASURES,
        quantities: &[],
        in_flight: Some(InFlight {
            name: obs::RPC_CLIENT_ACTIVE,
            unit: "{call}",
            description: "Number of outgoing calls that are running.",
            labels: 1 << SYSTEM,
        }),
        span_name,
    }
}

const fn call(labels: &'static [Label]) -> Descriptor {
    Descriptor {
        name: "rpc.call",
        span_kind: SpanKind::Internal,
        scope: &SCOPE,
        labels,
        method: Some(METHOD),
        errors: ERRORS,
        duration: Some(duration(
            obs::RPC_CALL_DURATION,
            "Duration of calls with all their attempts, until the status is there.",
        )),
        stages: &[],
        measures: &[Measure {
            key: obs::RPC_CALL_ATTEMPTS,
            histogram: Histogram {
                name: obs::RPC_CALL_ATTEMPTS_METRIC,
                unit: "{attempt}",
                description: "How many attempts calls took.",
                bounds: &[1.0, 2.0, 3.0, 5.0, 10.0],
            },
        }],
        quantities: &[],
        in_flight: None,
        span_name,
    }
}

const fn duration(name: &'static str, description: &'static str) -> Histogram {
    Histogram {
        name,
        unit: "s",
        description,
        bounds: DURATION_BOUNDS,
    }
}

/// Parts of a call take microseconds: the conventions' first boundary is 5 ms.
pub(crate) const STAGE_BOUNDS: &[f64] = &[
    0.00001, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 5.0, 10.0,
];

const fn stage(part: &'static str, from: Event, to: Event) -> Stage {
    Stage {
        histogram: Histogram {
            name: obs::RPC_STAGE_DURATION,
            unit: "s",
            description: "Duration of the parts of calls.",
            bounds: STAGE_BOUNDS,
        },
        attribute: Some((obs::STAGE, part)),
        from,
        to,
        level: StatsLevel::Detailed,
        by_hand: false,
    }
}

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

const fn messages(key: Key, name: &'static str, description: &'static str) -> Measure {
    Measure {
        key,
        histogram: Histogram {
            name,
            unit: "{message}",
            description,
            bounds: &[
                1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0,
            ],
        },
    }
}

/// `{method}`, and the system where the method is not known, as the conventions say.
fn span_name(record: &Record<'_>, name: &mut String) {
    let method = record
        .label_value(METHOD)
        .map(|value| value.to_text().into_owned());
    match method.filter(|method| method != obs_core::OTHER) {
        Some(method) => name.push_str(&method),
        None => match record.label_value(SYSTEM) {
            Some(system) => name.push_str(&system.to_text()),
            None => name.push_str("rpc"),
        },
    }
}
