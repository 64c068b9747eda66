//! Kinds of operations of these services' own, beside the HTTP exchanges that the layers observe.

use obs_core::{
    DURATION_BOUNDS, Descriptor, ErrorType, Histogram, InFlight, Key, Label, LabelId, Labels,
    Record, Scope, Values, otel::trace::SpanKind, semconv,
};

/// How many documents a retrieval returned.
pub(crate) const HITS: Key = Key::new(&"assistant.retrieval.hits");
/// Tokens of the model's answer.
pub(crate) const OUTPUT_TOKENS: Key = Key::new(&"assistant.model.output_tokens");
const MODEL_NAME: Key = Key::new(&"assistant.model.name");

/// `error.type` of a call to a model that has no room.
pub(crate) const OVERLOADED: ErrorType = ErrorType::own(0);
/// The labels of a call to the only model there is.
pub(crate) const SMALL: Labels = Labels::NONE.with(0, LabelId::closed(0));

/// Who emits what is the services' own.
pub(crate) static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: semconv::SCHEMA_URL,
};

/// Looking up documents.
pub(crate) static RETRIEVAL: Descriptor = Descriptor {
    name: "assistant.retrieval",
    labels: &[Label {
        key: semconv::http::ERROR_TYPE,
        values: Values::Error,
    }],
    duration: Some(seconds(
        "assistant.retrieval.duration",
        "Duration of looking up documents.",
    )),
    span_name: |_, name| name.push_str("retrieve"),
    ..PLAIN
};

/// One call to the model.
pub(crate) static MODEL_CALL: Descriptor = Descriptor {
    name: "assistant.model",
    span_kind: SpanKind::Client,
    labels: &[
        Label {
            key: MODEL_NAME,
            values: Values::Closed(&["small-1"]),
        },
        Label {
            key: semconv::http::ERROR_TYPE,
            values: Values::Error,
        },
    ],
    errors: &["overloaded"],
    duration: Some(seconds(
        "assistant.model.duration",
        "Duration of calls to the model.",
    )),
    span_name: model_call,
    ..PLAIN
};

/// Writing a conversation to memory, after the answer. Its gauge is what a shutdown sees of it, and waits for.
pub(crate) static MEMORY: Descriptor = Descriptor {
    name: "assistant.memory",
    in_flight: Some(InFlight {
        name: "assistant.memory.active_writes",
        unit: "{write}",
        description: "Conversations that are being written to memory.",
        labels: 0,
    }),
    span_name: |_, name| name.push_str("remember"),
    ..PLAIN
};

/// Internal, without metrics: what the kinds above differ from.
const PLAIN: Descriptor = Descriptor {
    name: "",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, _| {},
};

const fn seconds(name: &'static str, description: &'static str) -> Histogram {
    Histogram {
        name,
        unit: "s",
        description,
        bounds: DURATION_BOUNDS,
    }
}

fn model_call(record: &Record<'_>, name: &mut String) {
    name.push_str("chat ");
    record.write_label(0, name);
}
