//! Who answers, and in which format: as far as genai's name for it says so.

use crate::provider::Provider;
use crate::wire::Wire;
use genai::ModelIden;
use genai::adapter::AdapterKind;
use obs_core::OTHER;

/// Who answers for an adapter at its own place.
pub(super) fn of_kind(kind: AdapterKind) -> Provider {
    match kind {
        AdapterKind::OpenAI | AdapterKind::OpenAIResp => Provider::OPENAI,
        AdapterKind::Anthropic => Provider::ANTHROPIC,
        AdapterKind::Gemini | AdapterKind::GeminiIx => Provider::GCP_GEMINI,
        AdapterKind::Vertex => Provider::GCP_VERTEX_AI,
        AdapterKind::Groq => Provider::GROQ,
        AdapterKind::Kimi | AdapterKind::Moonshot => Provider::MOONSHOT_AI,
        AdapterKind::Xai => Provider::X_AI,
        AdapterKind::DeepSeek => Provider::DEEPSEEK,
        AdapterKind::Mistral => Provider::MISTRAL_AI,
        AdapterKind::Cohere => Provider::COHERE,
        AdapterKind::Custom(_) => Provider::named(OTHER),
        // The second of the two is there only where a feature of genai's asks for it.
        _ => match kind.as_lower_str() {
            "bedrock_api" | "bedrock_sigv4" => Provider::AWS_BEDROCK,
            name => Provider::named(name),
        },
    }
}

/// Who answers for an adapter at a place that was named with the model: these formats are spoken by many.
pub(super) fn at(kind: AdapterKind, host: Option<&str>) -> Provider {
    let public = host.and_then(Provider::of_host);
    public.unwrap_or_else(|| match kind {
        AdapterKind::OpenAI | AdapterKind::OpenAIResp | AdapterKind::Anthropic => {
            Provider::named(OTHER)
        }
        _ => of_kind(kind),
    })
}

/// In which format the answer comes. `None` is a format that is not read here, or one of several.
pub(super) fn wire(model: &ModelIden) -> Option<Wire> {
    match model.adapter_kind {
        AdapterKind::OpenAI
        | AdapterKind::Fireworks
        | AdapterKind::Together
        | AdapterKind::Groq
        | AdapterKind::Aihubmix
        | AdapterKind::Kimi
        | AdapterKind::Mimo
        | AdapterKind::Moonshot
        | AdapterKind::Nebius
        | AdapterKind::Xai
        | AdapterKind::DeepSeek
        | AdapterKind::Mistral
        | AdapterKind::Zai
        | AdapterKind::BigModel
        | AdapterKind::Aliyun
        | AdapterKind::QwenCloud
        | AdapterKind::Omlx
        | AdapterKind::GithubCopilot
        | AdapterKind::OpenRouter
        | AdapterKind::AtlasCloud
        | AdapterKind::Requesty
        | AdapterKind::ApiRoute
        | AdapterKind::Heabsy
        | AdapterKind::Runcrate
        | AdapterKind::CloudGpu
        | AdapterKind::Custom(_) => Some(Wire::OpenAiChat),
        AdapterKind::OpenAIResp => Some(Wire::OpenAiResponses),
        AdapterKind::Anthropic | AdapterKind::MiniMax => Some(Wire::AnthropicMessages),
        AdapterKind::Gemini => Some(Wire::Gemini),
        AdapterKind::Ollama | AdapterKind::OllamaCloud => Some(Wire::Ollama),
        // By the model's publisher, as genai decides it.
        AdapterKind::Vertex => match model.model_name.namespace_and_name().1 {
            name if name.starts_with("gemini") => Some(Wire::Gemini),
            name if name.starts_with("claude") => Some(Wire::AnthropicMessages),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_at_a_place_of_ones_own_names_no_provider() {
        let of = |kind, host| at(kind, Some(host)).as_str().to_owned();
        assert_eq!(of(AdapterKind::OpenAI, "127.0.0.1"), "_OTHER");
        assert_eq!(of(AdapterKind::Anthropic, "gateway.example"), "_OTHER");
        assert_eq!(of(AdapterKind::OpenAI, "api.groq.com"), "groq");
        assert_eq!(of(AdapterKind::Ollama, "gpu-7"), "ollama");
        assert_eq!(of_kind(AdapterKind::OpenAI), Provider::OPENAI);
        assert_eq!(of_kind(AdapterKind::BedrockApi), Provider::AWS_BEDROCK);
        assert_eq!(of_kind(AdapterKind::Together).as_str(), "together");
    }

    #[test]
    fn a_publisher_decides_the_format() {
        let of = |name| wire(&ModelIden::new(AdapterKind::Vertex, name));
        assert_eq!(of("vertex::gemini-3-flash"), Some(Wire::Gemini));
        assert_eq!(of("claude-sonnet-4-6"), Some(Wire::AnthropicMessages));
        assert_eq!(of("llama"), None);
    }
}
