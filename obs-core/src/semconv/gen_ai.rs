//! Generative AI (v1.41.1, the last set that the core conventions published; development), and beside each group what the
//! conventions' own repository calls it since (`main`, 1.42.0-dev).

names! {
    /// What is asked for: `chat`, `text_completion`, `embeddings`, `generate_content`.
    OPERATION_NAME = "gen_ai.operation.name";
    /// Who serves the model, as the client or its configuration knows.
    PROVIDER_NAME = "gen_ai.provider.name";
    /// The model that was asked for.
    REQUEST_MODEL = "gen_ai.request.model";
    /// The most tokens that the answer may have.
    REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens";
    /// How many answers are asked for, if not one.
    REQUEST_CHOICE_COUNT = "gen_ai.request.choice.count";
    /// The temperature.
    REQUEST_TEMPERATURE = "gen_ai.request.temperature";
    /// The mass of probability that is sampled from.
    REQUEST_TOP_P = "gen_ai.request.top_p";
    /// How many tokens are sampled from: a double here, an integer on main.
    REQUEST_TOP_K = "gen_ai.request.top_k";
    /// What ends the answer.
    REQUEST_STOP_SEQUENCES = "gen_ai.request.stop_sequences";
    /// The penalty on frequent tokens.
    REQUEST_FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty";
    /// The penalty on tokens that were there.
    REQUEST_PRESENCE_PENALTY = "gen_ai.request.presence_penalty";
    /// The encodings asked for.
    REQUEST_ENCODING_FORMATS = "gen_ai.request.encoding_formats";
    /// The seed.
    REQUEST_SEED = "gen_ai.request.seed";
    /// Whether the answer is to be streamed; there if it is.
    REQUEST_STREAM = "gen_ai.request.stream";
    /// The answer's id.
    RESPONSE_ID = "gen_ai.response.id";
    /// The model that answered.
    RESPONSE_MODEL = "gen_ai.response.model";
    /// Why the answer ended, one for each choice.
    RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons";
    /// Time to the first chunk, in seconds.
    RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk";
    /// Tokens of the input, with all that was read from and written to caches.
    USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens";
    /// Of these, those read from a cache.
    USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens";
    /// Of these, those written to a cache.
    USAGE_CACHE_CREATION_INPUT_TOKENS = "gen_ai.usage.cache_creation.input_tokens";
    /// Tokens of the output, with all that was reasoned.
    USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
    /// Of these, those of reasoning.
    USAGE_REASONING_OUTPUT_TOKENS = "gen_ai.usage.reasoning.output_tokens";
    /// Which tokens a metric counts: `input`, `output`.
    TOKEN_TYPE = "gen_ai.token.type";
    /// The conversation, as the framework or the user names it.
    CONVERSATION_ID = "gen_ai.conversation.id";
    /// What kind of output is asked for: `text`, `json`, `image`, `speech`.
    OUTPUT_TYPE = "gen_ai.output.type";
    /// How many dimensions an embedding is to have.
    EMBEDDINGS_DIMENSION_COUNT = "gen_ai.embeddings.dimension.count";
    /// The system's instructions, where content is captured.
    SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions";
    /// The messages of the request, where content is captured.
    INPUT_MESSAGES = "gen_ai.input.messages";
    /// The messages of the answer, where content is captured.
    OUTPUT_MESSAGES = "gen_ai.output.messages";
    /// The tools that the model may call, where content is captured.
    TOOL_DEFINITIONS = "gen_ai.tool.definitions";
    /// What was evaluated.
    EVALUATION_NAME = "gen_ai.evaluation.name";
    /// The score, as a number.
    EVALUATION_SCORE_VALUE = "gen_ai.evaluation.score.value";
    /// The score, in words.
    EVALUATION_SCORE_LABEL = "gen_ai.evaluation.score.label";
    /// Why it is that.
    EVALUATION_EXPLANATION = "gen_ai.evaluation.explanation";
    /// The agent's id, as its provider has it.
    AGENT_ID = "gen_ai.agent.id";
    /// The agent's name, as the application has it.
    AGENT_NAME = "gen_ai.agent.name";
    /// What the agent is for.
    AGENT_DESCRIPTION = "gen_ai.agent.description";
    /// The agent's version.
    AGENT_VERSION = "gen_ai.agent.version";
    /// The workflow's name, as the application has it.
    WORKFLOW_NAME = "gen_ai.workflow.name";
    /// The tool's name.
    TOOL_NAME = "gen_ai.tool.name";
    /// What kind of tool: `function`, `extension`, `datastore`.
    TOOL_TYPE = "gen_ai.tool.type";
    /// What the tool is for.
    TOOL_DESCRIPTION = "gen_ai.tool.description";
    /// The model's id of the call of a tool.
    TOOL_CALL_ID = "gen_ai.tool.call.id";
    /// What a tool is called with, where content is captured.
    TOOL_CALL_ARGUMENTS = "gen_ai.tool.call.arguments";
    /// What a tool gave, where content is captured.
    TOOL_CALL_RESULT = "gen_ai.tool.call.result";
    /// Where something is looked up: a knowledge base.
    DATA_SOURCE_ID = "gen_ai.data_source.id";
    /// What is looked up, where content is captured.
    RETRIEVAL_QUERY_TEXT = "gen_ai.retrieval.query.text";
    /// What was found, where content is captured.
    RETRIEVAL_DOCUMENTS = "gen_ai.retrieval.documents";
    /// The prompt template that was used.
    PROMPT_NAME = "gen_ai.prompt.name";
    /// Which of OpenAI's interfaces: `chat_completions`, `responses`.
    OPENAI_API_TYPE = "openai.api.type";
    /// The tier that was asked for.
    OPENAI_REQUEST_SERVICE_TIER = "openai.request.service_tier";
    /// The tier that served.
    OPENAI_RESPONSE_SERVICE_TIER = "openai.response.service_tier";
    /// What the model ran on.
    OPENAI_RESPONSE_SYSTEM_FINGERPRINT = "openai.response.system_fingerprint";
    /// Main only. How much the model is to reason.
    REQUEST_REASONING_LEVEL = "gen_ai.request.reasoning.level";
    /// Main only. The answer that this one goes on from.
    REQUEST_PREVIOUS_RESPONSE_ID = "gen_ai.request.previous_response.id";
    /// Main only. Where the answer is: `completed`, `incomplete`, `failed`, `cancelled`.
    RESPONSE_STATUS = "gen_ai.response.status";
    /// Main's name of [`USAGE_CACHE_CREATION_INPUT_TOKENS`].
    USAGE_CACHE_WRITE_INPUT_TOKENS = "gen_ai.usage.cache_write.input_tokens";
    /// Main only. Tokens of text in the input.
    USAGE_TEXT_INPUT_TOKENS = "gen_ai.usage.text.input_tokens";
    /// Main only. Tokens of images in the input.
    USAGE_IMAGE_INPUT_TOKENS = "gen_ai.usage.image.input_tokens";
    /// Main only. Tokens of sound in the input.
    USAGE_AUDIO_INPUT_TOKENS = "gen_ai.usage.audio.input_tokens";
    /// Main only. Tokens of text in the output.
    USAGE_TEXT_OUTPUT_TOKENS = "gen_ai.usage.text.output_tokens";
    /// Main only. Tokens of images in the output.
    USAGE_IMAGE_OUTPUT_TOKENS = "gen_ai.usage.image.output_tokens";
    /// Main only. Tokens of sound in the output.
    USAGE_AUDIO_OUTPUT_TOKENS = "gen_ai.usage.audio.output_tokens";
    /// Main only. What the tokens of a metric are of: `text`, `image`, `audio`, `unknown`.
    TOKEN_MODALITY = "gen_ai.token.modality";
    /// Main only. The version of the prompt template.
    PROMPT_VERSION = "gen_ai.prompt.version";
    /// Main only. How many documents are looked for at most.
    RETRIEVAL_TOP_K = "gen_ai.retrieval.top_k";
    /// Main only. The store of what is remembered.
    MEMORY_STORE_ID = "gen_ai.memory.store.id";
    /// Main only. The record of what is remembered.
    MEMORY_RECORD_ID = "gen_ai.memory.record.id";
    /// Main only. How many records were found or written.
    MEMORY_RECORD_COUNT = "gen_ai.memory.record.count";
    /// Main only. What is searched for in what is remembered, where content is captured.
    MEMORY_QUERY_TEXT = "gen_ai.memory.query.text";
    /// Main only. What is remembered, where content is captured.
    MEMORY_RECORDS = "gen_ai.memory.records";
}

