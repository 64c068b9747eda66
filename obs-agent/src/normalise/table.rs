//! What others' attributes say in our words: the table, as data. It knows nothing of who has the attributes, a span of `tracing` or
//! one that arrived by OTLP.
//!
//! A row is what one fact is called, first match wins: the conventions' newest names first, then their older ones, then
//! [OpenInference](https://arize-ai.github.io/openinference/spec/semantic_conventions.html),
//! [OpenLLMetry](https://github.com/traceloop/openllmetry/blob/main/packages/opentelemetry-semantic-conventions-ai),
//! [Vercel's AI SDK](https://ai-sdk.dev/docs/ai-sdk-core/telemetry),
//! [LangSmith](https://docs.langchain.com/langsmith/trace-with-opentelemetry), and fields of Rust's frameworks, which have no names of
//! their own space and count on spans of that framework only.

use super::dialect::Dialect;
use obs_core::semconv::{dialects, gen_ai, http, session, user};

/// A name that a fact has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) key: &'static str,
    /// On spans of this one only.
    pub(crate) only: Option<Dialect>,
}

/// What one fact is called, first match wins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Which of all rows it is: by that, a call site's fields of the row are found.
    pub(crate) at: usize,
    pub(crate) names: &'static [Name],
}

impl Row {
    /// Its names, as far as spans of this dialect have them.
    pub(crate) fn of(self, dialect: Dialect) -> impl Iterator<Item = &'static str> {
        let names = self.names.iter();
        let own = names.filter(move |name| name.only.is_none_or(|only| only == dialect));
        own.map(|name| name.key)
    }
}

const fn row(at: usize, names: &'static [Name]) -> Row {
    Row { at, names }
}

const fn any(key: &'static str) -> Name {
    Name { key, only: None }
}

const fn in_langchain(key: &'static str) -> Name {
    Name {
        key,
        only: Some(Dialect::LangChainRust),
    }
}

const fn in_adk(key: &'static str) -> Name {
    Name {
        key,
        only: Some(Dialect::Adk),
    }
}

pub(crate) const OPERATION: &str = gen_ai::OPERATION_NAME.as_str();
pub(crate) const OPEN_INFERENCE_KIND: &str = "openinference.span.kind";
pub(crate) const TRACELOOP_KIND: &str = "traceloop.span.kind";
pub(crate) const REQUEST_TYPE: &str = "llm.request.type";
pub(crate) const VERCEL_OPERATION: &str = "ai.operationId";
pub(crate) const LANGSMITH_KIND: &str = "langsmith.span.kind";
/// What tells that a span is one of Vercel's, too.
pub(crate) const VERCEL_MODEL: &str = "ai.model.id";

/// What says which operation a span is, in the order in which it is asked. Each is a row of its own.
pub(crate) const KINDS: [Row; 6] = [
    row(46, &[any(OPERATION)]),
    row(47, &[any(OPEN_INFERENCE_KIND)]),
    row(48, &[any(TRACELOOP_KIND)]),
    row(49, &[any(REQUEST_TYPE)]),
    VERCEL_FUNCTION,
    row(51, &[any(LANGSMITH_KIND)]),
];
pub(crate) const VERCEL_FUNCTION: Row = row(50, &[any(VERCEL_OPERATION)]);
/// What says in whose words a span is told.
#[cfg(feature = "tracing")]
pub(crate) const TELLING: [&str; 6] = [
    VERCEL_OPERATION,
    VERCEL_MODEL,
    OPEN_INFERENCE_KIND,
    TRACELOOP_KIND,
    REQUEST_TYPE,
    LANGSMITH_KIND,
];
/// Vercel tells parts of the input since v6, and its total then has them.
pub(crate) const VERCEL_PARTS: Row = row(
    52,
    &[
        any("ai.usage.inputTokenDetails.noCacheTokens"),
        any("ai.usage.inputTokenDetails.cacheReadTokens"),
    ],
);
/// What the span is called, where `tracing` cannot say it.
#[cfg(feature = "tracing")]
pub(crate) const SPAN_NAME: Row = row(54, &[any(dialects::SPAN_NAME)]);

