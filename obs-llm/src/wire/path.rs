//! What the path of a request tells: whose format it is, what is asked for, of which model.

use super::{Framing, Wire};
use std::borrow::Cow;

/// What the path of a request tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recognised<'a> {
    /// The format of the request and of its answer.
    pub wire: Wire,
    /// `gen_ai.operation.name`: `chat`, `text_completion`, `embeddings`, `generate_content`.
    pub operation: &'static str,
    /// The model, or Azure's deployment, where the path names it; percent-decoded.
    pub model: Option<Cow<'a, str>>,
    /// Whether the answer is streamed, where the path says it. Elsewhere the body does.
    pub streams: Option<bool>,
    /// How a streamed answer is divided: what to go by if its `content-type` is missing or wrong.
    pub stream_framing: Framing,
}

/// Reads the path of a request (as it stands in its URI, before decoding) and its query.
///
/// What stands in front is a gateway's business: `/v1/chat/completions` is the same as `/team-a/openai/v1/chat/completions`, and
/// DeepSeek and Perplexity leave even the version away. Words that mean something to many others (`completions`, `embeddings`,
/// `responses`, `messages`) count only right after a version, a deployment of Azure's, or `openai`. What is below an answer, as in
/// `/v1/responses/{id}`, is none. `None` is told of everything else: token counts, batches, files, lists of models.
///
/// The paths are those of the providers' references: OpenAI's and Azure's API references, Anthropic's Messages, Gemini's
/// `models.generateContent` (and Vertex's, where Anthropic's models answer to `rawPredict`), Ollama's `api.md`, and Amazon Bedrock
/// Runtime's.
///
/// ```
/// use obs_llm::wire::{Wire, of_path};
///
/// let path = "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse-stream";
/// let told = of_path(path, None).ok_or("no path of a model")?;
/// assert_eq!(told.wire, Wire::BedrockConverse);
/// assert_eq!(told.model.as_deref(), Some("anthropic.claude-3-haiku-20240307-v1:0"));
/// assert_eq!(told.streams, Some(true));
/// assert_eq!(of_path("/v1/models", None), None);
/// # Ok::<(), &str>(())
/// ```
pub fn of_path<'a>(path: &'a str, query: Option<&str>) -> Option<Recognised<'a>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (before, last) = path.rsplit_once('/')?;
    match last {
        "completions" | "embeddings" | "responses" => openai(before, last),
        "messages" => versioned(before).then_some(Recognised {
            wire: Wire::AnthropicMessages,
            operation: CHAT,
            model: None,
            streams: None,
            stream_framing: Framing::EventStream,
        }),
        "chat" | "generate" | "embed" => ollama(before, last),
        "converse" | "converse-stream" | "invoke" | "invoke-with-response-stream" => {
            bedrock(before, last)
        }
        _ => google(before, last, query),
    }
}

const CHAT: &str = "chat";
const TEXT: &str = "text_completion";
const EMBEDDINGS: &str = "embeddings";
const GENERATE: &str = "generate_content";

fn openai<'a>(before: &'a str, last: &str) -> Option<Recognised<'a>> {
    let (before, above) = before.rsplit_once('/').unwrap_or(("", before));
    let (wire, operation, above) = match (above, last) {
        ("chat", "completions") => (Wire::OpenAiChat, CHAT, None),
        // Mistral's, for what stands between two texts.
        ("fim", "completions") => (Wire::OpenAiChat, TEXT, None),
        ("api", "embeddings") => return ollama("/api", last),
        (_, "completions") => (Wire::OpenAiChat, TEXT, Some(above)),
        (_, "embeddings") => (Wire::OpenAiChat, EMBEDDINGS, Some(above)),
        (_, _) => (Wire::OpenAiResponses, CHAT, Some(above)),
    };
    // Up to the deployment, if there is one.
    let (parent, name) = match above {
        Some(above) => (before, above),
        None => before.rsplit_once('/').unwrap_or(("", before)),
    };
    let parent = parent.rsplit_once('/').map_or(parent, |(_, name)| name);
    let deployed = parent == "deployments" && !name.is_empty();
    let known = |name: &str| is_version(name) || matches!(name, "openai" | "beta" | "models");
    if !deployed && above.is_some_and(|above| !known(above)) {
        return None;
    }
    Some(Recognised {
        wire,
        operation,
        model: deployed.then(|| decoded(name)),
        streams: (operation == EMBEDDINGS).then_some(false),
        stream_framing: Framing::EventStream,
    })
}

fn ollama<'a>(before: &str, last: &str) -> Option<Recognised<'a>> {
    let (operation, streams) = match last {
        CHAT => (CHAT, None),
        "generate" => (TEXT, None),
        _ => (EMBEDDINGS, Some(false)),
    };
    (before == "/api" || before.ends_with("/api")).then_some(Recognised {
        wire: Wire::Ollama,
        operation,
        model: None,
        streams,
        stream_framing: Framing::Lines,
    })
}

