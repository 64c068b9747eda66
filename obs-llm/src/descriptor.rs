//! What a call of a model is, to obs-core.

use crate::dialect::Dialect;
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{gen_ai, http, network, obs};
use obs_core::{
    Descriptor, ErrorType, Event, Histogram, InFlight, Key, Label, Quantity, Record, Scope, Stage,
    StatsLevel, Values,
};

pub(crate) const OPERATION: usize = 0;
pub(crate) const PROVIDER: usize = 1;
pub(crate) const MODEL: usize = 2;
pub(crate) const RESPONSE_MODEL: usize = 3;
pub(crate) const ADDRESS: usize = 4;
pub(crate) const PORT: usize = 5;
pub(crate) const ERROR: usize = 6;

/// Stages, in the order in which all kinds have them.
pub(crate) const FIRST_CHUNK: usize = 0;
pub(crate) const CHUNK_GAP: usize = 1;

/// The quantity that all kinds have first.
pub(crate) const COST: usize = 0;
/// The quantities of v1.41's.
pub(crate) const INPUT_USAGE: usize = 1;
pub(crate) const OUTPUT_USAGE: usize = 2;
/// The quantities of main's: a counter for each modality, in the order of [`MODALITIES`], of input and of output.
pub(crate) const MAIN_INPUT: usize = 1;
pub(crate) const MAIN_OUTPUT: usize = 5;
pub(crate) const MAIN_CACHE_READ: usize = 9;
pub(crate) const MAIN_CACHE_WRITE: usize = 10;
pub(crate) const MAIN_REASONING: usize = 11;
pub(crate) const MAIN_CALL_INPUT: usize = 12;
pub(crate) const MAIN_CALL_OUTPUT: usize = 13;

/// What a call asks a model for: `gen_ai.operation.name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LlmOperation {
    /// An answer to messages.
    Chat,
    /// The same of Google's interfaces, with content of several kinds.
    GenerateContent,
    /// What a text goes on with.
    TextCompletion,
    /// Vectors.
    Embeddings,
}

const OPERATIONS: &[&str] = &["chat", "generate_content", "text_completion", "embeddings"];

impl LlmOperation {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        OPERATIONS[self as usize]
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Chat,
            Self::GenerateContent,
            Self::TextCompletion,
            Self::Embeddings,
        ];
        all.into_iter().find(|one| one.as_str() == name)
    }

    /// Whether a model generates something: what main's conventions call an inference.
    pub const fn is_inference(self) -> bool {
        !matches!(self, Self::Embeddings)
    }
}

/// `error.type` of a call whose service returned an error that says nothing more.
pub const SERVICE_ERROR: ErrorType = ErrorType::own(0);
/// `error.type` of a call whose answer broke off: the connection, or an error of its body.
pub const BODY_ERROR: ErrorType = ErrorType::own(1);
/// `error.type` of a call whose answer ended where its format does not end.
pub const INCOMPLETE: ErrorType = ErrorType::own(2);

/// Values of `error.type`: three of ours, and codes and types of errors as providers and engines call them.
const ERRORS: &[&str] = &[
    "service_error",
    "body_error",
    "incomplete_response",
    // OpenAI and those who speak its format.
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "rate_limit_exceeded",
    "insufficient_quota",
    "context_length_exceeded",
    "model_not_found",
    "content_filter",
    "server_error",
    "internal_server_error",
    "service_unavailable",
    "invalid_api_key",
    "tokens",
    "requests",
    "BadRequestError",
    "NotFoundError",
    "exceed_context_size_error",
    "unavailable_error",
    "not_supported_error",
    // Anthropic.
    "billing_error",
    "request_too_large",
    "api_error",
    "timeout_error",
    "overloaded_error",
    // Google.
    "INVALID_ARGUMENT",
    "FAILED_PRECONDITION",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "RESOURCE_EXHAUSTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    // Amazon Bedrock.
    "AccessDeniedException",
    "InternalServerException",
    "ModelErrorException",
    "ModelNotReadyException",
    "ModelStreamErrorException",
    "ModelTimeoutException",
    "ResourceNotFoundException",
    "ServiceQuotaExceededException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "ValidationException",
    // Frameworks, and clients that sent nothing or were refused an answer.
    "model_error",
    "connection_error",
    "permission_denied",
    "not_found",
    "rate_limited",
    "invalid_output",
    "interrupted",
    "budget_exceeded",
];