pub(crate) const PROVIDER: Row = row(
    0,
    &[
        any(gen_ai::PROVIDER_NAME.as_str()),
        any(dialects::SYSTEM),
        any("llm.provider"),
        any("llm.system"),
        any("ai.model.provider"),
        any("ls_provider"),
        any("langsmith.metadata.ls_provider"),
        in_langchain("provider"),
    ],
);
pub(crate) const REQUEST_MODEL: Row = row(
    1,
    &[
        any(gen_ai::REQUEST_MODEL.as_str()),
        any("llm.request.model_name"),
        any("llm.model_name"),
        any("embedding.model_name"),
        any(VERCEL_MODEL),
        any("ls_model_name"),
        any("langsmith.metadata.ls_model_name"),
        in_langchain("model"),
    ],
);
pub(crate) const RESPONSE_MODEL: Row = row(
    2,
    &[
        any(gen_ai::RESPONSE_MODEL.as_str()),
        any("llm.response.model_name"),
        any("ai.response.model"),
    ],
);
pub(crate) const RESPONSE_ID: Row = row(
    3,
    &[any(gen_ai::RESPONSE_ID.as_str()), any("ai.response.id")],
);
pub(crate) const STREAM: Row = row(
    4,
    &[
        any(gen_ai::REQUEST_STREAM.as_str()),
        any("llm.is_streaming"),
        in_langchain("stream"),
    ],
);
pub(crate) const MAX_TOKENS: Row = row(
    5,
    &[
        any(gen_ai::REQUEST_MAX_TOKENS.as_str()),
        any("ai.settings.maxOutputTokens"),
        any("ai.settings.maxTokens"),
    ],
);
pub(crate) const TEMPERATURE: Row = row(
    6,
    &[
        any(gen_ai::REQUEST_TEMPERATURE.as_str()),
        any("ai.settings.temperature"),
    ],
);
pub(crate) const TOP_P: Row = row(
    7,
    &[any(gen_ai::REQUEST_TOP_P.as_str()), any("ai.settings.topP")],
);

pub(crate) const INPUT_TOKENS: Row = row(
    8,
    &[
        any(gen_ai::USAGE_INPUT_TOKENS.as_str()),
        any(dialects::PROMPT_TOKENS),
        any("llm.token_count.prompt"),
        any("llm.usage.prompt_tokens"),
        any("ai.usage.promptTokens"),
        any("ai.usage.inputTokens"),
        any("ai.usage.tokens"),
        in_langchain("prompt_tokens"),
    ],
);
pub(crate) const OUTPUT_TOKENS: Row = row(
    9,
    &[
        any(gen_ai::USAGE_OUTPUT_TOKENS.as_str()),
        any(dialects::COMPLETION_TOKENS),
        any("llm.token_count.completion"),
        any("llm.usage.completion_tokens"),
        any("ai.usage.completionTokens"),
        any("ai.usage.outputTokens"),
        in_langchain("completion_tokens"),
    ],
);
pub(crate) const CACHE_READ_TOKENS: Row = row(
    10,
    &[
        any(gen_ai::USAGE_CACHE_READ_INPUT_TOKENS.as_str()),
        any(dialects::CACHE_READ_INPUT_TOKENS),
        any(dialects::CACHED_TOKENS),
        any(dialects::CACHE_READ_TOKENS),
        any("llm.token_count.prompt_details.cache_read"),
        any("ai.usage.inputTokenDetails.cacheReadTokens"),
        any("ai.usage.cachedInputTokens"),
    ],
);
pub(crate) const CACHE_WRITE_TOKENS: Row = row(
    11,
    &[
        any(gen_ai::USAGE_CACHE_WRITE_INPUT_TOKENS.as_str()),
        any(gen_ai::USAGE_CACHE_CREATION_INPUT_TOKENS.as_str()),
        any(dialects::CACHE_CREATION_INPUT_TOKENS),
        any(dialects::CACHE_CREATION_TOKENS),
        any("llm.token_count.prompt_details.cache_write"),
        any("ai.usage.inputTokenDetails.cacheWriteTokens"),
    ],
);
pub(crate) const REASONING_TOKENS: Row = row(
    12,
    &[
        any(gen_ai::USAGE_REASONING_OUTPUT_TOKENS.as_str()),
        any(dialects::REASONING_TOKENS),
        any(dialects::THINKING_TOKENS),
        any("llm.token_count.completion_details.reasoning"),
        any("ai.usage.outputTokenDetails.reasoningTokens"),
        any("ai.usage.reasoningTokens"),
    ],
);
pub(crate) const AUDIO_INPUT_TOKENS: Row = row(
    13,
    &[
        any(gen_ai::USAGE_AUDIO_INPUT_TOKENS.as_str()),
        any(dialects::AUDIO_INPUT_TOKENS),
        any("llm.token_count.prompt_details.audio"),
    ],
);
pub(crate) const AUDIO_OUTPUT_TOKENS: Row = row(
    14,
    &[
        any(gen_ai::USAGE_AUDIO_OUTPUT_TOKENS.as_str()),
        any(dialects::AUDIO_OUTPUT_TOKENS),
        any("llm.token_count.completion_details.audio"),
    ],
);