/// The schema of v1.41's names.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";
/// The schema of main's names.
pub const SCHEMA_URL_MAIN: &str = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev";

/// Duration of calls, in seconds. On main of all but inferences.
pub const CLIENT_OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
/// Time to the first chunk of streamed answers, in seconds.
pub const CLIENT_TIME_TO_FIRST_CHUNK: &str = "gen_ai.client.operation.time_to_first_chunk";
/// Time between two chunks, in seconds.
pub const CLIENT_TIME_PER_OUTPUT_CHUNK: &str = "gen_ai.client.operation.time_per_output_chunk";
/// Tokens of calls.
pub const CLIENT_TOKEN_USAGE: &str = "gen_ai.client.token.usage";
/// Duration of requests as the server of the model has it, in seconds.
pub const SERVER_REQUEST_DURATION: &str = "gen_ai.server.request.duration";
/// Time to the first token of requests that succeed, in seconds.
pub const SERVER_TIME_TO_FIRST_TOKEN: &str = "gen_ai.server.time_to_first_token";
/// Time for each token after the first of requests that succeed, in seconds.
pub const SERVER_TIME_PER_OUTPUT_TOKEN: &str = "gen_ai.server.time_per_output_token";

/// Main: duration of inferences, in seconds.
pub const MAIN_INFERENCE_DURATION: &str = "gen_ai.client.inference.duration";
/// Main: time to the first chunk, in seconds.
pub const MAIN_TIME_TO_FIRST_CHUNK: &str = "gen_ai.client.inference.time_to_first_chunk";
/// Main: time between two chunks, in seconds.
pub const MAIN_TIME_PER_OUTPUT_CHUNK: &str = "gen_ai.client.inference.time_per_output_chunk";
/// Main: tokens of inputs, counted.
pub const MAIN_INPUT_TOKENS: &str = "gen_ai.client.inference.usage.input_tokens";
/// Main: tokens of outputs, counted.
pub const MAIN_OUTPUT_TOKENS: &str = "gen_ai.client.inference.usage.output_tokens";
/// Main: tokens read from caches, counted.
pub const MAIN_CACHE_READ_TOKENS: &str = "gen_ai.client.inference.usage.cache_read.input_tokens";
/// Main: tokens written to caches, counted.
pub const MAIN_CACHE_WRITE_TOKENS: &str = "gen_ai.client.inference.usage.cache_write.input_tokens";
/// Main: tokens of reasoning, counted.
pub const MAIN_REASONING_TOKENS: &str = "gen_ai.client.inference.usage.reasoning.output_tokens";
/// Main: tokens of the input of single calls.
pub const MAIN_OPERATION_INPUT_TOKENS: &str = "gen_ai.client.inference.operation.input_tokens";
/// Main: tokens of the output of single calls.
pub const MAIN_OPERATION_OUTPUT_TOKENS: &str = "gen_ai.client.inference.operation.output_tokens";

