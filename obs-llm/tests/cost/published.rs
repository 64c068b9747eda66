//! Calls at prices that providers published, in dollars for a million tokens, reckoned by hand.

use crate::support::{same, usage};
use obs_llm::cost::Prices;
use obs_llm::{Bill, Price, Tokens, Usage};

struct Case {
    table: &'static str,
    provider: &'static str,
    model: &'static str,
    tier: Option<&'static str>,
}

impl Case {
    #[track_caller]
    fn costs(&self, counts: &[(Tokens, u64)], expect: f64) {
        let (prices, _) = Prices::from_json(self.table).expect("a table");
        let usage: Usage = usage(counts);
        let bill = Bill::new(self.provider, "chat", &usage)
            .with_response_model(Some(self.model))
            .with_service_tier(self.tier);
        same(prices.price(&bill), expect, self.model);
    }
}

/// OpenAI's page of prices, August 2024: input 2.50, cached input 1.25, output 10.
#[test]
fn gpt_4o_with_half_of_its_input_cached() {
    let case = Case {
        table: r#"{"gpt-4o-2024-08-06": {"litellm_provider": "openai",
            "input_cost_per_token": 2.5e-06, "cache_read_input_token_cost": 1.25e-06,
            "output_cost_per_token": 1e-05}}"#,
        provider: "openai",
        model: "gpt-4o-2024-08-06",
        tier: None,
    };
    let counts = [
        (Tokens::Input, 4_096),
        (Tokens::CacheRead, 2_048),
        (Tokens::Output, 512),
    ];
    // 2,048 at 2.50, 2,048 at 1.25 and 512 at 10 dollars a million: 5,120 + 2,560 + 5,120 micro-dollars.
    case.costs(&counts, 0.0128);
    // Of the output, what was reasoned has no price of its own: it is in the 512.
    let reasoned = [&counts[..], &[(Tokens::Reasoning, 300)]].concat();
    case.costs(&reasoned, 0.0128);
}

/// OpenAI's page of prices, 2025: o3 at 2 and 8, cached 0.50; flex at half of it; priority at 3.50 and 14, cached 0.875.
#[test]
fn o3_in_three_tiers() {
    let table = r#"{"o3": {"litellm_provider": "openai",
        "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06, "cache_read_input_token_cost": 5e-07,
        "input_cost_per_token_flex": 1e-06, "output_cost_per_token_flex": 4e-06,
        "cache_read_input_token_cost_flex": 2.5e-07,
        "input_cost_per_token_priority": 3.5e-06, "output_cost_per_token_priority": 1.4e-05,
        "cache_read_input_token_cost_priority": 8.75e-07}}"#;
    let counts = [
        (Tokens::Input, 10_000),
        (Tokens::CacheRead, 4_000),
        (Tokens::Output, 2_000),
        (Tokens::Reasoning, 1_500),
    ];
    let o3 = |tier| Case {
        table,
        provider: "openai",
        model: "o3",
        tier,
    };
    // 6,000 × 2 + 4,000 × 0.50 + 2,000 × 8 = 12,000 + 2,000 + 16,000 micro-dollars.
    o3(None).costs(&counts, 0.030);
    o3(Some("default")).costs(&counts, 0.030);
    // 6,000 × 1 + 4,000 × 0.25 + 2,000 × 4 = 6,000 + 1,000 + 8,000.
    o3(Some("flex")).costs(&counts, 0.015);
    // 6,000 × 3.50 + 4,000 × 0.875 + 2,000 × 14 = 21,000 + 3,500 + 28,000.
    o3(Some("priority")).costs(&counts, 0.0525);
}

/// Anthropic's page of prices, 2025, Claude Sonnet 4.5: 3 and 15; a cache written for five minutes 3.75, for an hour 6, read
/// 0.30. Above 200,000 tokens of input: 6 and 22.50, and the cache's prices at the same multiples.
const SONNET: &str = r#"{"claude-sonnet-4-5-20250929": {"litellm_provider": "anthropic",
    "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
    "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
    "cache_read_input_token_cost": 3e-07,
    "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05,
    "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
    "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05,
    "cache_read_input_token_cost_above_200k_tokens": 6e-07}}"#;

const CLAUDE: Case = Case {
    table: SONNET,
    provider: "anthropic",
    model: "claude-sonnet-4-5-20250929",
    tier: Some("standard"),
};

