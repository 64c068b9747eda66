//! A table of invented prices, and what calls cost by it.

use obs_llm::cost::{Prices, Quote};
use obs_llm::{Bill, Tokens, Usage};

/// Invented models with every kind of field that LiteLLM's table has.
pub(crate) const TABLE: &str = include_str!("prices.json");

pub(crate) fn prices() -> Prices {
    let (prices, _) = Prices::from_json(TABLE).expect("a table");
    prices
}

pub(crate) fn usage(counts: &[(Tokens, u64)]) -> Usage {
    let counts = counts.iter();
    counts.fold(Usage::new(), |usage, &(tokens, count)| {
        usage.with(tokens, count)
    })
}

/// A thousand tokens of input and a hundred of output.
pub(crate) fn small() -> Usage {
    usage(&[(Tokens::Input, 1_000), (Tokens::Output, 100)])
}

/// What that costs, at these prices for a million.
pub(crate) fn small_at(input: f64, output: f64) -> f64 {
    (1_000.0 * input + 100.0 * output) / 1e6
}

/// The same amount, to the picodollar.
#[track_caller]
pub(crate) fn same(got: Option<f64>, expect: f64, what: &str) {
    let got = got.unwrap_or_else(|| panic!("{what}: no cost, and {expect} was expected"));
    let pico = |usd: f64| (usd * 1e12).round();
    assert_eq!(pico(got), pico(expect), "{what}: {got} is not {expect}");
}

/// What a small call costs when that model is asked for, and whether its own prices said so.
pub(crate) fn asked(prices: &Prices, provider: &str, model: &str) -> Option<Quote> {
    let usage = small();
    prices.quote(&Bill::new(provider, "chat", &usage).with_request_model(Some(model)))
}