/// Main: duration of turns of agents in this process, in seconds.
pub const MAIN_INVOKE_AGENT_DURATION: &str = "gen_ai.invoke_agent.duration";
/// Main: inferences of one turn of an agent, without those of agents within it.
pub const MAIN_INFERENCE_CALLS: &str = "gen_ai.invoke_agent.inference_calls";
/// Main: calls of tools of one turn of an agent, without those of agents within it.
pub const MAIN_TOOL_CALLS: &str = "gen_ai.invoke_agent.tool_calls";
/// Main: duration of calls of tools, in seconds.
pub const MAIN_EXECUTE_TOOL_DURATION: &str = "gen_ai.execute_tool.duration";
/// Main: duration of workflows, in seconds.
pub const MAIN_INVOKE_WORKFLOW_DURATION: &str = "gen_ai.invoke_workflow.duration";

/// The event that carries what was said, where content is captured.
pub const OPERATION_DETAILS: &str = "gen_ai.client.inference.operation.details";
/// The event of a call that failed.
pub const OPERATION_EXCEPTION: &str = "gen_ai.client.operation.exception";
/// The event of an evaluation.
pub const EVALUATION_RESULT: &str = "gen_ai.evaluation.result";

/// Boundaries of durations of calls, in seconds.
pub const DURATION_BOUNDS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// Boundaries of token counts.
pub const TOKEN_BOUNDS: &[f64] = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0,
    16777216.0, 67108864.0,
];
/// Boundaries of a server's time to the first token, in seconds.
pub const FIRST_TOKEN_BOUNDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Boundaries of a server's time for each token, in seconds.
pub const OUTPUT_TOKEN_BOUNDS: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
];
/// Boundaries of durations of agents' turns, in seconds.
pub const AGENT_BOUNDS: &[f64] = &[
    0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6,
];
/// Boundaries of durations of workflows, in seconds.
pub const WORKFLOW_BOUNDS: &[f64] = &[
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
];
/// Boundaries of counts of calls in one turn.
pub const CALL_COUNT_BOUNDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
