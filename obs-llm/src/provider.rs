//! Who serves a model.

use std::borrow::Cow;

/// Who serves a model: `gen_ai.provider.name`. The conventions list some; any other has a name of its own.
///
/// A wire format tells nobody who speaks it (half of the field speaks OpenAI's), so it is never guessed from one: a host says
/// it, or a setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provider(Cow<'static, str>);

macro_rules! providers {
    ($($(#[$doc:meta])* $konst:ident = $name:literal;)*) => {
        impl Provider {
            $($(#[$doc])* pub const $konst: Self = Self(Cow::Borrowed($name));)*
        }
        /// Those that the conventions list.
        const LISTED: &[&str] = &[$($name),*];
    };
}

providers! {
    /// OpenAI.
    OPENAI = "openai";
    /// Google, through whichever of its interfaces.
    GCP_GEN_AI = "gcp.gen_ai";
    /// Google's Vertex AI.
    GCP_VERTEX_AI = "gcp.vertex_ai";
    /// Google's Gemini API.
    GCP_GEMINI = "gcp.gemini";
    /// Anthropic.
    ANTHROPIC = "anthropic";
    /// Cohere.
    COHERE = "cohere";
    /// Azure's inference interface.
    AZURE_AI_INFERENCE = "azure.ai.inference";
    /// OpenAI's models on Azure.
    AZURE_AI_OPENAI = "azure.ai.openai";
    /// IBM's watsonx.
    IBM_WATSONX_AI = "ibm.watsonx.ai";
    /// Amazon's Bedrock.
    AWS_BEDROCK = "aws.bedrock";
    /// Perplexity.
    PERPLEXITY = "perplexity";
    /// xAI.
    X_AI = "x_ai";
    /// DeepSeek.
    DEEPSEEK = "deepseek";
    /// Groq.
    GROQ = "groq";
    /// Mistral.
    MISTRAL_AI = "mistral_ai";
    /// Moonshot; on main of the conventions, after v1.41.
    MOONSHOT_AI = "moonshot_ai";
}

impl Provider {
    /// One that the conventions do not list: `ollama`, `vllm`, the name of a gateway. Low in cardinality: it is a label.
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// The one of this name. Of one that the conventions list it allocates nothing.
    pub fn of_name(name: &str) -> Self {
        match LISTED.iter().find(|listed| **listed == name) {
            Some(listed) => Self::named(*listed),
            None => Self::named(name.to_owned()),
        }
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose host this is, if it is a public one of a provider; a port and case make no difference.
    pub fn of_host(host: &str) -> Option<Self> {
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        let host = host.strip_suffix('.').unwrap_or(host);
        let is = |name: &str| host.eq_ignore_ascii_case(name);
        let below = |name: &str| {
            let cut = host.len().checked_sub(name.len());
            cut.and_then(|at| Some((host.get(..at)?, host.get(at..)?)))
                .is_some_and(|(head, tail)| head.ends_with('.') && tail.eq_ignore_ascii_case(name))
        };
        // Of a region, of those by its standards, over both versions of IP, or within a network of one's own.
        let bedrock = |host: &str| {
            const CLOUDS: [&str; 3] = ["amazonaws.com", "amazonaws.com.cn", "api.aws"];
            const NAMES: [&str; 3] = ["bedrock-runtime", "bedrock-runtime-fips", "bedrock-mantle"];
            let known = |name: &str| NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
            CLOUDS.into_iter().any(below) && host.split('.').take(2).any(known)
        };
        Some(match host {
            _ if is("api.openai.com") || below("api.openai.com") => Self::OPENAI,
            _ if is("api.anthropic.com") => Self::ANTHROPIC,
            _ if is("generativelanguage.googleapis.com") => Self::GCP_GEMINI,
            _ if is("aiplatform.googleapis.com") || below("aiplatform.googleapis.com") => {
                Self::GCP_VERTEX_AI
            }
            // Regional names stand in front with a hyphen: `europe-west4-aiplatform.googleapis.com`; those that keep data where
            // it is, behind it: `aiplatform.eu.rep.googleapis.com`.
            _ if ends_with(host, "-aiplatform.googleapis.com")
                || below("rep.googleapis.com") && starts_with(host, "aiplatform.") =>
            {
                Self::GCP_VERTEX_AI
            }
            _ if below("openai.azure.com")
                || below("cognitiveservices.azure.com")
                || below("openai.azure.us") =>
            {
                Self::AZURE_AI_OPENAI
            }
            _ if below("inference.ai.azure.com") || below("services.ai.azure.com") => {
                Self::AZURE_AI_INFERENCE
            }
            _ if bedrock(host) => Self::AWS_BEDROCK,
            _ if is("api.cohere.com") || is("api.cohere.ai") => Self::COHERE,
            _ if is("api.deepseek.com") => Self::DEEPSEEK,
            _ if is("api.groq.com") => Self::GROQ,
            _ if is("api.mistral.ai") => Self::MISTRAL_AI,
            _ if is("api.perplexity.ai") => Self::PERPLEXITY,
            _ if is("api.x.ai") || below("api.x.ai") => Self::X_AI,
            _ if is("api.moonshot.ai") || is("api.moonshot.cn") => Self::MOONSHOT_AI,
            _ if below("ml.cloud.ibm.com") => Self::IBM_WATSONX_AI,
            _ => return None,
        })
    }
}

fn ends_with(host: &str, tail: &str) -> bool {
    let cut = host.len().checked_sub(tail.len());
    cut.and_then(|at| host.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(tail))
}

fn starts_with(host: &str, head: &str) -> bool {
    host.get(..head.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn host(host: &str, expect: Option<Provider>) {
        assert_eq!(Provider::of_host(host), expect, "{host}");
    }

    #[test]
    fn public_hosts_tell_their_provider() {
        host("api.openai.com", Some(Provider::OPENAI));
        host("API.OpenAI.com.:443", Some(Provider::OPENAI));
        host("eu.api.openai.com", Some(Provider::OPENAI));
        host("my-res.openai.azure.com", Some(Provider::AZURE_AI_OPENAI));
        host(
            "europe-west4-aiplatform.googleapis.com",
            Some(Provider::GCP_VERTEX_AI),
        );
        host(
            "bedrock-runtime.us-east-1.amazonaws.com",
            Some(Provider::AWS_BEDROCK),
        );
        for bedrock in [
            "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
            "bedrock-runtime.cn-north-1.amazonaws.com.cn",
            "bedrock-runtime.us-west-2.api.aws",
            "bedrock-mantle.us-west-2.api.aws",
            "vpce-1-2.Bedrock-Runtime.us-east-1.vpce.amazonaws.com",
        ] {
            host(bedrock, Some(Provider::AWS_BEDROCK));
        }
        host(
            "aiplatform.eu.rep.googleapis.com",
            Some(Provider::GCP_VERTEX_AI),
        );
        host("us-east-1.api.x.ai", Some(Provider::X_AI));
        host("my-res.openai.azure.us", Some(Provider::AZURE_AI_OPENAI));
    }

    #[test]
    fn other_hosts_tell_nothing() {
        for other in [
            "",
            "localhost:8000",
            "evilapi.openai.com.example",
            "notapi.anthropic.com",
            "openai.azure.com",
            "s3.us-east-1.amazonaws.com",
            "bedrock-runtime.example.com",
            "bedrock-runtime.amazonaws.com.example.com",
            "a.b.bedrock-runtime.us-east-1.amazonaws.com",
            "storage.eu.rep.googleapis.com",
            "aiplatform.rep.googleapis.com.example.com",
            "\u{e9}api.openai.co",
        ] {
            host(other, None);
        }
    }

    #[test]
    fn the_listed_ones_are_different() {
        let mut names = LISTED.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LISTED.len());
    }
}
