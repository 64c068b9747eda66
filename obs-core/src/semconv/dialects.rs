//! Names of others for what [`gen_ai`](super::gen_ai) names: older versions of the conventions, and what instrumentations call it.
//! They are read and never written, so they are no attributes of ours and have no version. Names whose first part no convention
//! claims stand where they are read.

/// Who serves the model, until v1.36.
pub const SYSTEM: &str = "gen_ai.system";
/// Tokens of the input, until v1.26, and in OpenLLMetry.
pub const PROMPT_TOKENS: &str = "gen_ai.usage.prompt_tokens";
/// Tokens of the output, until v1.26, and in OpenLLMetry.
pub const COMPLETION_TOKENS: &str = "gen_ai.usage.completion_tokens";
/// Of the input, those read from a cache: OpenLLMetry.
pub const CACHE_READ_INPUT_TOKENS: &str = "gen_ai.usage.cache_read_input_tokens";
/// The same: servers of models.
pub const CACHED_TOKENS: &str = "gen_ai.usage.cached_tokens";
/// The same: adk.
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read_tokens";
/// Of the input, those written to a cache: OpenLLMetry.
pub const CACHE_CREATION_INPUT_TOKENS: &str = "gen_ai.usage.cache_creation_input_tokens";
/// The same: adk.
pub const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation_tokens";
/// Of the output, those of reasoning: rig, OpenLLMetry.
pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning_tokens";
/// The same: adk.
pub const THINKING_TOKENS: &str = "gen_ai.usage.thinking_tokens";
/// Of the input, those of sound: adk.
pub const AUDIO_INPUT_TOKENS: &str = "gen_ai.usage.audio_input_tokens";
/// Of the output, those of sound: adk.
pub const AUDIO_OUTPUT_TOKENS: &str = "gen_ai.usage.audio_output_tokens";
/// What a call cost, as somebody reckons.
pub const COST: &str = "gen_ai.usage.cost";
/// Time to the first token, in seconds, as the client has it.
pub const TIME_TO_FIRST_TOKEN: &str = "gen_ai.response.time_to_first_token";
/// The same, as the server of the model has it: vLLM, SGLang.
pub const SERVER_TIME_TO_FIRST_TOKEN: &str = "gen_ai.latency.time_to_first_token";
/// Why the answer ended, where there is one reason.
pub const FINISH_REASON: &str = "gen_ai.response.finish_reason";
/// The same, as Anthropic calls it.
pub const STOP_REASON: &str = "gen_ai.response.stop_reason";
/// What the messages of a request are numbered behind: OpenLLMetry. rig has a prompt there.
pub const PROMPT: &str = "gen_ai.prompt";
/// What those of an answer are numbered behind.
pub const COMPLETION: &str = "gen_ai.completion";
/// A model's id of a call of a tool: adk.
pub const TOOL_CALL_ID: &str = "gen_ai.tool.call_id";
/// What kind of error a tool had: rig.
pub const TOOL_ERROR_TYPE: &str = "gen_ai.tool.error.type";
/// The user.
pub const USER_ID: &str = "gen_ai.user.id";
/// The user, whom a service has as its end.
pub const ENDUSER_ID: &str = "enduser.id";
/// Whether a span failed, as `tracing` has it: `error`, `ok`.
pub const STATUS_CODE: &str = "otel.status_code";
/// What a span is called, where `tracing` cannot say it.
pub const SPAN_NAME: &str = "otel.name";
/// What adk calls its span of a call of a model.
pub const ADK_GENERATE: &str = "gen_ai.generate";
