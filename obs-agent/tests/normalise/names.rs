//! Every name that a fact has, by the dialects' own documents: each is read where it stands alone, and gives way to those before it.

use super::said::{Said, show, span};
use obs_agent::normalise::Value::{self, Bool, Float, Int, Str};

/// A fact as it is shown, and the names that it has, first match wins.
struct Row {
    shown: fn(&str) -> String,
    values: fn(usize) -> Value<'static>,
    /// The span that they stand on.
    scope: &'static str,
    name: &'static str,
    kind: (&'static str, &'static str),
    names: &'static [&'static str],
}

const TEXTS: [&str; 12] = [
    "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10", "t11",
];

fn text(at: usize) -> Value<'static> {
    Str(TEXTS[at])
}

fn count(at: usize) -> Value<'static> {
    Int(100 + at as i64)
}

const CHAT: Row = Row {
    shown: |value| format!("Chat ?={value}"),
    values: text,
    scope: "any",
    name: "x",
    kind: ("gen_ai.operation.name", "chat"),
    names: &[],
};

#[track_caller]
fn check(fact: &str, row: Row) {
    for (at, name) in row.names.iter().enumerate() {
        // Those behind it stand there, too, and say something else.
        let behind = row.names.iter().enumerate().skip(at);
        let mut said: Vec<_> = behind.map(|(at, name)| (*name, (row.values)(at))).collect();
        said.reverse();
        said.push((row.kind.0, Str(row.kind.1)));
        let shown = match (row.values)(at) {
            Str(text) => text.to_owned(),
            Int(count) => count.to_string(),
            Float(number) => number.to_string(),
            Bool(flag) => flag.to_string(),
            other => panic!("{other:?}"),
        };
        let expect = (row.shown)(&shown).replace('?', fact);
        assert_eq!(
            show(&span(row.scope, row.name, &Said(&said))),
            expect,
            "{name}"
        );
    }
}

#[test]
fn who_answers() {
    check(
        "provider",
        Row {
            names: &[
                "gen_ai.provider.name",
                "gen_ai.system",
                "llm.provider",
                "llm.system",
                "ai.model.provider",
                "ls_provider",
                "langsmith.metadata.ls_provider",
            ],
            ..CHAT
        },
    );
    check(
        "answered",
        Row {
            names: &[
                "gen_ai.response.model",
                "llm.response.model_name",
                "ai.response.model",
            ],
            ..CHAT
        },
    );
    check(
        "id",
        Row {
            names: &["gen_ai.response.id", "ai.response.id"],
            ..CHAT
        },
    );
    check(
        "model",
        Row {
            names: &[
                "gen_ai.request.model",
                "llm.request.model_name",
                "llm.model_name",
                "embedding.model_name",
                "ai.model.id",
                "ls_model_name",
                "langsmith.metadata.ls_model_name",
            ],
            ..CHAT
        },
    );
}

#[test]
fn what_is_counted() {
    let counted = |names| Row {
        values: count,
        names,
        ..CHAT
    };
    check(
        "Input",
        counted(&[
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.token_count.prompt",
            "llm.usage.prompt_tokens",
            "ai.usage.promptTokens",
            "ai.usage.inputTokens",
            "ai.usage.tokens",
        ]),
    );
    check(
        "Output",
        counted(&[
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.token_count.completion",
            "llm.usage.completion_tokens",
            "ai.usage.completionTokens",
            "ai.usage.outputTokens",
        ]),
    );
    check(
        "CacheRead",
        counted(&[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cached_tokens",
            "gen_ai.usage.cache_read_tokens",
            "llm.token_count.prompt_details.cache_read",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.cachedInputTokens",
        ]),
    );
    check(
        "CacheWrite",
        counted(&[
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_creation_tokens",
            "llm.token_count.prompt_details.cache_write",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
        ]),
    );
    check(
        "Reasoning",
        counted(&[
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.thinking_tokens",
            "llm.token_count.completion_details.reasoning",
            "ai.usage.outputTokenDetails.reasoningTokens",
            "ai.usage.reasoningTokens",
        ]),
    );
    check(
        "AudioInput",
        counted(&[
            "gen_ai.usage.audio.input_tokens",
            "gen_ai.usage.audio_input_tokens",
            "llm.token_count.prompt_details.audio",
        ]),
    );
    check(
        "AudioOutput",
        counted(&[
            "gen_ai.usage.audio.output_tokens",
            "gen_ai.usage.audio_output_tokens",
            "llm.token_count.completion_details.audio",
        ]),
    );
    check(
        "max",
        counted(&[
            "gen_ai.request.max_tokens",
            "ai.settings.maxOutputTokens",
            "ai.settings.maxTokens",
        ]),
    );
    check(
        "cost",
        counted(&[
            "gen_ai.usage.cost",
            "llm.cost.total",
            "langfuse.observation.cost",
        ]),
    );
}

