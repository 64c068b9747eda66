//! The fields of LiteLLM's table: what the name of a price says.

use super::place::Place;

/// What a price is for one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Rate {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    CacheWriteHour,
    Reasoning,
    AudioInput,
    AudioOutput,
    ImageInput,
    ImageOutput,
    /// Not a token: the call itself.
    Request,
    /// What `CacheRead` was called before.
    CacheHit,
}

/// Longest first where one begins with another.
const RATES: &[(&str, Rate)] = &[
    (
        "cache_creation_input_token_cost_above_1hr",
        Rate::CacheWriteHour,
    ),
    ("cache_creation_input_token_cost", Rate::CacheWrite),
    ("cache_read_input_token_cost", Rate::CacheRead),
    ("input_cost_per_audio_token", Rate::AudioInput),
    ("input_cost_per_image_token", Rate::ImageInput),
    ("input_cost_per_request", Rate::Request),
    ("input_cost_per_token_cache_hit", Rate::CacheHit),
    ("input_cost_per_token", Rate::Input),
    ("output_cost_per_audio_token", Rate::AudioOutput),
    ("output_cost_per_image_token", Rate::ImageOutput),
    ("output_cost_per_reasoning_token", Rate::Reasoning),
    ("output_cost_per_token", Rate::Output),
];

/// Which of a provider's services: each has prices of its own, under names with this ending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Tier {
    #[default]
    Standard,
    Priority,
    Flex,
    Batches,
    Ultrafast,
    Balanced,
    Decisions,
}

const TIERS: &[(&str, Tier)] = &[
    ("_priority", Tier::Priority),
    ("_flex", Tier::Flex),
    ("_batches", Tier::Batches),
    ("_ultrafast", Tier::Ultrafast),
    ("_balanced", Tier::Balanced),
    ("_decisions", Tier::Decisions),
];

impl Tier {
    /// The one that a provider's word for it means: OpenAI's `flex` and `priority`, Anthropic's `batch`, Google's
    /// `ON_DEMAND_PRIORITY`. `default`, `auto`, `standard`, `scale` and words that nobody knows are the standard one.
    pub(super) fn of(word: Option<&str>, batch: bool) -> Self {
        const WORDS: &[(&str, Tier)] = &[
            ("priority", Tier::Priority),
            ("on_demand_priority", Tier::Priority),
            ("fast", Tier::Priority),
            ("flex", Tier::Flex),
            ("on_demand_flex", Tier::Flex),
            ("batch", Tier::Batches),
            ("batches", Tier::Batches),
            ("ultrafast", Tier::Ultrafast),
            ("balanced", Tier::Balanced),
            ("decisions", Tier::Decisions),
        ];
        if batch {
            return Self::Batches;
        }
        let Some(word) = word else {
            return Self::Standard;
        };
        let mut words = WORDS.iter();
        let known = words.find(|(name, _)| word.eq_ignore_ascii_case(name));
        known.map_or(Self::Standard, |&(_, tier)| tier)
    }
}

/// Prices of what no count of tokens tells: units of another kind, or a circumstance that no answer reports. By how their names
/// begin.
const UNTOLD: &[&str] = &[
    "annotation_cost_per_",
    "cache_creation_input_audio_token_cost",
    "cache_creation_input_token_cost_above_12hr",
    "cache_read_input_audio_token_cost",
    "cache_read_input_image_token_cost",
    "citation_cost_per_token",
    "code_interpreter_cost_per_session",
    "computer_use_",
    "cost_per_second",
    "explicit_cache_read_input_token_cost",
    "fedramp_uplift_multiplier",
    "file_search_cost_per_",
    "google_maps_grounding_cost_per_query",
    "guardrail_cost_per_unit",
    "input_cost_per_audio_per_second",
    "input_cost_per_character",
    "input_cost_per_image",
    "input_cost_per_pixel",
    "input_cost_per_query",
    "input_cost_per_second",
    "input_cost_per_text_message",
    "input_cost_per_video_",
    "input_dbu_cost_per_token",
    "ocr_cost_per_",
    "output_cost_per_character",
    "output_cost_per_image",
    "output_cost_per_pixel",
    "output_cost_per_second",
    "output_cost_per_video_",
    "output_dbu_cost_per_token",
    "provider_specific_entry",
    "regional_processing_uplift_multiplier_",
    "search_context_cost_per_query",
    "vector_store_cost_per_",
    "web_search_cost_per_",
];

/// What the name of a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// A price, in a tier, for calls whose input has more than `above` tokens.
    Price { rate: Rate, above: u64, tier: Tier },
    /// What prices are multiplied by in a place.
    Uplift(Place),
    /// A price of something that tokens do not tell.
    Untold,
    /// By its name a price; of what, is not known.
    Unknown,
    /// Something else: a limit, an ability, a note.
    Other,
}