fn bedrock<'a>(before: &'a str, last: &str) -> Option<Recognised<'a>> {
    // An ARN has slashes of its own, which not every client encodes.
    let at = before.rfind("/model/")?;
    let model = before.get(at + "/model/".len()..)?;
    if model.is_empty() {
        return None;
    }
    let model = decoded(model);
    let wire = match last.starts_with("converse") {
        true => Wire::BedrockConverse,
        false => Wire::BedrockInvoke,
    };
    Some(Recognised {
        wire,
        operation: match wire {
            Wire::BedrockInvoke => invoked(&model),
            _ => CHAT,
        },
        model: Some(model),
        streams: Some(last.ends_with("-stream")),
        stream_framing: Framing::AmazonEventStream,
    })
}

/// What an `invoke` asks for: each model has a format of its own there, and these take a prompt instead of messages.
fn invoked(model: &str) -> &'static str {
    const PROMPTED: &[&str] = &[
        "amazon.titan-text",
        "meta.llama",
        "mistral.mixtral",
        "mistral.mistral-7b",
    ];
    match model {
        _ if model.contains("embed") => EMBEDDINGS,
        _ if PROMPTED.iter().any(|name| model.contains(name)) => TEXT,
        _ => CHAT,
    }
}

fn google<'a>(before: &'a str, last: &'a str, query: Option<&str>) -> Option<Recognised<'a>> {
    let (model, method) = last.rsplit_once(':').or_else(|| {
        let at = last.rfind("%3A").or_else(|| last.rfind("%3a"))?;
        Some((last.get(..at)?, last.get(at + 3..)?))
    })?;
    let (above, parent) = before.rsplit_once('/').unwrap_or(("", before));
    if model.is_empty() || !matches!(parent, "models" | "tunedModels" | "endpoints") {
        return None;
    }
    // What it streams stands in a list, unless events are asked for.
    let events = query.is_some_and(|query| {
        let mut pairs = query.split('&');
        pairs.any(|pair| matches!(pair, "alt=sse" | "$alt=sse" | "%24alt=sse"))
    });
    let (wire, operation, streams) = match method {
        "generateContent" => (Wire::Gemini, GENERATE, Some(false)),
        "streamGenerateContent" => (Wire::Gemini, GENERATE, Some(true)),
        "embedContent" | "batchEmbedContents" => (Wire::Gemini, EMBEDDINGS, Some(false)),
        "rawPredict" | "streamRawPredict" if above.ends_with("/publishers/anthropic") => {
            let streams = (method == "streamRawPredict").then_some(true);
            (Wire::AnthropicMessages, CHAT, streams)
        }
        _ => return None,
    };
    Some(Recognised {
        wire,
        operation,
        model: Some(decoded(model)),
        streams,
        stream_framing: match wire {
            Wire::Gemini if !events => Framing::Json,
            _ => Framing::EventStream,
        },
    })
}

/// Whether the last segment is a version.
fn versioned(path: &str) -> bool {
    is_version(path.rsplit_once('/').map_or(path, |(_, name)| name))
}