/// The type of an error that a provider tells by a code or type: one of the closed list, else `_OTHER`. Amazon begins its names
/// with a small letter where they are members of a stream.
pub(crate) fn error_type(code: &str) -> ErrorType {
    let is = |known: &str| {
        known == code
            || known.len() == code.len()
                && known.as_bytes()[0].eq_ignore_ascii_case(&code.as_bytes()[0])
                && known.as_bytes()[1..] == code.as_bytes()[1..]
    };
    match ERRORS.iter().position(|known| is(known)) {
        Some(index) => ErrorType::own(index as u16),
        None => ErrorType::OTHER,
    }
}

pub(crate) static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: gen_ai::SCHEMA_URL,
};

/// Names that a backend translates by another schema are of another scope.
pub(crate) static SCOPE_MAIN: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: gen_ai::SCHEMA_URL_MAIN,
};

pub(crate) static LABELS: [Label; 7] = [
    Label {
        key: gen_ai::OPERATION_NAME,
        values: Values::Closed(OPERATIONS),
    },
    Label {
        key: gen_ai::PROVIDER_NAME,
        values: Values::Open { cap: 64 },
    },
    Label {
        key: gen_ai::REQUEST_MODEL,
        values: Values::Open { cap: 512 },
    },
    Label {
        key: gen_ai::RESPONSE_MODEL,
        values: Values::Open { cap: 512 },
    },
    // Whom a service asks is few hosts.
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

/// A call of a model, by v1.41's names. Its name in settings is `llm.client`.
pub static LLM_CLIENT: Descriptor = client(&SCOPE, QUANTITIES, &STAGES, DURATION);
/// An inference, by main's names. Its name in settings is the same.
pub static LLM_CLIENT_MAIN: Descriptor =
    client(&SCOPE_MAIN, QUANTITIES_MAIN, &STAGES_MAIN, DURATION_MAIN);
/// A call that is no inference, by main's names. Its name in settings is `llm.operation`.
pub static LLM_OPERATION_MAIN: Descriptor = Descriptor {
    name: "llm.operation",
    ..client(&SCOPE_MAIN, QUANTITIES_MAIN, &STAGES_MAIN, DURATION)
};

impl Dialect {
    pub(crate) const fn descriptor(self, operation: LlmOperation) -> &'static Descriptor {
        match (self, operation.is_inference()) {
            (Self::V1_41, _) => &LLM_CLIENT,
            (Self::Main, true) => &LLM_CLIENT_MAIN,
            (Self::Main, false) => &LLM_OPERATION_MAIN,
        }
    }
}

const fn client(
    scope: &'static Scope,
    quantities: &'static [Quantity],
    stages: &'static [Stage],
    duration: Histogram,
) -> Descriptor {
    Descriptor {
        name: "llm.client",
        span_kind: SpanKind::Client,
        scope,
        labels: &LABELS,
        method: Some(MODEL),
        errors: ERRORS,
        duration: Some(duration),
        stages,
        measures: &[],
        quantities,
        in_flight: Some(InFlight {
            name: obs::LLM_CLIENT_ACTIVE,
            unit: "{call}",
            description: "Number of calls of models that are waited for.",
            labels: 1 << OPERATION | 1 << PROVIDER,
        }),
        span_name,
    }
}

const DURATION: Histogram = seconds(
    gen_ai::CLIENT_OPERATION_DURATION,
    "Duration of calls of models, until the end of the answer.",
);
const DURATION_MAIN: Histogram = seconds(
    gen_ai::MAIN_INFERENCE_DURATION,
    "Duration of inferences, until the end of the answer.",
);

