//! What a request is on the side that answers, to obs-core.

use crate::descriptor::{
    LABELS, OPERATION, PROVIDER, RESPONSE_MODEL, SCOPE, SCOPE_MAIN, by_hand, span_name,
};
use crate::dialect::Dialect;
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{
    Descriptor, ErrorType, Event, Histogram, InFlight, Instrument, Kind, Label, Quantity, Scope,
    Stage, Telemetry, Values,
};

pub(super) const QUEUE: usize = 0;
pub(super) const PREFILL: usize = 1;
pub(super) const DECODE: usize = 2;
pub(super) const FIRST_TOKEN: usize = 3;
pub(super) const PER_TOKEN: usize = 4;
pub(super) const TOKEN_GAP: usize = 5;

pub(super) const INPUT: usize = 0;
pub(super) const CACHED: usize = 1;
pub(super) const OUTPUT: usize = 2;
pub(super) const PREEMPTIONS: usize = 3;

/// `error.type` of a request that was turned away because too many wait: `queue_full`.
pub const QUEUE_FULL: ErrorType = ErrorType::own(0);
/// `error.type` of a request that makes no sense: `invalid_request`.
pub const INVALID_REQUEST: ErrorType = ErrorType::own(1);
/// `error.type` of a request whose prompt and answer do not fit into the model's context: `context_length_exceeded`.
pub const TOO_LONG: ErrorType = ErrorType::own(2);
/// `error.type` of a request for which there was no memory: `out_of_memory`.
pub const OUT_OF_MEMORY: ErrorType = ErrorType::own(3);
/// `error.type` of a request that the model failed to compute: `model_error`.
pub const MODEL_ERROR: ErrorType = ErrorType::own(4);

const ERRORS: &[&str] = &[
    "queue_full",
    "invalid_request",
    "context_length_exceeded",
    "out_of_memory",
    "model_error",
];

/// A request on the side that answers, by v1.41's names. Its name in settings is `llm.server`, as that of the other three.
pub static LLM_SERVER: Descriptor = server(&SCOPE, SpanKind::Server);
/// The same by main's names.
pub static LLM_SERVER_MAIN: Descriptor = server(&SCOPE_MAIN, SpanKind::Server);
/// [`LLM_SERVER`] where the server around it has a span of kind SERVER and one is enough.
pub static LLM_SERVER_INTERNAL: Descriptor = server(&SCOPE, SpanKind::Internal);
/// The same by main's names.
pub static LLM_SERVER_INTERNAL_MAIN: Descriptor = server(&SCOPE_MAIN, SpanKind::Internal);

const fn server(scope: &'static Scope, span_kind: SpanKind) -> Descriptor {
    Descriptor {
        name: "llm.server",
        span_kind,
        scope,
        labels: &LABELS,
        method: Some(crate::descriptor::MODEL),
        errors: ERRORS,
        duration: Some(seconds(
            gen_ai::SERVER_REQUEST_DURATION,
            "Duration of requests as the server of the model has it.",
            gen_ai::DURATION_BOUNDS,
        )),
        stages: &STAGES,
        measures: &[],
        quantities: &QUANTITIES,
        in_flight: Some(InFlight {
            name: obs::LLM_SERVER_ACTIVE,
            unit: "{request}",
            description: "Number of requests that a server of models has, waiting or running.",
            labels: 1 << OPERATION | 1 << PROVIDER | 1 << RESPONSE_MODEL,
        }),
        span_name,
    }
}

static STAGES: [Stage; 6] = [
    part("queue", Event::RPC_START, Event::SCHEDULED),
    part("prefill", Event::SCHEDULED, Event::FIRST_OUTPUT),
    part("decode", Event::FIRST_OUTPUT, Event::OUTPUT),
    by_hand(
        seconds(
            gen_ai::SERVER_TIME_TO_FIRST_TOKEN,
            "Time from a request to its first token, of requests that succeed.",
            gen_ai::FIRST_TOKEN_BOUNDS,
        ),
        Event::RPC_START,
        Event::FIRST_OUTPUT,
    ),
    by_hand(
        seconds(
            gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN,
            "Time for each token after the first, of requests that succeed.",
            gen_ai::OUTPUT_TOKEN_BOUNDS,
        ),
        Event::FIRST_OUTPUT,
        Event::OUTPUT,
    ),
    by_hand(
        seconds(
            obs::LLM_SERVER_TOKEN_GAP,
            "Time from one token of a request to the next.",
            GAP_BOUNDS,
        ),
        Event::OUTPUT,
        Event::OUTPUT,
    ),
];

