//! Under which name a model is found, and when it is not.

use crate::support::{asked, prices, same, small, small_at};
use obs_llm::cost::{PriceStats, Prices};
use obs_llm::{Bill, Price};

#[track_caller]
fn finds(provider: &str, model: &str, input: f64, output: f64, exact: bool) {
    let quote = asked(&prices(), provider, model);
    same(quote.map(|quote| quote.usd), small_at(input, output), model);
    assert_eq!(quote.map(|quote| quote.exact), Some(exact), "{model}");
}

#[track_caller]
fn finds_nothing(provider: &str, model: &str) {
    assert_eq!(
        asked(&prices(), provider, model),
        None,
        "{provider} {model}"
    );
}

#[test]
fn a_provider_has_its_own_prices_for_a_model_of_the_same_name() {
    finds("openai", "vega-2", 4.0, 16.0, true);
    finds("azure.ai.openai", "vega-2", 4.4, 17.6, true);
    finds("gcp.gemini", "castor-3", 1.0, 6.0, true);
    finds("gcp.vertex_ai", "castor-3", 1.5, 7.0, true);
    finds("gcp.gen_ai", "castor-3", 1.0, 6.0, true);
    finds("openai", "VEGA-2", 4.0, 16.0, true);
}

#[test]
fn a_model_of_another_provider_is_not_charged_by_a_strangers_price() {
    finds_nothing("anthropic", "vega-2");
    finds_nothing("openai", "stanza-4");
    finds_nothing("vllm", "vega-2");
    // Azure's inference interface serves OpenAI's models at their prices; the table says so of this one.
    finds("azure.ai.inference", "vega-2", 4.0, 16.0, true);
    // An entry without a provider is anybody's.
    finds("vllm", "anybodys", 1.0, 1.0, true);
}

#[test]
fn a_dated_name_has_prices_of_its_own_or_those_of_the_undated_one() {
    finds("openai", "vega-2-2026-03-01", 5.0, 20.0, true);
    finds("openai", "vega-2-2027-01-01", 4.0, 16.0, false);
    finds("anthropic", "stanza-4-20260101", 3.0, 15.0, false);
    finds("anthropic", "stanza-4@20260101", 3.0, 15.0, false);
    finds("gcp.gemini", "models/castor-2-001", 0.1, 0.4, false);
    finds_nothing("openai", "vega-3-2027-01-01");
    // A tuned model costs what its base costs tuned, never what the base costs.
    finds(
        "openai",
        "ft:vega-2-2026-03-01:my-org:name:id",
        7.0,
        28.0,
        true,
    );
    finds_nothing("openai", "ft:vega-2:my-org::id");
}

#[test]
fn a_region_of_amazons_has_prices_of_its_own_or_those_of_none() {
    finds(
        "aws.bedrock",
        "eu.verse.stanza-4-20260101-v1:0",
        3.3,
        16.5,
        true,
    );
    finds(
        "aws.bedrock",
        "us.verse.stanza-4-20260101-v1:0",
        3.0,
        15.0,
        false,
    );
    finds(
        "aws.bedrock",
        "verse.stanza-4-20260101-v1:0",
        3.0,
        15.0,
        true,
    );
    let arn = "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.verse.stanza-4-20260101-v1:0";
    finds("aws.bedrock", arn, 3.3, 16.5, true);
}

#[test]
fn names_of_names_are_followed() {
    finds("anthropic", "stanza-latest", 3.0, 15.0, true);
    finds_nothing("anthropic", "bad-loop-a");
}

#[test]
fn a_region_that_is_part_of_the_name_is_looked_up() {
    finds("azure.ai.openai", "eu/vega-2", 4.84, 19.36, true);
}

#[test]
fn the_model_that_answered_is_charged_before_the_one_that_was_asked_for() {
    let (prices, usage) = (prices(), small());
    let bill =
        Bill::new("azure.ai.openai", "chat", &usage).with_request_model(Some("my-deployment"));
    assert_eq!(prices.price(&bill), None);
    let answered = bill.with_response_model(Some("vega-2-2026-03-01"));
    same(prices.price(&answered), small_at(4.4, 17.6), "a deployment");
    let both = Bill::new("openai", "chat", &usage)
        .with_request_model(Some("vega-2"))
        .with_response_model(Some("vega-2-2026-03-01"));
    same(prices.price(&both), small_at(5.0, 20.0), "both are known");
    let unknown = both.with_response_model(Some("served-by-nobody"));
    same(
        prices.price(&unknown),
        small_at(4.0, 16.0),
        "only the request is known",
    );
    assert_eq!(prices.price(&Bill::new("openai", "chat", &usage)), None);
}

#[test]
fn what_is_asked_for_free_is_not_charged_as_what_is_paid_for() {
    let (prices, usage) = (prices(), small());
    let bill = Bill::new("resale", "chat", &usage).with_response_model(Some("vega/vega-2"));
    let free = bill.with_request_model(Some("vega/vega-2:free"));
    assert_eq!(prices.price(&free), Some(0.0));
    // One that the table does not know has no cost, rather than that of its namesake.
    let unknown = bill.with_request_model(Some("vega/vega-9:free"));
    assert_eq!(prices.price(&unknown), None);
}

#[test]
fn a_model_without_a_price_has_no_cost_and_one_for_nothing_costs_nothing() {
    finds("ollama", "home-7b", 0.0, 0.0, true);
    finds_nothing("openai", "vega-poster");
    finds_nothing("subscription", "vega-2");
    finds_nothing("delta", "finder");
    finds_nothing("openai", "sample_spec");
    finds_nothing("openai", "");
    finds_nothing("", "vega-2");
    finds_nothing("openai", &"x".repeat(100_000));
}

#[test]
fn a_gateway_has_the_name_that_a_user_gives_it() {
    let own = prices().with_provider("our-gateway", "azure");
    let quote = asked(&own, "our-gateway", "vega-2");
    same(
        quote.map(|quote| quote.usd),
        small_at(4.4, 17.6),
        "a gateway",
    );
    assert_eq!(asked(&prices(), "our-gateway", "vega-2"), None);
    // One that resells everybody's models by LiteLLM's names.
    finds("litellm", "azure/vega-2", 4.4, 17.6, true);
    finds("litellm_proxy", "stanza-4", 3.0, 15.0, true);
}

#[test]
fn how_calls_were_priced_is_counted() {
    let prices: Prices = prices();
    asked(&prices, "openai", "vega-2");
    asked(&prices, "openai", "vega-2-2027-01-01");
    asked(&prices, "openai", "vega-9");
    asked(&prices, "openai", "vega-poster");
    let stats = prices.stats();
    let counts = |PriceStats {
                      priced,
                      approximate,
                      unknown,
                      uncharged,
                      ..
                  }: PriceStats| { [priced, approximate, unknown, uncharged] };
    assert_eq!(counts(stats), [2, 1, 1, 1]);
}
