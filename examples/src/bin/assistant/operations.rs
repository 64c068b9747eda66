//! Kinds of operations of these services' own, beside the exchanges and the calls that the layers observe.

use obs_core::{
    DURATION_BOUNDS, Descriptor, Histogram, InFlight, Key, Label, Scope, Values,
    otel::trace::SpanKind, semconv,
};

/// How many documents a retrieval returned.
pub(crate) const HITS: Key = Key::new(&"assistant.retrieval.hits");

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