/// In seconds.
pub(crate) const FIRST_CHUNK: Row = row(
    15,
    &[
        any(gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK.as_str()),
        any(dialects::TIME_TO_FIRST_TOKEN),
    ],
);
/// In milliseconds.
pub(crate) const FIRST_CHUNK_MS: Row = row(
    16,
    &[
        any("ai.response.msToFirstChunk"),
        any("ai.stream.msToFirstChunk"),
    ],
);
/// In seconds, as the server of the model has it.
pub(crate) const SERVER_FIRST_TOKEN: Row = row(17, &[any(dialects::SERVER_TIME_TO_FIRST_TOKEN)]);
pub(crate) const FINISH_REASONS: Row = row(
    18,
    &[
        any(gen_ai::RESPONSE_FINISH_REASONS.as_str()),
        any(dialects::FINISH_REASON),
        any(dialects::STOP_REASON),
        any("llm.finish_reason"),
        any("ai.response.finishReason"),
        any("ai.finishReason"),
    ],
);

pub(crate) const CONVERSATION: Row = row(
    19,
    &[
        any(gen_ai::CONVERSATION_ID.as_str()),
        any(session::ID.as_str()),
        any("langsmith.trace.session_id"),
        any("traceloop.association.properties.session_id"),
        any("traceloop.association.properties.chat_id"),
        any("traceloop.association.properties.thread_id"),
        any("ai.telemetry.metadata.sessionId"),
        any("langfuse.session.id"),
    ],
);
pub(crate) const USER: Row = row(
    20,
    &[
        any(user::ID.as_str()),
        any(dialects::ENDUSER_ID),
        any(dialects::USER_ID),
        any("llm.user"),
        any("ai.telemetry.metadata.userId"),
        any("langfuse.user.id"),
        any("traceloop.association.properties.user_id"),
        in_adk("adk.user_id"),
    ],
);

