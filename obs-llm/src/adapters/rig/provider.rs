//! Who answers, as far as rig's name and the request's host say so.

use crate::provider::Provider;
use obs_core::OTHER;

/// By the host, where it is a public one; else by rig's name for the provider. Two of those name formats that many speak: at
/// another host they say nothing.
pub(super) fn of(name: &str, host: Option<&str>) -> Provider {
    if let Some(public) = host.and_then(Provider::of_host) {
        return public;
    }
    match name {
        "openai" | "anthropic" if host.is_some() => Provider::named(OTHER),
        "chatgpt" => Provider::OPENAI,
        "azure.openai" => Provider::AZURE_AI_OPENAI,
        "mistral" => Provider::MISTRAL_AI,
        "moonshot" => Provider::MOONSHOT_AI,
        "xai" => Provider::X_AI,
        name => Provider::named(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_says_more_than_a_name_and_a_format_says_nothing() {
        let name = |name, host| of(name, host).as_str().to_owned();
        assert_eq!(name("openai", Some("api.openai.com")), "openai");
        assert_eq!(name("openai", Some("127.0.0.1")), "_OTHER");
        assert_eq!(name("openai", Some("api.groq.com")), "groq");
        assert_eq!(name("mistral", Some("proxy.example")), "mistral_ai");
        assert_eq!(name("candle", None), "candle");
    }
}
