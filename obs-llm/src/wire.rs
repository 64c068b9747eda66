//! The formats in which providers and engines answer, read as they pass.
//!
//! A [`ResponseScanner`] is fed the bytes of an answer in whatever pieces they come, and tells a [`ResponseSink`] what stands in
//! them; a [`RequestScanner`] does so for a request. Both hold a few hundred bytes whatever passes, allocate nothing, change
//! nothing, and never fail: what makes no sense is told as [`Malformed`].

mod anthropic;
mod bedrock;
mod document;
mod eventstream;
mod framing;
mod gemini;
mod json;
mod ollama;
mod openai;
mod path;
mod quote;
mod request;
mod response;
mod responses;
mod shape;
mod string;
mod table;
#[cfg(feature = "client")]
pub(crate) mod usage_wanted;

pub use bedrock::usage_of_bedrock_headers;
pub use path::{Recognised, of_path};
pub use request::{RequestScanner, RequestSink};
pub use response::{Framing, ResponseScanner, ResponseSink};

/// Whose format it is. Engines (vLLM, SGLang, llama.cpp, TGI) and most providers speak OpenAI's, with additions that are read
/// too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// OpenAI's chat completions, with the additions of vLLM, SGLang, DeepSeek, llama.cpp, and its text completions and
    /// embeddings.
    OpenAiChat,
    /// OpenAI's Responses.
    OpenAiResponses,
    /// Anthropic's messages.
    AnthropicMessages,
    /// Google's `generateContent` and `streamGenerateContent`.
    Gemini,
    /// Ollama's `chat` and `generate`.
    Ollama,
    /// Amazon Bedrock's `converse-stream` and `converse`.
    BedrockConverse,
    /// Amazon Bedrock's `invoke-with-response-stream` and `invoke`: each event holds one of the model's own format.
    BedrockInvoke,
}

impl Wire {
    /// Its name, as an attribute has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::BedrockConverse => "bedrock_converse",
            Self::BedrockInvoke => "bedrock_invoke",
        }
    }
}

/// What a chunk brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// Text, a refusal, a transcript.
    Text,
    /// What the model thinks.
    Reasoning,
    /// A call of a tool, or a part of one.
    ToolCall,
    /// Sound, an image.
    Media,
}

/// What an engine told of its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerPart {
    /// Loading the model.
    Load,
    /// Reading the prompt.
    Prefill,
    /// Writing the answer.
    Decode,
    /// All of it.
    Total,
}

/// What made no sense in an answer. It is passed on as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// An event's data, a line or a body that is not the format's JSON.
    Json,
    /// A frame of a binary stream whose lengths or sums are wrong: nothing after it is read.
    Frame,
    /// The answer ended within an event.
    Cut,
}