static STAGES: [Stage; 2] = [
    first_chunk(gen_ai::CLIENT_TIME_TO_FIRST_CHUNK),
    chunk_gap(gen_ai::CLIENT_TIME_PER_OUTPUT_CHUNK),
];
static STAGES_MAIN: [Stage; 2] = [
    first_chunk(gen_ai::MAIN_TIME_TO_FIRST_CHUNK),
    chunk_gap(gen_ai::MAIN_TIME_PER_OUTPUT_CHUNK),
];

const fn first_chunk(name: &'static str) -> Stage {
    by_hand(
        seconds(
            name,
            "Time from the request to the first chunk with content.",
        ),
        Event::RPC_START,
        Event::FIRST_OUTPUT,
    )
}

const fn chunk_gap(name: &'static str) -> Stage {
    by_hand(
        seconds(name, "Time from one chunk with content to the next."),
        Event::FIRST_OUTPUT,
        Event::OUTPUT,
    )
}

/// At once: whoever waits for a long answer is to be seen before its end.
pub(crate) const fn by_hand(histogram: Histogram, from: Event, to: Event) -> Stage {
    Stage {
        histogram,
        attribute: None,
        from,
        to,
        level: StatsLevel::Base,
        by_hand: true,
    }
}

const QUANTITIES: &[Quantity] = &[
    COSTS,
    usage(gen_ai::CLIENT_TOKEN_USAGE, "input"),
    usage(gen_ai::CLIENT_TOKEN_USAGE, "output"),
];

/// What the tokens of main's counters are of.
const UNKNOWN: &str = "unknown";

const QUANTITIES_MAIN: &[Quantity] = &[
    COSTS,
    counter(gen_ai::MAIN_INPUT_TOKENS, UNKNOWN),
    counter(gen_ai::MAIN_INPUT_TOKENS, "text"),
    counter(gen_ai::MAIN_INPUT_TOKENS, "image"),
    counter(gen_ai::MAIN_INPUT_TOKENS, "audio"),
    counter(gen_ai::MAIN_OUTPUT_TOKENS, UNKNOWN),
    counter(gen_ai::MAIN_OUTPUT_TOKENS, "text"),
    counter(gen_ai::MAIN_OUTPUT_TOKENS, "image"),
    counter(gen_ai::MAIN_OUTPUT_TOKENS, "audio"),
    counter(gen_ai::MAIN_CACHE_READ_TOKENS, UNKNOWN),
    counter(gen_ai::MAIN_CACHE_WRITE_TOKENS, UNKNOWN),
    counter(gen_ai::MAIN_REASONING_TOKENS, UNKNOWN),
    Quantity {
        histogram: tokens(gen_ai::MAIN_OPERATION_INPUT_TOKENS),
        attribute: None,
    },
    Quantity {
        histogram: tokens(gen_ai::MAIN_OPERATION_OUTPUT_TOKENS),
        attribute: None,
    },
];

/// Its sum is the money, its count the calls that have a price.
const COSTS: Quantity = Quantity {
    histogram: Histogram {
        name: obs::LLM_COST,
        unit: "{USD}",
        description: "What calls of models cost, by the table of prices that was loaded.",
        bounds: &[
            0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0,
        ],
    },
    attribute: None,
};

const fn usage(name: &'static str, of: &'static str) -> Quantity {
    Quantity {
        histogram: tokens(name),
        attribute: Some((gen_ai::TOKEN_TYPE, of)),
    }
}

const fn counter(name: &'static str, of: &'static str) -> Quantity {
    Quantity {
        histogram: Histogram {
            bounds: &[],
            ..tokens(name)
        },
        attribute: Some((gen_ai::TOKEN_MODALITY, of)),
    }
}

const fn tokens(name: &'static str) -> Histogram {
    Histogram {
        name,
        unit: "{token}",
        description: "Number of input and output tokens used.",
        bounds: gen_ai::TOKEN_BOUNDS,
    }
}

