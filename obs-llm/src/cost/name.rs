//! Under which keys of the table a model may stand.

/// A provider, as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct House<'a> {
    /// What its keys begin with, before a slash: `azure` of `azure/gpt-4o`. Many have keys without it.
    pub(super) prefix: &'a str,
    /// Whose entries it may use; with a star at the end all that begin so, and a star alone all there are.
    pub(super) entries: &'a [&'a str],
}

/// The conventions' names of providers, and what LiteLLM calls them. A name that is not here is the same in both.
const HOUSES: &[(&str, &[House<'static>])] = &[
    (
        "openai",
        &[house("openai", &["openai", "text-completion-openai"])],
    ),
    (
        "azure.ai.openai",
        &[house("azure", &["azure", "azure_text"])],
    ),
    (
        "azure.ai.inference",
        &[house("azure_ai", &["azure_ai", "azure", "openai"])],
    ),
    ("gcp.gemini", &[GEMINI]),
    ("gcp.vertex_ai", &[VERTEX]),
    ("gcp.gen_ai", &[GEMINI, VERTEX]),
    ("aws.bedrock", &[house("bedrock", &["bedrock*"])]),
    ("cohere", &[house("cohere", &["cohere", "cohere_chat"])]),
    ("ibm.watsonx.ai", &[house("watsonx", &["watsonx"])]),
    ("x_ai", &[house("xai", &["xai"])]),
    ("mistral_ai", &[house("mistral", &["mistral"])]),
    ("moonshot_ai", &[house("moonshot", &["moonshot"])]),
    ("fireworks_ai", &[house("fireworks_ai", &["fireworks_ai*"])]),
    // A gateway that sells what others serve, by LiteLLM's own names.
    ("litellm", &[house("litellm_proxy", &["*"])]),
    ("litellm_proxy", &[house("litellm_proxy", &["*"])]),
];

const GEMINI: House<'static> = house("gemini", &["gemini"]);
const VERTEX: House<'static> = house("vertex_ai", &["vertex_ai*"]);

const fn house(prefix: &'static str, entries: &'static [&'static str]) -> House<'static> {
    House { prefix, entries }
}

impl House<'_> {
    /// Whether an entry of that `litellm_provider` is one of its own; one that names none is anybody's.
    pub(super) fn owns(&self, provider: &str) -> bool {
        let is = |entry: &&str| match entry.strip_suffix('*') {
            Some(start) => provider.starts_with(start),
            None => provider == *entry,
        };
        provider.is_empty() || self.entries.iter().any(is)
    }
}

/// Tells the houses that a provider's prices may stand in, until one is satisfied.
pub(super) fn houses<T>(provider: &str, mut each: impl FnMut(House<'_>) -> Option<T>) -> Option<T> {
    match HOUSES.iter().find(|(name, _)| *name == provider) {
        Some((_, houses)) => houses.iter().find_map(|house| each(*house)),
        None => each(House {
            prefix: provider,
            entries: &[provider],
        }),
    }
}

/// Tells the keys under which a model may stand, the likeliest first, until one is satisfied: the key and whether it is that of
/// the model itself, not of what it is a version, a date or a region of.
pub(super) fn keys<T>(
    house: House<'_>,
    model: &str,
    mut each: impl FnMut(&str, bool) -> Option<T>,
) -> Option<T> {
    let prefix = house.prefix;
    let bare = bare(prefix, model);
    let regionless = |name| (prefix == "bedrock").then(|| regionless(name)).flatten();
    let undated = undated(bare, matches!(prefix, "gemini" | "vertex_ai"));
    // A name that has the prefix has had it put there, or it is part of the name (`perplexity/glm` of Perplexity): the table
    // rarely means the latter.
    let prefixed = begins(prefix, model);
    let names = [
        (Some(bare).filter(|_| prefixed), true),
        (Some(model), true),
        (Some(bare).filter(|bare| !prefixed && *bare != model), true),
        (regionless(bare), false),
        (undated, false),
        (undated.and_then(regionless), false),
    ];
    let mut names = names.into_iter();
    names.find_map(|(name, exact)| {
        let mut key = Key::default();
        let prefixed = key.join(&[prefix, "/", name?]);
        let found = prefixed.and_then(|key| each(key, exact));
        found.or_else(|| each(key.join(&[name?])?, exact))
    })
}

fn begins(prefix: &str, model: &str) -> bool {
    model
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// A model's name without what interfaces put in front of it and behind it: `models/gemini-2.5-pro`, the resource names of Google
/// and Amazon, the routes of LiteLLM, the owner of a tuned model.
fn bare<'a>(prefix: &str, model: &'a str) -> &'a str {
    let model = model
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(model);
    match prefix {
        "gemini" | "vertex_ai" => match model.strip_prefix("models/") {
            Some(name) => name,
            None => model
                .rsplit_once("/models/")
                .map_or(model, |(_, name)| name),
        },
        "bedrock" if model.starts_with("arn:") => {
            model.rsplit_once('/').map_or(model, |(_, name)| name)
        }
        "bedrock" => {
            let routes = ["converse/", "invoke/"];
            routes
                .into_iter()
                .find_map(|route| model.strip_prefix(route))
                .unwrap_or(model)
        }
        // `ft:gpt-4o-2024-08-06:my-org::id`.
        _ if model.starts_with("ft:") => {
            let mut colons = model.match_indices(':').map(|(at, _)| at);
            let owner = colons.nth(1);
            owner.and_then(|at| model.get(..at)).unwrap_or(model)
        }
        _ => model,
    }
}

/// Without the region of Amazon's that serves: `us.anthropic.claude…`, `us-east-1/anthropic.claude…`.
fn regionless(model: &str) -> Option<&str> {
    const REGIONS: [&str; 9] = [
        "global", "us", "eu", "apac", "jp", "au", "ca", "sa", "us-gov",
    ];
    if let Some((region, rest)) = model.split_once('/') {
        let region = region.ends_with(|c: char| c.is_ascii_digit()) && region.contains('-');
        return region.then_some(rest);
    }
    let (region, rest) = model.split_once('.')?;
    REGIONS.contains(&region).then_some(rest)
}

/// Without the date that it was released on, or Google's number of a release: `gpt-4o-2024-08-06`, `claude-sonnet-4-20250514`,
/// `claude-sonnet-4@20250514`, `gemini-2.0-flash-001`. Numbers that are part of a name (`claude-sonnet-5`, `gpt-4-0613`) stay.
fn undated(model: &str, releases: bool) -> Option<&str> {
    let cut = |shape: &[u8]| {
        let at = model.len().checked_sub(shape.len()).filter(|at| *at > 0)?;
        let (name, tail) = model.split_at_checked(at)?;
        let fits = |(byte, shape): (u8, &u8)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == *other,
        };
        tail.bytes().zip(shape).all(fits).then_some(name)
    };
    let dated = cut(b"-0000-00-00").or_else(|| cut(b"-00000000"));
    let dated = dated.or_else(|| cut(b"@00000000"));
    dated.or_else(|| releases.then(|| cut(b"-000")).flatten())
}

/// The longest key that is looked up or kept; the longest of LiteLLM's has 76 bytes.
pub(super) const KEY: usize = 256;

/// A key, joined without allocating, in lower case: the table is asked so, whatever a client wrote.
struct Key([u8; KEY]);

impl Default for Key {
    fn default() -> Self {
        Self([0; KEY])
    }
}

impl Key {
    /// `None` if it is longer than any key.
    fn join(&mut self, parts: &[&str]) -> Option<&str> {
        let mut len = 0;
        for part in parts {
            let end = len + part.len();
            let place = self.0.get_mut(len..end)?;
            place.copy_from_slice(part.as_bytes());
            place.make_ascii_lowercase();
            len = end;
        }
        std::str::from_utf8(self.0.get(..len)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(provider: &str, model: &str, expect: &[(&str, bool)]) {
        let mut keys_of = Vec::new();
        let none: Option<()> = houses(provider, |house| {
            keys(house, model, |key, exact| {
                keys_of.push((key.to_owned(), exact));
                None
            })
        });
        assert_eq!(none, None);
        let keys_of: Vec<_> = keys_of
            .iter()
            .map(|(key, exact)| (key.as_str(), *exact))
            .collect();
        assert_eq!(keys_of, expect, "{provider} {model}");
    }

    #[test]
    fn a_model_is_looked_up_with_its_provider_and_without() {
        check(
            "openai",
            "GPT-4o",
            &[("openai/gpt-4o", true), ("gpt-4o", true)],
        );
        let azure = [
            ("azure/gpt-4o-2024-08-06", true),
            ("gpt-4o-2024-08-06", true),
            ("azure/gpt-4o", false),
            ("gpt-4o", false),
        ];
        check("azure.ai.openai", "gpt-4o-2024-08-06", &azure);
        let twice = [
            ("xai/grok-4", true),
            ("grok-4", true),
            ("xai/xai/grok-4", true),
            ("xai/grok-4", true),
        ];
        check("x_ai", "xai/grok-4", &twice);
    }

    #[test]
    fn what_interfaces_put_around_a_name_is_taken_off() {
        let gemini = [
            ("gemini/models/gemini-2.0-flash-001", true),
            ("models/gemini-2.0-flash-001", true),
            ("gemini/gemini-2.0-flash-001", true),
            ("gemini-2.0-flash-001", true),
            ("gemini/gemini-2.0-flash", false),
            ("gemini-2.0-flash", false),
        ];
        check("gcp.gemini", "models/gemini-2.0-flash-001", &gemini);
        let tuned = "ft:gpt-4o-2024-08-06:my-org::abc";
        assert_eq!(bare("openai", tuned), "ft:gpt-4o-2024-08-06");
        assert_eq!(bare("openai", "ft:gpt-4o"), "ft:gpt-4o");
        let resource = "projects/p/locations/l/publishers/google/models/gemini-2.5-pro";
        assert_eq!(bare("vertex_ai", resource), "gemini-2.5-pro");
        let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x";
        assert_eq!(bare("bedrock", arn), "us.anthropic.claude-x");
        assert_eq!(bare("bedrock", "converse/meta.llama"), "meta.llama");
    }

    #[test]
    fn a_region_of_amazons_has_prices_of_its_own_or_those_of_none() {
        let keys = [
            ("bedrock/us.anthropic.c-20250514", true),
            ("us.anthropic.c-20250514", true),
            ("bedrock/anthropic.c-20250514", false),
            ("anthropic.c-20250514", false),
            ("bedrock/us.anthropic.c", false),
            ("us.anthropic.c", false),
            ("bedrock/anthropic.c", false),
            ("anthropic.c", false),
        ];
        check("aws.bedrock", "us.anthropic.c-20250514", &keys);
        assert_eq!(regionless("us-east-1/meta.llama"), Some("meta.llama"));
        assert_eq!(regionless("anthropic.claude-v2"), None);
        assert_eq!(regionless("converse/us.x"), None);
    }

    #[test]
    fn a_date_is_told_from_a_number_that_is_part_of_a_name() {
        assert_eq!(
            undated("claude-sonnet-4@20250514", false),
            Some("claude-sonnet-4")
        );
        for name in [
            "claude-sonnet-5",
            "gpt-4-0613",
            "-20250514",
            "",
            "\u{e9}-2025051\u{e9}",
            "x-001",
        ] {
            assert_eq!(undated(name, false), None, "{name}");
        }
        assert_eq!(undated("x-001", true), Some("x"));
    }

    #[test]
    fn a_name_longer_than_any_key_is_nobodys() {
        let long = "x".repeat(KEY + 1);
        check("openai", &long, &[]);
        let fits = "x".repeat(KEY);
        check("openai", &fits, &[(&fits, true)]);
    }

    #[test]
    fn entries_are_owned_by_their_house() {
        let vertex = |provider| VERTEX.owns(provider);
        assert!(vertex("vertex_ai-anthropic_models") && vertex("") && !vertex("gemini"));
        let any = houses("litellm", |house| Some(house.owns("whoever")));
        assert_eq!(any, Some(true));
        assert_eq!(
            houses("vllm", |house| Some(house.owns("openai"))),
            Some(false)
        );
    }
}