/// A span of OpenLLMetry's is of what its kind says, and has one name.
pub(crate) const ENTITY_NAME: Row = row(53, &[any("traceloop.entity.name")]);
pub(crate) const AGENT_NAME: Row = row(
    21,
    &[
        any(gen_ai::AGENT_NAME.as_str()),
        any("agent.name"),
        any("ai.telemetry.functionId"),
    ],
);
pub(crate) const AGENT_ID: Row = row(22, &[any(gen_ai::AGENT_ID.as_str())]);
pub(crate) const AGENT_DESCRIPTION: Row = row(23, &[any(gen_ai::AGENT_DESCRIPTION.as_str())]);
pub(crate) const AGENT_VERSION: Row = row(24, &[any(gen_ai::AGENT_VERSION.as_str())]);
pub(crate) const WORKFLOW_NAME: Row = row(
    25,
    &[
        any(gen_ai::WORKFLOW_NAME.as_str()),
        any("traceloop.workflow.name"),
        in_langchain("chain"),
    ],
);
pub(crate) const TOOL_NAME: Row = row(
    26,
    &[
        any(gen_ai::TOOL_NAME.as_str()),
        any("tool.name"),
        any("ai.toolCall.name"),
        in_langchain("tool"),
    ],
);
pub(crate) const TOOL_CALL_ID: Row = row(
    27,
    &[
        any(gen_ai::TOOL_CALL_ID.as_str()),
        any(dialects::TOOL_CALL_ID),
        any("tool_call.id"),
        any("ai.toolCall.id"),
    ],
);
pub(crate) const TOOL_TYPE: Row = row(28, &[any(gen_ai::TOOL_TYPE.as_str())]);
pub(crate) const TOOL_DESCRIPTION: Row = row(
    29,
    &[
        any(gen_ai::TOOL_DESCRIPTION.as_str()),
        any("tool.description"),
    ],
);
pub(crate) const DATA_SOURCE: Row = row(30, &[any(gen_ai::DATA_SOURCE_ID.as_str())]);
pub(crate) const TOP_K: Row = row(31, &[any(gen_ai::RETRIEVAL_TOP_K.as_str())]);
pub(crate) const TEXTS: Row = row(32, &[in_langchain("count")]);

/// What somebody reckons a call to have cost: it is kept aside, and in no sum.
pub(crate) const COST: Row = row(
    33,
    &[
        any(dialects::COST),
        any("llm.cost.total"),
        any("langfuse.observation.cost"),
    ],
);

/// What kind of error it was; a word.
pub(crate) const ERROR_TYPE: Row = row(
    34,
    &[
        any(http::ERROR_TYPE.as_str()),
        any(dialects::TOOL_ERROR_TYPE),
    ],
);
/// The error itself.
pub(crate) const ERROR: Row = row(35, &[in_langchain("error")]);
/// `error` where it failed.
pub(crate) const STATUS: Row = row(36, &[any(dialects::STATUS_CODE)]);

/// What was said. Nobody looks for it who does not record it.
pub(crate) const SYSTEM_INSTRUCTIONS: Row = row(37, &[any(gen_ai::SYSTEM_INSTRUCTIONS.as_str())]);
pub(crate) const INPUT_MESSAGES: Row = row(38, &[any(gen_ai::INPUT_MESSAGES.as_str())]);
pub(crate) const OUTPUT_MESSAGES: Row = row(39, &[any(gen_ai::OUTPUT_MESSAGES.as_str())]);
pub(crate) const INPUT_TEXT: Row = row(
    40,
    &[
        any("ai.prompt.messages"),
        any("ai.prompt"),
        any("traceloop.entity.input"),
        any("input.value"),
        any(dialects::PROMPT),
    ],
);
pub(crate) const OUTPUT_TEXT: Row = row(
    41,
    &[
        any("ai.response.text"),
        any("ai.response.toolCalls"),
        any("traceloop.entity.output"),
        any("output.value"),
        any(dialects::COMPLETION),
    ],
);
pub(crate) const TOOL_ARGUMENTS: Row = row(
    42,
    &[
        any(gen_ai::TOOL_CALL_ARGUMENTS.as_str()),
        any("tool.parameters"),
        any("ai.toolCall.args"),
        any("traceloop.entity.input"),
        any("input.value"),
    ],
);
pub(crate) const TOOL_RESULT: Row = row(
    43,
    &[
        any(gen_ai::TOOL_CALL_RESULT.as_str()),
        any("ai.toolCall.result"),
        any("traceloop.entity.output"),
        any("output.value"),
    ],
);
pub(crate) const QUERY: Row = row(
    44,
    &[
        any(gen_ai::RETRIEVAL_QUERY_TEXT.as_str()),
        any("input.value"),
        any("traceloop.entity.input"),
    ],
);
pub(crate) const DOCUMENTS: Row = row(45, &[any(gen_ai::RETRIEVAL_DOCUMENTS.as_str())]);