const fn seconds(name: &'static str, description: &'static str) -> Histogram {
    Histogram {
        name,
        unit: "s",
        description,
        bounds: gen_ai::DURATION_BOUNDS,
    }
}

/// `{operation} {model}`, as the conventions say.
pub(crate) fn span_name(record: &Record<'_>, name: &mut String) {
    record.write_label(OPERATION, name);
    let operation = name.len();
    name.push(' ');
    record.write_label(MODEL, name);
    if name.len() == operation + 1 {
        name.truncate(operation);
    }
}

pub(crate) mod by_length {
    //! The same times by how long input and output were: a prompt of a hundred thousand tokens is not slow, it is long.

    use super::*;

    pub(crate) const PROVIDER: usize = 1;
    pub(crate) const MODEL: usize = 2;
    pub(crate) const INPUT: usize = 3;
    pub(crate) const OUTPUT: usize = 4;

    pub(crate) const FIRST_CHUNK: usize = 0;
    pub(crate) const DURATION: usize = 1;
    pub(crate) const PER_TOKEN: usize = 0;

    pub(crate) const INPUTS: &[&str] = &["0-1k", "1k-4k", "4k-16k", "16k-64k", "64k+", "unknown"];
    const INPUT_LIMITS: [u64; 4] = [1024, 4096, 16_384, 65_536];
    pub(crate) const OUTPUTS: &[&str] = &["0-64", "64-256", "256-1k", "1k-4k", "4k+", "unknown"];
    const OUTPUT_LIMITS: [u64; 4] = [64, 256, 1024, 4096];

    /// The place of a count among its classes: above the limit it is in the next.
    fn class(count: Option<u64>, limits: &[u64; 4]) -> u16 {
        match count {
            Some(count) => limits.partition_point(|limit| *limit < count) as u16,
            None => 5,
        }
    }

    pub(crate) fn input(count: Option<u64>) -> u16 {
        class(count, &INPUT_LIMITS)
    }

    pub(crate) fn output(count: Option<u64>) -> u16 {
        class(count, &OUTPUT_LIMITS)
    }

    static LABELS: [Label; 5] = [
        Label {
            key: gen_ai::OPERATION_NAME,
            values: Values::Closed(OPERATIONS),
        },
        Label {
            key: gen_ai::PROVIDER_NAME,
            values: Values::Open { cap: 64 },
        },
        Label {
            key: gen_ai::REQUEST_MODEL,
            values: Values::Open { cap: 512 },
        },
        Label {
            key: obs::LLM_INPUT_CLASS,
            values: Values::Closed(INPUTS),
        },
        Label {
            key: obs::LLM_OUTPUT_CLASS,
            values: Values::Closed(OUTPUTS),
        },
    ];

    static STAGES: [Stage; 2] = [
        by_hand(
            seconds(
                obs::LLM_TIME_TO_FIRST_CHUNK,
                "Time from the request to the first chunk with content, by how long the input was.",
            ),
            Event::RPC_START,
            Event::FIRST_OUTPUT,
        ),
        by_hand(
            seconds(
                obs::LLM_CLIENT_DURATION,
                "Duration of calls of models, by how long the output was.",
            ),
            Event::RPC_START,
            Event::OUTPUT,
        ),
    ];

    /// Nothing is ever started of it: it holds metrics.
    pub(crate) static BY_LENGTH: Descriptor = Descriptor {
        name: "llm.by_length",
        span_kind: SpanKind::Internal,
        scope: &SCOPE,
        labels: &LABELS,
        method: None,
        errors: &[],
        duration: None,
        stages: &STAGES,
        measures: &[],
        quantities: &[Quantity {
            histogram: Histogram {
                name: obs::LLM_TIME_PER_OUTPUT_TOKEN,
                unit: "s",
                description: "Time for each token after the first, by how long the output was.",
                bounds: gen_ai::OUTPUT_TOKEN_BOUNDS,
            },
            attribute: None,
        }],
        in_flight: None,
        span_name: |_, name| name.push_str("llm"),
    };
}

