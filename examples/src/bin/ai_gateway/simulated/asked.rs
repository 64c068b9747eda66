//! What a simulated server is asked for.

use serde_json::Value;

/// Which interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interface {
    Chat,
    Completion,
    Embeddings,
    Responses,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) interface: Interface,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) usage: bool,
    pub(crate) choices: usize,
    /// How many words it is to say at most.
    pub(crate) most: usize,
    /// The tool that it is to call, if there are some.
    pub(crate) tool: Option<String>,
    /// Words of all that it was told; they count as tokens here.
    pub(crate) words: usize,
    /// Texts to make vectors of.
    pub(crate) texts: usize,
}

impl Asked {
    pub(crate) fn read(path: &str, body: &[u8]) -> Option<Self> {
        let interface = match path {
            "/v1/chat/completions" => Interface::Chat,
            "/v1/completions" => Interface::Completion,
            "/v1/embeddings" => Interface::Embeddings,
            "/v1/responses" => Interface::Responses,
            _ => return None,
        };
        let body: Value = serde_json::from_slice(body).ok()?;
        let number = |name: &str| body[name].as_u64().map(|number| number as usize);
        let most = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
        let tool = &body["tools"][0];
        let tool = tool["function"]["name"].as_str().or(tool["name"].as_str());
        let told = ["messages", "prompt", "input"].map(|name| &body[name]);
        Some(Self {
            interface,
            model: body["model"].as_str()?.to_owned(),
            stream: body["stream"].as_bool().unwrap_or_default(),
            usage: body["stream_options"]["include_usage"] == Value::Bool(true),
            choices: number("n").unwrap_or(1).clamp(1, 8),
            most: most.into_iter().find_map(number).unwrap_or(usize::MAX),
            tool: tool.map(str::to_owned),
            words: told.into_iter().map(words).sum(),
            texts: body["input"].as_array().map_or(1, Vec::len),
        })
    }
}

/// Of a text, or of the texts and contents within.
fn words(told: &Value) -> usize {
    match told {
        Value::String(text) => text.split_whitespace().count(),
        Value::Array(several) => several.iter().map(words).sum(),
        Value::Object(message) => {
            let parts = ["content", "text"].map(|name| message.get(name));
            parts.into_iter().flatten().map(words).sum()
        }
        _ => 0,
    }
}