/// Rows of facts.
#[cfg(feature = "tracing")]
const FACTS: [Row; 37] = [
    PROVIDER,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    RESPONSE_ID,
    STREAM,
    MAX_TOKENS,
    TEMPERATURE,
    TOP_P,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    CACHE_READ_TOKENS,
    CACHE_WRITE_TOKENS,
    REASONING_TOKENS,
    AUDIO_INPUT_TOKENS,
    AUDIO_OUTPUT_TOKENS,
    FIRST_CHUNK,
    FIRST_CHUNK_MS,
    SERVER_FIRST_TOKEN,
    FINISH_REASONS,
    CONVERSATION,
    USER,
    AGENT_NAME,
    AGENT_ID,
    AGENT_DESCRIPTION,
    AGENT_VERSION,
    WORKFLOW_NAME,
    TOOL_NAME,
    TOOL_CALL_ID,
    TOOL_TYPE,
    TOOL_DESCRIPTION,
    DATA_SOURCE,
    TOP_K,
    TEXTS,
    COST,
    ERROR_TYPE,
    ERROR,
    STATUS,
];

/// The rows of what was said.
#[cfg(feature = "tracing")]
const SAID: [Row; 9] = [
    SYSTEM_INSTRUCTIONS,
    INPUT_MESSAGES,
    OUTPUT_MESSAGES,
    INPUT_TEXT,
    OUTPUT_TEXT,
    TOOL_ARGUMENTS,
    TOOL_RESULT,
    QUERY,
    DOCUMENTS,
];

/// As many as there are.
#[cfg(feature = "tracing")]
pub(crate) const ROWS: usize = 55;

/// All rows, in their order.
#[cfg(feature = "tracing")]
pub(crate) fn rows() -> impl Iterator<Item = Row> {
    let all = FACTS.into_iter().chain(SAID).chain(KINDS);
    all.chain([VERCEL_PARTS, ENTITY_NAME, SPAN_NAME])
}

/// What numbered messages stand behind, of the request and of the answer: `{prefix}.0.role`, and with the word between.
pub(crate) const NUMBERED_INPUT: [(&str, &str); 2] =
    [(dialects::PROMPT, ""), ("llm.input_messages", "message.")];
pub(crate) const NUMBERED_OUTPUT: [(&str, &str); 2] = [
    (dialects::COMPLETION, ""),
    ("llm.output_messages", "message."),
];

/// Whether somebody says something under this key that is read, in spans of this dialect: a fact, or `with_content` what was said.
#[cfg(feature = "tracing")]
pub(crate) fn knows(key: &str, dialect: Dialect, with_content: bool) -> bool {
    let is_said = FACTS.len()..FACTS.len() + SAID.len();
    let mut read = rows().filter(|row| with_content || !is_said.contains(&row.at));
    read.any(|row| row.of(dialect).any(|name| name == key)) || with_content && is_numbered(key)
}

/// Whether it is one of the messages that are numbered.
#[cfg(feature = "tracing")]
fn is_numbered(key: &str) -> bool {
    let part = |(prefix, word): &(&str, &str)| {
        let (number, part) = { key.strip_prefix(prefix)?.strip_prefix('.')? }.split_once('.')?;
        number.parse::<u16>().ok()?;
        part.strip_prefix(word)
    };
    let mut parts = NUMBERED_INPUT.iter().chain(&NUMBERED_OUTPUT);
    parts.any(|names| matches!(part(names), Some("role" | "content")))
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_their_order() {
        let places: Vec<_> = rows().map(|row| row.at).collect();
        assert_eq!(places, (0..ROWS).collect::<Vec<_>>());
    }
}