#[test]
fn claude_with_both_kinds_of_cache() {
    // Anthropic tells input_tokens 20, cache_read 30,000, cache_creation 2,000 of which 500 for an hour: 32,020 in all.
    let counts = [
        (Tokens::Input, 32_020),
        (Tokens::CacheRead, 30_000),
        (Tokens::CacheWrite, 2_000),
        (Tokens::CacheWriteHour, 500),
        (Tokens::Output, 400),
    ];
    // 20 × 3 + 30,000 × 0.30 + 1,500 × 3.75 + 500 × 6 + 400 × 15 = 60 + 9,000 + 5,625 + 3,000 + 6,000 micro-dollars.
    CLAUDE.costs(&counts, 0.023_685);
}

#[test]
fn claude_with_a_long_input() {
    // Exactly 200,000 is not above: 200,000 × 3 + 1,000 × 15.
    CLAUDE.costs(&[(Tokens::Input, 200_000), (Tokens::Output, 1_000)], 0.615);
    // One more, and the whole call costs more: 200,001 × 6 + 1,000 × 22.50.
    CLAUDE.costs(
        &[(Tokens::Input, 200_001), (Tokens::Output, 1_000)],
        1.222_506,
    );
    // What was read from a cache counts towards the threshold: 50,000 × 6 + 200,000 × 0.60 + 1,000 × 22.50.
    let cached = [
        (Tokens::Input, 250_000),
        (Tokens::CacheRead, 200_000),
        (Tokens::Output, 1_000),
    ];
    CLAUDE.costs(&cached, 0.4425);
}

/// Google's page of prices, 2025, Gemini 2.5 Pro: 1.25 and 10, above 200,000 tokens 2.50 and 15; thinking is output.
#[test]
fn gemini_that_thinks() {
    let case = Case {
        table: r#"{"gemini/gemini-2.5-pro": {"litellm_provider": "gemini",
            "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
            "input_cost_per_token_above_200k_tokens": 2.5e-06, "output_cost_per_token_above_200k_tokens": 1.5e-05}}"#,
        provider: "gcp.gemini",
        model: "gemini-2.5-pro",
        tier: None,
    };
    // promptTokenCount 8,000, candidatesTokenCount 700, thoughtsTokenCount 1,300: 8,000 × 1.25 + 2,000 × 10.
    let short = [
        (Tokens::Input, 8_000),
        (Tokens::Output, 2_000),
        (Tokens::Reasoning, 1_300),
    ];
    case.costs(&short, 0.030);
    // 300,000 × 2.50 + 2,000 × 15.
    let long = [
        (Tokens::Input, 300_000),
        (Tokens::Output, 2_000),
        (Tokens::Reasoning, 1_300),
    ];
    case.costs(&long, 0.780);
}

/// OpenAI's page of prices, December 2024, gpt-4o-audio-preview: text 2.50 and 10, sound 40 and 80.
#[test]
fn a_conversation_in_sound() {
    let case = Case {
        table: r#"{"gpt-4o-audio-preview": {"litellm_provider": "openai",
            "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
            "input_cost_per_audio_token": 4e-05, "output_cost_per_audio_token": 8e-05}}"#,
        provider: "openai",
        model: "gpt-4o-audio-preview",
        tier: None,
    };
    let counts = [
        (Tokens::Input, 1_200),
        (Tokens::AudioInput, 1_000),
        (Tokens::TextInput, 200),
        (Tokens::Output, 600),
        (Tokens::AudioOutput, 500),
    ];
    // 200 × 2.50 + 1,000 × 40 + 100 × 10 + 500 × 80 = 500 + 40,000 + 1,000 + 40,000 micro-dollars.
    case.costs(&counts, 0.0815);
}

/// OpenAI's page of prices, 2024, text-embedding-3-small: 0.02.
#[test]
fn an_embedding_has_no_output() {
    let case = Case {
        table: r#"{"text-embedding-3-small": {"litellm_provider": "openai", "mode": "embedding",
            "input_cost_per_token": 2e-08}}"#,
        provider: "openai",
        model: "text-embedding-3-small",
        tier: None,
    };
    // 8,191 × 0.02 micro-dollars.
    case.costs(&[(Tokens::Input, 8_191)], 0.000_163_82);
}