/// `v1`, `v1beta`, `v1beta1`.
fn is_version(segment: &str) -> bool {
    let digits = segment.strip_prefix('v').unwrap_or_default();
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Without its percent signs; as it stands, if what comes out would be no text.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| Some(char::from(*after.get(at)?).to_digit(16)? as u8);
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn none(path: &str) {
        assert_eq!(of_path(path, None), None, "{path}");
    }

    #[track_caller]
    fn told(
        path: &str,
        (wire, operation): (Wire, &str),
        model: Option<&str>,
        streams: Option<bool>,
    ) -> Framing {
        let told = of_path(path, None).expect(path);
        assert_eq!((told.wire, told.operation), (wire, operation), "{path}");
        assert_eq!(
            (told.model.as_deref(), told.streams),
            (model, streams),
            "{path}"
        );
        told.stream_framing
    }

    #[test]
    fn those_of_openai_behind_any_gateway() {
        let chat = (Wire::OpenAiChat, CHAT);
        for path in [
            "/v1/chat/completions",
            "/v1/chat/completions/",
            "/chat/completions",
            "/openai/v1/chat/completions",
            "/api/v1/chat/completions",
            "/v1beta/openai/chat/completions",
            "/models/chat/completions",
            "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
        ] {
            assert_eq!(told(path, chat, None, None), Framing::EventStream);
        }
        told("/v1/completions", (Wire::OpenAiChat, TEXT), None, None);
        told("/beta/completions", (Wire::OpenAiChat, TEXT), None, None);
        told("/v1/fim/completions", (Wire::OpenAiChat, TEXT), None, None);
        told(
            "/v1/embeddings",
            (Wire::OpenAiChat, EMBEDDINGS),
            None,
            Some(false),
        );
        told(
            "/gw/v1/responses",
            (Wire::OpenAiResponses, CHAT),
            None,
            None,
        );
        told(
            "/openai/responses",
            (Wire::OpenAiResponses, CHAT),
            None,
            None,
        );
    }

    #[test]
    fn deployments_of_azure() {
        let model = Some("gpt-4o mini");
        let base = "/openai/deployments/gpt-4o%20mini";
        let chat = (Wire::OpenAiChat, CHAT);
        told(&format!("{base}/chat/completions"), chat, model, None);
        told(
            &format!("{base}/completions"),
            (Wire::OpenAiChat, TEXT),
            model,
            None,
        );
        let embeddings = (Wire::OpenAiChat, EMBEDDINGS);
        told(
            &format!("{base}/embeddings"),
            embeddings,
            model,
            Some(false),
        );
    }

    #[test]
    fn those_of_anthropic_and_of_its_models_at_google() {
        let wire = (Wire::AnthropicMessages, CHAT);
        told("/v1/messages", wire, None, None);
        told("/anthropic/v1/messages", wire, None, None);
        let at = "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-4";
        let model = Some("claude-opus-4");
        told(&format!("{at}:rawPredict"), wire, model, None);
        let path = format!("{at}:streamRawPredict");
        assert_eq!(told(&path, wire, model, Some(true)), Framing::EventStream);
        none("/v1/projects/p/locations/l/publishers/other/models/m:rawPredict");
    }

    #[test]
    fn those_of_gemini() {
        let wire = (Wire::Gemini, GENERATE);
        let model = Some("gemini-2.5-flash");
        for path in [
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            "/v1beta/models/gemini-2.5-flash%3AstreamGenerateContent",
            "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:streamGenerateContent",
        ] {
            assert_eq!(told(path, wire, model, Some(true)), Framing::Json);
            let events = of_path(path, Some("key=1&alt=sse")).expect(path);
            assert_eq!(events.stream_framing, Framing::EventStream);
        }
        let one = "/v1beta/models/gemini-2.5-flash:generateContent";
        told(one, wire, model, Some(false));
        told(
            "/v1beta/tunedModels/mine:generateContent",
            wire,
            Some("mine"),
            Some(false),
        );
        let embeddings = (Wire::Gemini, EMBEDDINGS);
        let path = "/v1beta/models/gemini-embedding-001:batchEmbedContents";
        told(path, embeddings, Some("gemini-embedding-001"), Some(false));
    }

    #[test]
    fn those_of_ollama() {
        let framing = told("/api/chat", (Wire::Ollama, CHAT), None, None);
        assert_eq!(framing, Framing::Lines);
        told("/gateway/api/generate", (Wire::Ollama, TEXT), None, None);
        for path in ["/api/embed", "/api/embeddings"] {
            told(path, (Wire::Ollama, EMBEDDINGS), None, Some(false));
        }
    }

    #[test]
    fn those_of_bedrock() {
        let wire = (Wire::BedrockConverse, CHAT);
        let model = Some("us.anthropic.claude-sonnet-4-20250514-v1:0");
        let base = "/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0";
        told(&format!("{base}/converse"), wire, model, Some(false));
        let framing = told(&format!("{base}/converse-stream"), wire, model, Some(true));
        assert_eq!(framing, Framing::AmazonEventStream);
        let wire = (Wire::BedrockInvoke, CHAT);
        told(&format!("{base}/invoke"), wire, model, Some(false));
        told(
            &format!("{base}/invoke-with-response-stream"),
            wire,
            model,
            Some(true),
        );
        let arn = Some("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0");
        for path in [
            "/model/arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0/invoke",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.amazon.nova-pro-v1%3A0/invoke",
        ] {
            told(path, wire, arn, Some(false));
        }
        let (text, embeddings) = (
            (Wire::BedrockInvoke, TEXT),
            (Wire::BedrockInvoke, EMBEDDINGS),
        );
        let titan = "amazon.titan-text-express-v1";
        told(
            &format!("/model/{titan}/invoke"),
            text,
            Some(titan),
            Some(false),
        );
        let embed = "amazon.titan-embed-text-v2:0";
        told(
            &format!("/model/{embed}/invoke"),
            embeddings,
            Some(embed),
            Some(false),
        );
    }

    #[test]
    fn other_paths_tell_nothing() {
        for path in [
            "",
            "/",
            "//",
            "completions",
            "/completions",
            "/embeddings",
            "/responses",
            "/messages",
            "/v1/models",
            "/v1/chat",
            "/v1/chat/completions/chatcmpl-1",
            "/v1/responses/resp_1",
            "/v1/responses/resp_1/cancel",
            "/v1/messages/count_tokens",
            "/v1/messages/batches",
            "/v1/threads/t/messages",
            "/deployments//completions",
            "/version/completions",
            "/apis/chat",
            "/chat",
            "/api/tags",
            "/model//converse",
            "/models/m/converse",
            "/model/m/count-tokens",
            "/v1beta/models/m:countTokens",
            "/v1beta/models/:generateContent",
            "/v1beta/files/m:generateContent",
            "/v1beta/models/m",
        ] {
            none(path);
        }
    }

    #[test]
    fn what_would_be_no_text_stays_encoded() {
        assert_eq!(decoded("a%2fb%2Fc"), "a/b/c");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%f"), "%f");
        assert_eq!(decoded("%zz%41"), "%zzA");
        assert_eq!(decoded("%ff"), "%ff");
        assert_eq!(decoded("%C3%A9"), "\u{e9}");
    }
}
