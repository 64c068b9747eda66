//! Tokens, by our arithmetic: totals with all their parts.

use super::attributes::Said;
use super::dialect::Dialect;
use super::table;
use obs_llm::{Tokens, Usage};

/// Whose input, as their own API counts it, has nothing of what was read from a cache or written to one.
const WITHOUT_CACHE: [&str; 2] = ["anthropic", "aws.bedrock"];

/// The tokens that a span tells.
///
/// Who follows the conventions adds up: OpenLLMetry's Anthropic instrumentation, rig since 0.44 and adk do it for every provider,
/// and OpenInference's details are parts by definition. Vercel's SDK passes on what the API says, until its sixth version, which tells
/// the parts apart. And parts that are more than their total are none of it, whoever says so.
pub(crate) fn usage(said: &Said<'_>, provider: Option<&str>) -> Usage {
    let mut usage = Usage::new();
    let mut set = |tokens, count: Option<u64>| {
        if let Some(count) = count {
            usage.set(tokens, count);
        }
    };
    let read = said.count(table::CACHE_READ_TOKENS);
    let written = said.count(table::CACHE_WRITE_TOKENS);
    let reasoning = said.count(table::REASONING_TOKENS);
    let input = said.count(table::INPUT_TOKENS).map(|input| {
        let cached = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
        match cached > input || is_without_cache(said, provider) {
            true => input.saturating_add(cached),
            false => input,
        }
    });
    let output = said.count(table::OUTPUT_TOKENS).map(|output| {
        let reasoning = reasoning.unwrap_or(0);
        match reasoning > output {
            true => output.saturating_add(reasoning),
            false => output,
        }
    });
    set(Tokens::Input, input);
    set(Tokens::Output, output);
    set(Tokens::CacheRead, read);
    set(Tokens::CacheWrite, written);
    set(Tokens::Reasoning, reasoning);
    set(Tokens::AudioInput, said.count(table::AUDIO_INPUT_TOKENS));
    set(Tokens::AudioOutput, said.count(table::AUDIO_OUTPUT_TOKENS));
    usage
}

fn is_without_cache(said: &Said<'_>, provider: Option<&str>) -> bool {
    said.dialect == Dialect::Vercel
        && provider.is_some_and(|provider| WITHOUT_CACHE.contains(&provider))
        && !said.has(table::VERCEL_PARTS)
}