/// Parts of a request take from a millisecond to minutes: the conventions' bounds of durations and what lies below them.
const STAGE_BOUNDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48,
    40.96, 81.92, 163.84,
];

/// The conventions' of the time per token, and what small models and stalls take.
const GAP_BOUNDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
    10.0,
];

const fn part(name: &'static str, from: Event, to: Event) -> Stage {
    Stage {
        attribute: Some((obs::STAGE, name)),
        ..by_hand(
            seconds(
                obs::LLM_SERVER_STAGE_DURATION,
                "Duration of the parts of requests.",
                STAGE_BOUNDS,
            ),
            from,
            to,
        )
    }
}

const fn seconds(
    name: &'static str,
    description: &'static str,
    bounds: &'static [f64],
) -> Histogram {
    Histogram {
        name,
        unit: "s",
        description,
        bounds,
    }
}

static QUANTITIES: [Quantity; 4] = [
    counter(
        obs::LLM_SERVER_INPUT_TOKENS,
        "{token}",
        "Tokens of inputs that were read, or found in the cache.",
    ),
    counter(
        obs::LLM_SERVER_CACHED_TOKENS,
        "{token}",
        "Tokens of inputs that were found in the cache.",
    ),
    counter(
        obs::LLM_SERVER_OUTPUT_TOKENS,
        "{token}",
        "Tokens that were written.",
    ),
    counter(
        obs::LLM_SERVER_PREEMPTIONS_METRIC,
        "{preemption}",
        "How many times a request that was begun with was put back into the queue.",
    ),
];

const fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Quantity {
    Quantity {
        histogram: Histogram {
            name,
            unit,
            description,
            bounds: &[],
        },
        attribute: None,
    }
}

/// Whose an instrument is: the model is the one that answers, by whichever name it is asked for.
const WHOSE: &[Label] = &[
    Label {
        key: gen_ai::PROVIDER_NAME,
        values: Values::Open { cap: 64 },
    },
    Label {
        key: gen_ai::RESPONSE_MODEL,
        values: Values::Open { cap: 512 },
    },
];

const fn instrument(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
) -> Instrument {
    Instrument {
        name,
        unit,
        description,
        labels: WHOSE,
        scope: &SCOPE,
    }
}

pub(super) static WAITING: Instrument = instrument(
    obs::LLM_SERVER_WAITING,
    "{request}",
    "Number of requests that wait for the server of a model to begin with them, or to go on.",
);
pub(super) static SLOTS: Instrument = instrument(
    obs::LLM_SERVER_SLOTS,
    "{request}",
    "How many requests the server of a model can work on at once.",
);
pub(super) static BATCH_SIZE: Instrument = instrument(
    obs::LLM_SERVER_BATCH_SIZE,
    "{request}",
    "Number of requests that one step of a model advanced.",
);
pub(super) static KV_CACHE_USAGE: Instrument = instrument(
    obs::LLM_SERVER_KV_CACHE_USAGE,
    "1",
    "How much of the cache of keys and values is in use.",
);

pub(super) const BATCH_BOUNDS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];

const ALL: [(Dialect, &Descriptor); 4] = [
    (Dialect::V1_41, &LLM_SERVER),
    (Dialect::V1_41, &LLM_SERVER_INTERNAL),
    (Dialect::Main, &LLM_SERVER_MAIN),
    (Dialect::Main, &LLM_SERVER_INTERNAL_MAIN),
];

/// The kind that is asked for, or that which another server of this telemetry registered first: two kinds would be two metrics of
/// one name, each with a part of the requests.
pub(super) fn registered(
    telemetry: &Telemetry,
    dialect: Dialect,
    span_kind: &SpanKind,
) -> (&'static Kind, Dialect) {
    let wanted = match (dialect, span_kind) {
        (Dialect::V1_41, SpanKind::Internal) => &LLM_SERVER_INTERNAL,
        (Dialect::V1_41, _) => &LLM_SERVER,
        (Dialect::Main, SpanKind::Internal) => &LLM_SERVER_INTERNAL_MAIN,
        (Dialect::Main, _) => &LLM_SERVER_MAIN,
    };
    let kinds = telemetry.kinds();
    let first = kinds.iter().find_map(|kind| {
        let is = |(_, known): &&(_, &'static Descriptor)| std::ptr::eq(*known, kind.descriptor());
        Some((*kind, ALL.iter().find(is)?.0))
    });
    match first {
        Some((kind, dialect)) => {
            if !std::ptr::eq(kind.descriptor(), wanted) {
                kind.warn(
                    "a server of a model is to have another dialect or kind of span than the others of this telemetry: it has theirs",
                );
            }
            (kind, dialect)
        }
        None => (telemetry.kind(wanted), dialect),
    }
}