/// A sort of calls, by which those within one are known: nothing is ever started of it, and it measures nothing.
const fn sort(name: &'static str) -> Descriptor {
    Descriptor {
        name,
        span_kind: SpanKind::Client,
        scope: &SCOPE,
        labels: &[],
        method: None,
        errors: &[],
        duration: None,
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_name: |_, name| name.push_str("llm"),
    }
}

/// Inferences of v1.41's.
pub(crate) static WITHIN_INFERENCE: Descriptor = sort("llm.within.inference");
/// All other calls.
pub(crate) static WITHIN_OTHER: Descriptor = sort("llm.within.other");

/// Attributes of the tokens of a call, by the dialect.
pub(crate) const fn cache_write_key(dialect: Dialect) -> Key {
    match dialect {
        Dialect::V1_41 => gen_ai::USAGE_CACHE_CREATION_INPUT_TOKENS,
        Dialect::Main => gen_ai::USAGE_CACHE_WRITE_INPUT_TOKENS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_called_as_its_provider_calls_it() {
        assert_eq!(error_type("rate_limit_error"), ErrorType::own(7));
        assert_eq!(
            error_type("throttlingException"),
            error_type("ThrottlingException")
        );
        assert_ne!(error_type("ThrottlingException"), ErrorType::OTHER);
        assert_eq!(error_type(""), ErrorType::OTHER);
        assert_eq!(error_type("no such thing"), ErrorType::OTHER);
    }

    #[test]
    fn quantities_stand_where_their_numbers_say() {
        let place = |index: usize| {
            let quantity = &QUANTITIES_MAIN[index];
            (
                quantity.histogram.name,
                quantity.attribute.map(|(_, of)| of),
            )
        };
        assert_eq!(
            place(MAIN_INPUT),
            (gen_ai::MAIN_INPUT_TOKENS, Some("unknown"))
        );
        assert_eq!(
            place(MAIN_OUTPUT),
            (gen_ai::MAIN_OUTPUT_TOKENS, Some("unknown"))
        );
        assert_eq!(place(MAIN_CACHE_READ).0, gen_ai::MAIN_CACHE_READ_TOKENS);
        assert_eq!(place(MAIN_CACHE_WRITE).0, gen_ai::MAIN_CACHE_WRITE_TOKENS);
        assert_eq!(place(MAIN_REASONING).0, gen_ai::MAIN_REASONING_TOKENS);
        assert_eq!(
            place(MAIN_CALL_INPUT).0,
            gen_ai::MAIN_OPERATION_INPUT_TOKENS
        );
        assert_eq!(
            place(MAIN_CALL_OUTPUT).0,
            gen_ai::MAIN_OPERATION_OUTPUT_TOKENS
        );
        assert_eq!(
            QUANTITIES[INPUT_USAGE].attribute.map(|(_, of)| of),
            Some("input")
        );
        assert_eq!(
            QUANTITIES[OUTPUT_USAGE].attribute.map(|(_, of)| of),
            Some("output")
        );
        assert_eq!(QUANTITIES[COST].histogram.name, obs::LLM_COST);
        assert_eq!(QUANTITIES_MAIN[COST].histogram.name, obs::LLM_COST);
    }

    #[test]
    fn a_class_ends_with_its_limit() {
        let name = |count| by_length::INPUTS[usize::from(by_length::input(count))];
        assert_eq!(name(Some(0)), "0-1k");
        assert_eq!(name(Some(1024)), "0-1k");
        assert_eq!(name(Some(1025)), "1k-4k");
        assert_eq!(name(Some(1 << 40)), "64k+");
        assert_eq!(name(None), "unknown");
        let name = |count| by_length::OUTPUTS[usize::from(by_length::output(count))];
        assert_eq!(
            (name(Some(64)), name(Some(65)), name(None)),
            ("0-64", "64-256", "unknown")
        );
    }
}
