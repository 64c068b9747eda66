//! Whatever somebody says, reading it does not panic, and says nothing that was not said.

use super::said::Said;
use obs_agent::normalise::{Content, Side, SpanView, Value, framework};
use obs_agent::obs_llm::Tokens;
use proptest::prelude::*;

/// Keys that are read, and some that are not.
const KEYS: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.system",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.prompt.0.role",
    "gen_ai.prompt.0.content",
    "openinference.span.kind",
    "traceloop.span.kind",
    "traceloop.entity.name",
    "llm.request.type",
    "ai.operationId",
    "ai.model.provider",
    "ai.response.msToFirstChunk",
    "langsmith.span.kind",
    "otel.status_code",
    "error",
    "provider",
    "else",
];

/// Words that are known, and any.
fn text() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "chat",
        "LLM",
        "CHAIN",
        "agent",
        "ai.streamText.doStream",
        ".do",
        "ai.",
        "[",
        "]",
        "[,]",
        "[\"stop\"]",
        "-",
        ".chat",
        "error",
        "NaN",
        "1e400",
        "-1",
        "99999999999999999999",
    ];
    prop_oneof![
        proptest::sample::select(KNOWN).prop_map(str::to_owned),
        any::<String>(),
    ]
}

#[derive(Clone, Debug)]
enum Owned {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<String>),
}

fn value() -> impl Strategy<Value = Owned> {
    prop_oneof![
        any::<bool>().prop_map(Owned::Bool),
        any::<i64>().prop_map(Owned::Int),
        any::<f64>().prop_map(Owned::Float),
        text().prop_map(Owned::Text),
        proptest::collection::vec(text(), 0..3).prop_map(Owned::List),
    ]
}

proptest! {
    #[test]
    fn nothing_panics_and_totals_have_their_parts(
        scope in prop_oneof![Just("langchain_rust::x".to_owned()), Just("adk_x".to_owned()), text()],
        name in text(),
        is_root: bool,
        said in proptest::collection::vec((proptest::sample::select(KEYS), value()), 0..12),
    ) {
        let lists: Vec<Vec<&str>> = said
            .iter()
            .map(|(_, value)| match value {
                Owned::List(texts) => texts.iter().map(String::as_str).collect(),
                _ => Vec::new(),
            })
            .collect();
        let values: Vec<(&str, Value<'_>)> = said
            .iter()
            .zip(&lists)
            .map(|((key, value), list)| {
                let value = match value {
                    Owned::Bool(flag) => Value::Bool(*flag),
                    Owned::Int(number) => Value::Int(*number),
                    Owned::Float(number) => Value::Float(*number),
                    Owned::Text(text) => Value::Str(text),
                    Owned::List(_) => Value::List(list),
                };
                (*key, value)
            })
            .collect();
        let said = Said(&values);
        let span = SpanView { name: &name, scope: &scope, is_root, attributes: &said };
        let _ = framework(&scope);
        let mut out = String::new();
        for side in [Side::Input, Side::Output] {
            span.messages(side, &mut out);
        }
        for content in [Content::Arguments, Content::Result, Content::Query] {
            let _ = span.content(content);
        }
        let Some(reading) = span.read() else {
            prop_assert_eq!(span.operation(), None);
            return Ok(());
        };
        prop_assert_eq!(span.operation(), Some(reading.operation));
        let get = |tokens| reading.usage.get(tokens);
        if let (Some(total), Some(part)) = (get(Tokens::Input), get(Tokens::CacheRead)) {
            prop_assert!(part <= total);
        }
        if let (Some(total), Some(part)) = (get(Tokens::Output), get(Tokens::Reasoning)) {
            prop_assert!(part <= total);
        }
        prop_assert!(reading.time_to_first_chunk.is_none_or(|seconds| seconds >= 0.0 && seconds.is_finite()));
        prop_assert!(reading.finish_reasons.iter().all(|reason| !reason.is_empty()));
    }
}