impl Field {
    pub(super) fn of(name: &str) -> Self {
        let mut rates = RATES.iter();
        let rate = rates.find_map(|&(base, rate)| Some((rate, name.strip_prefix(base)?)));
        let price = rate.and_then(|(rate, rest)| {
            let (above, tier) = circumstances(rest)?;
            Some(Self::Price { rate, above, tier })
        });
        if let Some(price) = price {
            return price;
        }
        if let Some(place) = Place::of_field(name) {
            return Self::Uplift(place);
        }
        if UNTOLD.iter().any(|untold| name.starts_with(untold)) {
            return Self::Untold;
        }
        let parts = || name.split('_');
        match parts().any(|part| matches!(part, "cost" | "price" | "pricing" | "multiplier")) {
            true => Self::Unknown,
            false => Self::Other,
        }
    }
}

/// `_above_200k_tokens` and `_priority`, both or one of them, in either order.
fn circumstances(mut rest: &str) -> Option<(u64, Tier)> {
    let (mut above, mut tier) = (None, None);
    while !rest.is_empty() {
        if let Some((count, tail)) = threshold(rest).filter(|_| above.is_none()) {
            (above, rest) = (Some(count), tail);
            continue;
        }
        let mut tiers = TIERS.iter();
        let (found, tail) =
            tiers.find_map(|&(word, tier)| Some((tier, rest.strip_prefix(word)?)))?;
        if tier.replace(found).is_some() {
            return None;
        }
        rest = tail;
    }
    Some((above.unwrap_or(0), tier.unwrap_or_default()))
}

/// `_above_200k_tokens` or `_above_200000_tokens`.
fn threshold(rest: &str) -> Option<(u64, &str)> {
    let rest = rest.strip_prefix("_above_")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    let (count, rest) = rest.split_at(digits);
    let count: u64 = count
        .parse()
        .ok()
        .filter(|count| (1..1 << 32).contains(count))?;
    let (factor, rest) = rest
        .strip_prefix('k')
        .map_or((1, rest), |rest| (1_000, rest));
    Some((count * factor, rest.strip_prefix("_tokens")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn price(name: &str, rate: Rate, above: u64, tier: Tier) {
        assert_eq!(
            Field::of(name),
            Field::Price { rate, above, tier },
            "{name}"
        );
    }

    #[track_caller]
    fn is(name: &str, expect: Field) {
        assert_eq!(Field::of(name), expect, "{name}");
    }

    #[test]
    fn a_name_says_rate_threshold_and_tier() {
        price("input_cost_per_token", Rate::Input, 0, Tier::Standard);
        price("output_cost_per_token_flex", Rate::Output, 0, Tier::Flex);
        let long = "cache_creation_input_token_cost_above_1hr_above_200k_tokens";
        price(long, Rate::CacheWriteHour, 200_000, Tier::Standard);
        let name = "cache_creation_input_token_cost_above_200k_tokens";
        price(name, Rate::CacheWrite, 200_000, Tier::Standard);
        let name = "input_cost_per_token_above_272k_tokens_priority";
        price(name, Rate::Input, 272_000, Tier::Priority);
        let turned = "input_cost_per_token_priority_above_272k_tokens";
        price(turned, Rate::Input, 272_000, Tier::Priority);
        price(
            "input_cost_per_token_above_500_tokens",
            Rate::Input,
            500,
            Tier::Standard,
        );
        price(
            "input_cost_per_token_cache_hit",
            Rate::CacheHit,
            0,
            Tier::Standard,
        );
        price(
            "output_cost_per_image_token_batches",
            Rate::ImageOutput,
            0,
            Tier::Batches,
        );
    }

    #[test]
    fn what_tokens_do_not_tell_is_told_apart_from_what_nobody_knows() {
        is("output_cost_per_image", Field::Untold);
        is(
            "input_cost_per_audio_per_second_above_128k_tokens",
            Field::Untold,
        );
        is(
            "cache_creation_input_token_cost_above_12hr_flex",
            Field::Untold,
        );
        is("search_context_cost_per_query", Field::Untold);
        is("regional_processing_uplift_multiplier_mars", Field::Untold);
        is(
            "regional_processing_uplift_multiplier_eu",
            Field::Uplift(Place::Eu),
        );
        is("input_cost_per_token_lunar", Field::Unknown);
        is("input_cost_per_token_above_manyk_tokens", Field::Unknown);
        is("input_cost_per_token_above_0k_tokens", Field::Unknown);
        is(
            "input_cost_per_token_above_99999999999999999999k_tokens",
            Field::Unknown,
        );
        is("input_cost_per_token_flex_priority", Field::Unknown);
        is(
            "input_cost_per_token_above_1k_tokens_above_2k_tokens",
            Field::Unknown,
        );
        is("cost_per_dream", Field::Unknown);
        is("max_input_tokens", Field::Other);
        is("costume", Field::Other);
    }

    #[test]
    fn words_of_providers_are_tiers() {
        let tier = |word: &str| Tier::of(Some(word), false);
        assert_eq!(tier("ON_DEMAND_PRIORITY"), Tier::Priority);
        assert_eq!(tier("batch"), Tier::Batches);
        assert_eq!(tier("default"), Tier::Standard);
        assert_eq!(tier("gold"), Tier::Standard);
        assert_eq!(Tier::of(Some("priority"), true), Tier::Batches);
        assert_eq!(Tier::of(None, false), Tier::Standard);
    }
}