#[test]
fn when_and_why() {
    let seconds = |names, values| Row {
        shown: |value| format!("Chat ?={value}s"),
        values,
        names,
        ..CHAT
    };
    let whole = |at| Float(at as f64 + 1.0);
    check(
        "first",
        seconds(
            &[
                "gen_ai.response.time_to_first_chunk",
                "gen_ai.response.time_to_first_token",
            ],
            whole,
        ),
    );
    check(
        "server_first",
        seconds(&["gen_ai.latency.time_to_first_token"], whole),
    );
    for name in ["ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"] {
        let said = [
            ("gen_ai.operation.name", Str("chat")),
            (name, Float(1500.0)),
        ];
        let shown = show(&span("any", "x", &Said(&said)));
        assert_eq!(shown, "Chat first=1.5s", "{name}");
    }
    check(
        "because",
        Row {
            names: &[
                "gen_ai.response.finish_reasons",
                "gen_ai.response.finish_reason",
                "gen_ai.response.stop_reason",
                "llm.finish_reason",
                "ai.response.finishReason",
                "ai.finishReason",
            ],
            ..CHAT
        },
    );
    for name in ["gen_ai.request.stream", "llm.is_streaming"] {
        let said = [("gen_ai.operation.name", Str("chat")), (name, Bool(true))];
        let shown = show(&span("any", "x", &Said(&said)));
        assert_eq!(shown, "Chat stream", "{name}");
    }
    check(
        "error",
        Row {
            names: &["error.type", "gen_ai.tool.error.type"],
            ..CHAT
        },
    );
}

#[test]
fn whose_it_is() {
    check(
        "conversation",
        Row {
            names: &[
                "gen_ai.conversation.id",
                "session.id",
                "langsmith.trace.session_id",
                "traceloop.association.properties.session_id",
                "traceloop.association.properties.chat_id",
                "traceloop.association.properties.thread_id",
                "ai.telemetry.metadata.sessionId",
                "langfuse.session.id",
            ],
            ..CHAT
        },
    );
    check(
        "user",
        Row {
            names: &[
                "user.id",
                "enduser.id",
                "gen_ai.user.id",
                "llm.user",
                "ai.telemetry.metadata.userId",
                "langfuse.user.id",
                "traceloop.association.properties.user_id",
            ],
            ..CHAT
        },
    );
}

#[test]
fn what_is_called() {
    check(
        "agent",
        Row {
            shown: |value| format!("InvokeAgent ?={value}"),
            kind: ("gen_ai.operation.name", "invoke_agent"),
            names: &["gen_ai.agent.name", "agent.name", "ai.telemetry.functionId"],
            ..CHAT
        },
    );
    check(
        "workflow",
        Row {
            shown: |value| format!("InvokeWorkflow ?={value}"),
            kind: ("gen_ai.operation.name", "invoke_workflow"),
            names: &["gen_ai.workflow.name", "traceloop.workflow.name"],
            ..CHAT
        },
    );
    let tool = |names| Row {
        shown: |value| format!("ExecuteTool ?={value}"),
        kind: ("gen_ai.operation.name", "execute_tool"),
        names,
        ..CHAT
    };
    check(
        "tool",
        tool(&["gen_ai.tool.name", "tool.name", "ai.toolCall.name"]),
    );
    check(
        "call",
        tool(&[
            "gen_ai.tool.call.id",
            "gen_ai.tool.call_id",
            "tool_call.id",
            "ai.toolCall.id",
        ]),
    );
    check(
        "source",
        Row {
            shown: |value| format!("Retrieval ?={value}"),
            kind: ("gen_ai.operation.name", "retrieval"),
            names: &["gen_ai.data_source.id"],
            ..CHAT
        },
    );
}
