//! Where the parameters stand in the requests of each format, by the references of their interfaces.
//!
//! A parameter counts only at its own level: a `model` within a message, a tool or a schema is none, since no table goes there.

use super::{
    super::table::{At, Node},
    Act,
};

type Keys = &'static [(&'static str, At<Act>)];

/// A list of texts that end the answer, or one such text.
const fn stops() -> Node<Act> {
    Node::list(At::act(Act::Stop))
}

/// An object of which one key says what kind of output it asks for.
const fn typed() -> Node<Act> {
    const TYPE: Keys = &[("type", At::act(Act::Output))];
    Node::object(TYPE)
}

/// OpenAI's chat completions, text completions and embeddings; `top_k` is of vLLM and others, `reasoning` of OpenRouter.
pub(super) static OPENAI: [Node<Act>; 6] = [
    Node::object(&[
        ("model", At::act(Act::Model)),
        ("stream", At::act(Act::Stream)),
        ("stream_options", At::node(1)),
        ("max_tokens", At::act(Act::MaxTokens)),
        ("max_completion_tokens", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("top_p", At::act(Act::TopP)),
        ("top_k", At::act(Act::TopK)),
        ("frequency_penalty", At::act(Act::Frequency)),
        ("presence_penalty", At::act(Act::Presence)),
        ("seed", At::act(Act::Seed)),
        ("n", At::act(Act::Choices)),
        ("stop", At::either(2, Act::Stop)),
        ("service_tier", At::act(Act::Tier)),
        ("reasoning_effort", At::act(Act::Level)),
        ("reasoning", At::node(3)),
        ("response_format", At::node(4)),
        ("modalities", At::node(5)),
        ("encoding_format", At::act(Act::Encoding)),
        ("dimensions", At::act(Act::Dimensions)),
    ]),
    Node::object(&[("include_usage", At::act(Act::IncludeUsage))]),
    stops(),
    Node::object(&[
        ("effort", At::act(Act::Level)),
        ("max_tokens", At::act(Act::Level)),
    ]),
    typed(),
    Node::list(At::act(Act::Modality)),
];

/// OpenAI's Responses.
pub(super) static RESPONSES: [Node<Act>; 5] = [
    Node::object(&[
        ("model", At::act(Act::Model)),
        ("stream", At::act(Act::Stream)),
        ("max_output_tokens", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("top_p", At::act(Act::TopP)),
        ("service_tier", At::act(Act::Tier)),
        ("reasoning", At::node(1)),
        ("text", At::node(2)),
        ("previous_response_id", At::act(Act::Previous)),
        ("conversation", At::either(4, Act::Conversation)),
    ]),
    Node::object(&[("effort", At::act(Act::Level))]),
    Node::object(&[("format", At::node(3))]),
    typed(),
    Node::object(&[("id", At::act(Act::Conversation))]),
];

/// Anthropic's messages.
pub(super) static ANTHROPIC: [Node<Act>; 5] = [
    Node::object(&[
        ("model", At::act(Act::Model)),
        ("stream", At::act(Act::Stream)),
        ("max_tokens", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("top_p", At::act(Act::TopP)),
        ("top_k", At::act(Act::TopK)),
        ("stop_sequences", At::node(1)),
        ("service_tier", At::act(Act::Tier)),
        ("thinking", At::node(2)),
        ("output_config", At::node(3)),
        ("output_format", At::node(4)),
    ]),
    stops(),
    Node::object(&[("budget_tokens", At::act(Act::Level))]),
    Node::object(&[("effort", At::act(Act::Level)), ("format", At::node(4))]),
    typed(),
];

/// Gemini's `generateContent` and `embedContent`. Google's interfaces take both spellings of a name.
pub(super) static GEMINI: [Node<Act>; 5] = [
    Node::object(&[
        ("generationConfig", At::node(1)),
        ("generation_config", At::node(1)),
        ("outputDimensionality", At::act(Act::Dimensions)),
        ("output_dimensionality", At::act(Act::Dimensions)),
        ("serviceTier", At::act(Act::Tier)),
        ("service_tier", At::act(Act::Tier)),
    ]),
    Node::object(&[
        ("maxOutputTokens", At::act(Act::MaxTokens)),
        ("max_output_tokens", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("topP", At::act(Act::TopP)),
        ("top_p", At::act(Act::TopP)),
        ("topK", At::act(Act::TopK)),
        ("top_k", At::act(Act::TopK)),
        ("frequencyPenalty", At::act(Act::Frequency)),
        ("frequency_penalty", At::act(Act::Frequency)),
        ("presencePenalty", At::act(Act::Presence)),
        ("presence_penalty", At::act(Act::Presence)),
        ("seed", At::act(Act::Seed)),
        ("candidateCount", At::act(Act::Choices)),
        ("candidate_count", At::act(Act::Choices)),
        ("stopSequences", At::node(2)),
        ("stop_sequences", At::node(2)),
        ("responseMimeType", At::act(Act::Output)),
        ("response_mime_type", At::act(Act::Output)),
        ("responseModalities", At::node(3)),
        ("response_modalities", At::node(3)),
        ("thinkingConfig", At::node(4)),
        ("thinking_config", At::node(4)),
    ]),
    stops(),
    Node::list(At::act(Act::Modality)),
    Node::object(&[
        ("thinkingBudget", At::act(Act::Level)),
        ("thinking_budget", At::act(Act::Level)),
        ("thinkingLevel", At::act(Act::Level)),
        ("thinking_level", At::act(Act::Level)),
    ]),
];

/// Ollama's `chat`, `generate` and `embed`.
pub(super) static OLLAMA: [Node<Act>; 5] = [
    Node::object(&[
        ("model", At::act(Act::Model)),
        ("stream", At::act(Act::Stream)),
        ("options", At::node(1)),
        ("format", At::either(3, Act::Output)),
        ("think", At::act(Act::Level)),
        ("dimensions", At::act(Act::Dimensions)),
        ("input", At::either(4, Act::Embeds)),
    ])
    .closes(Act::End),
    Node::object(&[
        ("num_predict", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("top_p", At::act(Act::TopP)),
        ("top_k", At::act(Act::TopK)),
        ("frequency_penalty", At::act(Act::Frequency)),
        ("presence_penalty", At::act(Act::Presence)),
        ("seed", At::act(Act::Seed)),
        ("stop", At::either(2, Act::Stop)),
    ]),
    stops(),
    // A schema.
    Node::object(&[]).opens(Act::Json),
    Node::list(At::SKIP).opens(Act::Embeds),
];

/// Bedrock's `converse`, where models have additions of their own: Anthropic's, DeepSeek's and Amazon's.
pub(super) static CONVERSE: [Node<Act>; 8] = [
    Node::object(&[
        ("inferenceConfig", At::node(1)),
        ("additionalModelRequestFields", At::node(3)),
        ("serviceTier", At::node(5)),
        ("outputConfig", At::node(6)),
    ]),
    Node::object(&[
        ("maxTokens", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("topP", At::act(Act::TopP)),
        ("topK", At::act(Act::TopK)),
        ("stopSequences", At::node(2)),
    ]),
    stops(),
    Node::object(&[
        ("top_k", At::act(Act::TopK)),
        ("topK", At::act(Act::TopK)),
        ("inferenceConfig", At::node(1)),
        ("thinking", At::node(4)),
        ("reasoning_config", At::node(4)),
        ("reasoning_effort", At::act(Act::Level)),
    ]),
    Node::object(&[("budget_tokens", At::act(Act::Level))]),
    Node::object(&[("type", At::act(Act::Tier))]),
    Node::object(&[("textFormat", At::node(7))]),
    typed(),
];

/// Bedrock's `invoke`: what each model calls them, which is not the same word for two things.
pub(super) static INVOKE: [Node<Act>; 8] = [
    Node::object(&[
        ("max_tokens", At::act(Act::MaxTokens)),
        ("max_completion_tokens", At::act(Act::MaxTokens)),
        // Llama.
        ("max_gen_len", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("top_p", At::act(Act::TopP)),
        ("top_k", At::act(Act::TopK)),
        // Cohere.
        ("p", At::act(Act::TopP)),
        ("k", At::act(Act::TopK)),
        ("frequency_penalty", At::act(Act::Frequency)),
        ("presence_penalty", At::act(Act::Presence)),
        ("seed", At::act(Act::Seed)),
        ("n", At::act(Act::Choices)),
        // Anthropic and Cohere; Mistral and AI21.
        ("stop_sequences", At::node(2)),
        ("stop", At::either(2, Act::Stop)),
        ("thinking", At::node(3)),
        ("output_config", At::node(4)),
        ("output_format", At::node(5)),
        ("reasoning_effort", At::act(Act::Level)),
        ("response_format", At::node(5)),
        // Nova; Titan.
        ("inferenceConfig", At::node(1)),
        ("textGenerationConfig", At::node(6)),
        ("dimensions", At::act(Act::Dimensions)),
        ("embeddingConfig", At::node(7)),
    ]),
    Node::object(&[
        ("maxTokens", At::act(Act::MaxTokens)),
        ("max_new_tokens", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("topP", At::act(Act::TopP)),
        ("top_p", At::act(Act::TopP)),
        ("topK", At::act(Act::TopK)),
        ("top_k", At::act(Act::TopK)),
        ("stopSequences", At::node(2)),
    ]),
    stops(),
    Node::object(&[("budget_tokens", At::act(Act::Level))]),
    Node::object(&[("effort", At::act(Act::Level)), ("format", At::node(5))]),
    typed(),
    Node::object(&[
        ("maxTokenCount", At::act(Act::MaxTokens)),
        ("temperature", At::act(Act::Temperature)),
        ("topP", At::act(Act::TopP)),
        ("stopSequences", At::node(2)),
    ]),
    Node::object(&[("outputEmbeddingLength", At::act(Act::Dimensions))]),
];
