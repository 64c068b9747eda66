//! Random prices and tokens, reckoned once more in whole picodollars, token by token.

use obs_llm::cost::Prices;
use obs_llm::{Bill, Price, Tokens, Usage};
use proptest::collection::vec;
use proptest::prelude::*;

/// A name of a price, of what it is a part, and the price in picodollars, if it has one.
type Priced = (&'static str, Option<u64>);

const NAMES: [&str; 10] = [
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
    "output_cost_per_reasoning_token",
    "input_cost_per_audio_token",
    "output_cost_per_audio_token",
    "input_cost_per_image_token",
    "output_cost_per_image_token",
];

fn table(prices: &[Priced]) -> String {
    let fields = prices
        .iter()
        .filter_map(|(name, pico)| Some(format!("\"{name}\":{}e-12", (*pico)?)));
    let fields: Vec<_> = fields.collect();
    format!(
        "{{\"m\":{{\"litellm_provider\":\"openai\",{}}}}}",
        fields.join(",")
    )
}

/// The price of a token painted with this name; one without a price is a token of the next name.
fn pico(prices: &[Priced], name: &str) -> u64 {
    let whole = match name {
        "cache_creation_input_token_cost_above_1hr" => "cache_creation_input_token_cost",
        name if name.contains("input") => "input_cost_per_token",
        _ => "output_cost_per_token",
    };
    let own = prices
        .iter()
        .find(|(priced, _)| *priced == name)
        .and_then(|(_, pico)| *pico);
    own.unwrap_or_else(|| pico(prices, whole))
}

/// Paints a row of tokens, the first names first, as long as there are any left; the rest is of the last name.
fn paint(total: u64, parts: &[(&'static str, u64)], rest: &'static str) -> Vec<&'static str> {
    let painted = parts
        .iter()
        .flat_map(|&(name, count)| std::iter::repeat_n(name, count as usize));
    painted
        .chain(std::iter::repeat(rest))
        .take(total as usize)
        .collect()
}

fn price(prices: &[Priced], usage: &Usage) -> Option<f64> {
    let (prices, _) = Prices::from_json(&table(prices)).expect("a table");
    prices.price(&Bill::new("openai", "chat", usage).with_request_model(Some("m")))
}

fn in_picos(usd: f64) -> u128 {
    (usd * 1e12).round() as u128
}

/// Up to a thousand dollars for a million tokens.
const DEAREST: u64 = 1_000_000_000;

proptest! {
    #[test]
    fn every_token_is_charged_once(
        whole in (0..DEAREST, 0..DEAREST),
        parts in vec(proptest::option::of(0..DEAREST), 8),
        totals in (0_u64..300, 0_u64..300),
        counts in vec(0_u64..200, 7),
    ) {
        let own = [Some(whole.0), Some(whole.1)].into_iter().chain(parts);
        let prices: Vec<Priced> = NAMES.into_iter().zip(own).collect();
        let [read, write, hour, heard, seen, reasoned, spoken] = counts[..] else { unreachable!() };
        let hour = hour.min(write);
        let usage = Usage::new()
            .with(Tokens::Input, totals.0)
            .with(Tokens::CacheRead, read)
            .with(Tokens::CacheWrite, write)
            .with(Tokens::CacheWriteHour, hour)
            .with(Tokens::AudioInput, heard)
            .with(Tokens::ImageInput, seen)
            .with(Tokens::Output, totals.1)
            .with(Tokens::Reasoning, reasoned)
            .with(Tokens::AudioOutput, spoken);
        let input = paint(totals.0, &[
            ("cache_read_input_token_cost", read),
            ("cache_creation_input_token_cost_above_1hr", hour),
            ("cache_creation_input_token_cost", write - hour),
            ("input_cost_per_audio_token", heard),
            ("input_cost_per_image_token", seen),
        ], "input_cost_per_token");
        let output = paint(totals.1, &[
            ("output_cost_per_reasoning_token", reasoned),
            ("output_cost_per_audio_token", spoken),
        ], "output_cost_per_token");
        let tokens = input.iter().chain(&output);
        let expect: u128 = tokens.map(|name| u128::from(pico(&prices, name))).sum();
        let usd = price(&prices, &usage).expect("a cost");
        prop_assert_eq!(in_picos(usd), expect);
    }

    /// As many tokens as a count holds: of less than a hundred dollars the picodollars are right, of more fifteen digits.
    #[test]
    fn large_calls_are_exact_enough(
        input in 0..=u64::from(u32::MAX),
        output in 0..=u64::from(u32::MAX),
        prices in (0..DEAREST, 0..DEAREST),
    ) {
        let usage = Usage::new().with(Tokens::Input, input).with(Tokens::Output, output);
        let priced = [(NAMES[0], Some(prices.0)), (NAMES[1], Some(prices.1))];
        let usd = price(&priced, &usage).expect("a cost");
        let wide = |count: u64, pico: u64| u128::from(count) * u128::from(pico);
        let expect = wide(input, prices.0) + wide(output, prices.1);
        let off = in_picos(usd).abs_diff(expect);
        prop_assert!(off <= expect / 1_000_000_000_000_000, "{usd}: off by {off} of {expect}");
    }

    /// Whatever a table says of thresholds and tiers: what is charged is some price of the table's, of the right side of the
    /// threshold if there is one there.
    #[test]
    fn a_threshold_decides_by_the_whole_input(
        input in 0_u64..3_000,
        threshold in 1_u64..3_000,
        read in 0_u64..3_000,
        prices in (0..DEAREST, 0..DEAREST),
    ) {
        let table = format!(
            r#"{{"m":{{"input_cost_per_token":{}e-12,"input_cost_per_token_above_{threshold}_tokens":{}e-12}}}}"#,
            prices.0, prices.1,
        );
        let (loaded, _) = Prices::from_json(&table).expect("a table");
        let usage = Usage::new().with(Tokens::Input, input).with(Tokens::CacheRead, read);
        let usd = loaded.price(&Bill::new("any", "chat", &usage).with_request_model(Some("m")));
        let pico = if input > threshold { prices.1 } else { prices.0 };
        prop_assert_eq!(in_picos(usd.expect("a cost")), u128::from(input) * u128::from(pico));
    }

    /// No text makes reading or pricing panic, and what is read says no nonsense.
    #[test]
    fn any_names_and_values_are_read_or_refused(
        names in vec("(input|output|cache_read_input|x)(_cost_per_token|_token_cost)?(_above_[0-9]{0,22}k?_tokens)?(_flex|_priority)?", 1..6),
        values in vec(prop_oneof![
            Just("1e-6".to_owned()), Just("-0".to_owned()), Just("\"3e-7\"".to_owned()), Just("null".to_owned()),
            Just("[]".to_owned()), Just("1e300".to_owned()), Just("\"NaN\"".to_owned()), Just("\"inf\"".to_owned()),
        ], 6),
        model in "\\PC{0,40}",
        input in any::<u32>(),
    ) {
        let fields: Vec<_> = names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let key = serde_json::to_string(&model).expect("a text");
        let table = format!("{{{key}:{{{}}},\"other\":{{\"input_cost_per_token\":1e-6}}}}", fields.join(","));
        let (prices, report) = Prices::from_json(&table).expect("a table");
        prop_assert!(report.models >= 1 && report.models + report.other_units + report.bad_entries >= 1);
        let usage = Usage::new().with(Tokens::Input, u64::from(input)).with(Tokens::Output, 0);
        let usd = prices.price(&Bill::new("openai", "chat", &usage).with_request_model(Some(&model)));
        prop_assert!(usd.is_none_or(|usd| usd.is_finite() && usd >= 0.0 && usd <= f64::from(input)));
    }
}
