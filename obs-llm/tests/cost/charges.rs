//! What parts of a call cost: tiers, thresholds, caches, sound, images, hours.

use crate::support::{prices, same, usage};
use obs_llm::cost::Prices;
use obs_llm::{Bill, Price, Tokens, Usage};

struct Call<'a> {
    prices: &'a Prices,
    bill: Bill<'a>,
}

impl Call<'_> {
    #[track_caller]
    fn costs(&self, micros: f64) {
        same(self.prices.price(&self.bill), micros / 1e6, "the call");
    }

    #[track_caller]
    fn has_no_cost(&self) {
        assert_eq!(self.prices.price(&self.bill), None);
    }
}

fn call<'a>(prices: &'a Prices, provider: &'a str, model: &'a str, usage: &'a Usage) -> Call<'a> {
    let bill = Bill::new(provider, "chat", usage).with_response_model(Some(model));
    Call { prices, bill }
}

#[test]
fn a_tier_has_its_prices_and_one_without_any_costs_the_standard() {
    let prices = prices();
    let usage = usage(&[
        (Tokens::Input, 1_000),
        (Tokens::CacheRead, 400),
        (Tokens::Output, 100),
    ]);
    let vega = |tier, batch| {
        let mut call = call(&prices, "openai", "vega-2", &usage);
        call.bill = call.bill.with_service_tier(tier).with_batch(batch);
        call
    };
    let standard = 600.0 * 4.0 + 400.0 * 1.0 + 100.0 * 16.0;
    vega(None, false).costs(standard);
    vega(Some("default"), false).costs(standard);
    vega(Some("priority"), false).costs(600.0 * 8.0 + 400.0 * 2.0 + 100.0 * 32.0);
    // The table has no price for what a cache serves in these two: it is the standard one.
    vega(Some("flex"), false).costs(600.0 * 2.0 + 400.0 * 1.0 + 100.0 * 8.0);
    vega(None, true).costs(600.0 * 2.0 + 400.0 * 1.0 + 100.0 * 8.0);
    vega(Some("ultrafast"), false).costs(600.0 * 40.0 + 400.0 * 1.0 + 100.0 * 160.0);
    let exact = |call: &Call<'_>| prices.quote(&call.bill).expect("a cost").exact;
    assert!(exact(&vega(Some("flex"), false)));
    let balanced = vega(Some("balanced"), false);
    balanced.costs(standard);
    assert!(!exact(&balanced));
}

#[test]
fn a_threshold_is_passed_by_the_whole_input_and_holds_for_the_whole_call() {
    let prices = prices();
    let costs = |input, micros: f64| {
        let usage = usage(&[(Tokens::Input, input), (Tokens::Output, 10)]);
        call(&prices, "gcp.gemini", "castor-3", &usage).costs(micros);
    };
    costs(128_000, 128_000.0 * 1.0 + 10.0 * 6.0);
    costs(128_001, 128_001.0 * 2.0 + 10.0 * 12.0);
    // xAI's prices change at the threshold, not above it.
    let reached = usage(&[(Tokens::Input, 128_000), (Tokens::Output, 10)]);
    call(&prices, "x_ai", "crater-1", &reached).costs(128_000.0 * 6.0 + 10.0 * 30.0);
    let below = usage(&[(Tokens::Input, 127_999), (Tokens::Output, 10)]);
    call(&prices, "x_ai", "crater-1", &below).costs(127_999.0 * 3.0 + 10.0 * 15.0);
}

#[test]
fn a_threshold_of_a_tier_falls_back_to_the_threshold_and_then_to_the_tier() {
    let prices = prices();
    let usage = usage(&[(Tokens::Input, 200_000), (Tokens::Output, 10)]);
    let mut castor = call(&prices, "gcp.gemini", "castor-3", &usage);
    castor.bill = castor.bill.with_service_tier(Some("ON_DEMAND_PRIORITY"));
    // Its input has a price above the threshold in that tier; its output has one above the threshold, of any tier.
    castor.costs(200_000.0 * 3.6 + 10.0 * 12.0);
}

#[test]
fn reasoning_has_the_price_that_is_nearest() {
    let prices = prices();
    let costs = |input, tier, micros: f64| {
        let usage = usage(&[
            (Tokens::Input, input),
            (Tokens::Output, 100),
            (Tokens::Reasoning, 60),
        ]);
        let mut castor = call(&prices, "gcp.gemini", "castor-3", &usage);
        castor.bill = castor.bill.with_service_tier(tier);
        castor.costs(micros);
    };
    costs(1_000, None, 1_000.0 * 1.0 + 40.0 * 6.0 + 60.0 * 9.0);
    // Neither the tier nor the threshold has one, but both have one for output.
    costs(1_000, Some("priority"), 1_000.0 * 1.8 + 100.0 * 10.8);
    costs(150_000, None, 150_000.0 * 2.0 + 100.0 * 12.0);
}

#[test]
fn what_a_cache_serves_or_keeps_is_charged_once() {
    let prices = prices();
    let counts = [
        (Tokens::Input, 10_000),
        (Tokens::CacheRead, 6_000),
        (Tokens::CacheWrite, 3_000),
        (Tokens::CacheWriteHour, 1_000),
        (Tokens::Output, 0),
    ];
    let all = usage(&counts);
    let micros = 1_000.0 * 3.0 + 6_000.0 * 0.3 + 2_000.0 * 3.75 + 1_000.0 * 6.0;
    call(&prices, "anthropic", "stanza-4", &all).costs(micros);
    // Without a price of its own a part costs as the whole.
    let plain = usage(&[
        (Tokens::Input, 1_000),
        (Tokens::CacheRead, 900),
        (Tokens::CacheWrite, 50),
    ]);
    call(&prices, "openai", "vega-2-2026-03-01", &plain).costs(1_000.0 * 5.0);
    // The older name of what a cache serves.
    let hit = usage(&[
        (Tokens::Input, 1_000),
        (Tokens::CacheRead, 900),
        (Tokens::Output, 1),
    ]);
    call(&prices, "abyss", "abyss-v9", &hit).costs(100.0 * 0.6 + 900.0 * 0.06 + 1.2);
}

#[test]
fn parts_that_exceed_their_whole_are_not_charged_beyond_it() {
    let prices = prices();
    let more_read = usage(&[
        (Tokens::Input, 100),
        (Tokens::CacheRead, 500),
        (Tokens::CacheWrite, 500),
    ]);
    call(&prices, "anthropic", "stanza-4", &more_read).costs(100.0 * 0.3);
    let counts = [
        (Tokens::Input, 0),
        (Tokens::Output, 10),
        (Tokens::Reasoning, 50),
    ];
    call(&prices, "gcp.gemini", "castor-3", &usage(&counts)).costs(10.0 * 9.0);
}

#[test]
fn sound_is_charged_where_the_cache_did_not_serve_it() {
    let prices = prices();
    let counts = [
        (Tokens::Input, 1_000),
        (Tokens::AudioInput, 800),
        (Tokens::Output, 300),
        (Tokens::AudioOutput, 250),
    ];
    let sound = usage(&counts);
    let micros = 200.0 * 2.0 + 800.0 * 40.0 + 50.0 * 8.0 + 250.0 * 80.0;
    call(&prices, "openai", "vega-2-sound", &sound).costs(micros);
    // 600 of the 1,000 were read from a cache: at most 400 can be other sound.
    let cached = sound.with(Tokens::CacheRead, 600);
    let micros = 600.0 * 0.5 + 400.0 * 40.0 + 50.0 * 8.0 + 250.0 * 80.0;
    call(&prices, "openai", "vega-2-sound", &cached).costs(micros);
    // In a model without prices for sound it is as text.
    let micros = 1_000.0 * 4.0 + 300.0 * 16.0;
    call(&prices, "openai", "vega-2", &sound).costs(micros);
}

#[test]
fn images_in_tokens_have_their_price() {
    let prices = prices();
    let counts = [
        (Tokens::Input, 500),
        (Tokens::ImageInput, 300),
        (Tokens::Output, 1_000),
        (Tokens::ImageOutput, 1_000),
    ];
    let micros = 200.0 * 5.0 + 300.0 * 10.0 + 1_000.0 * 40.0;
    call(&prices, "openai", "vega-draw", &usage(&counts)).costs(micros);
    // All that such a model puts out is images, even where nobody says so.
    let untold = [(Tokens::Input, 500), (Tokens::Output, 1_000)];
    call(&prices, "openai", "vega-draw", &usage(&untold)).costs(500.0 * 5.0 + 1_000.0 * 40.0);
}

#[test]
fn ranges_of_input_have_their_prices() {
    let prices = prices();
    let costs = |input, micros: f64| {
        let counts = [
            (Tokens::Input, input),
            (Tokens::CacheRead, 1_000),
            (Tokens::Output, 100),
            (Tokens::Reasoning, 10),
        ];
        call(&prices, "delta", "ladder", &usage(&counts)).costs(micros);
    };
    costs(
        32_000,
        31_000.0 * 1.0 + 1_000.0 * 0.2 + 90.0 * 4.0 + 10.0 * 10.0,
    );
    // The range has a price for what is read from a cache and for reasoning, or they cost as the whole there.
    costs(32_001, 32_001.0 * 2.0 + 100.0 * 8.0);
    costs(128_000, 128_000.0 * 2.0 + 100.0 * 8.0);
    // A range without a price for output has the model's; beyond the last range its prices go on.
    costs(128_001, 128_001.0 * 4.0 + 100.0 * 5.0);
    costs(2_000_000, 2_000_000.0 * 4.0 + 100.0 * 5.0);
    let none = usage(&[(Tokens::Input, 0), (Tokens::Output, 100)]);
    call(&prices, "delta", "ladder", &none).costs(100.0 * 4.0);
}

/// 2026-11-23 was a Monday.
const MONDAY: u64 = 1_795_392_000;
const HOUR: u64 = 3_600;

#[test]
fn an_hour_has_its_price_where_the_time_is_known() {
    let prices = prices();
    let usage = usage(&[(Tokens::Input, 1_000), (Tokens::Output, 100)]);
    let costs = |seconds, micros: f64| {
        let mut abyss = call(&prices, "abyss", "abyss-v9", &usage);
        abyss.bill = abyss.bill.with_unix_seconds(seconds);
        abyss.costs(micros);
    };
    let (dear, cheap) = (1_000.0 * 0.6 + 100.0 * 1.2, 1_000.0 * 0.3 + 100.0 * 0.6);
    costs(None, dear);
    costs(Some(MONDAY + 12 * HOUR), dear);
    costs(Some(MONDAY + 4 * HOUR), cheap);
    costs(Some(MONDAY + 6 * HOUR - 1), cheap);
    costs(Some(MONDAY + 6 * HOUR), dear);
    costs(Some(MONDAY + 23 * HOUR), cheap);
    costs(Some(MONDAY + 5 * 24 * HOUR + 12 * HOUR), cheap);
    costs(Some(MONDAY - 12 * HOUR), cheap);
    // The time of a calendar that changes its clocks is not known here: the standard price, and the report says so.
    let mut berlin = call(&prices, "abyss", "abyss-v9-berlin", &usage);
    berlin.bill = berlin.bill.with_unix_seconds(Some(MONDAY));
    berlin.costs(dear);
}

#[test]
fn a_place_has_its_surcharge_where_the_host_is_known() {
    let prices = prices();
    let usage = usage(&[(Tokens::Input, 1_000), (Tokens::Output, 100)]);
    let costs = |provider, model, host, micros: f64| {
        let mut call = call(&prices, provider, model, &usage);
        call.bill = call.bill.with_server_address(host);
        call.costs(micros);
    };
    let vega = 1_000.0 * 4.0 + 100.0 * 16.0;
    costs("openai", "vega-2", None, vega);
    costs("openai", "vega-2", Some("api.openai.com"), vega);
    costs("openai", "vega-2", Some("eu.api.openai.com"), vega * 1.1);
    // The table has a factor for Europe only.
    costs("openai", "vega-2", Some("us.api.openai.com"), vega);
    let castor = 1_000.0 * 1.5 + 100.0 * 7.0;
    costs(
        "gcp.vertex_ai",
        "castor-3",
        Some("aiplatform.googleapis.com"),
        castor,
    );
    let belgium = Some("europe-west1-aiplatform.googleapis.com");
    costs("gcp.vertex_ai", "castor-3", belgium, castor * 1.1);
}

#[test]
fn ranges_that_do_not_begin_at_nothing_hold_from_there_on_all_the_same() {
    let table = r#"{"m": {"tiered_pricing": [
        {"range": [10, 20], "input_cost_per_token": 1e-6},
        {"range": [20, 30], "input_cost_per_token": 2e-6}
    ]}}"#;
    let (prices, _) = Prices::from_json(table).expect("a table");
    let costs = |input, micros| {
        let usage = usage(&[(Tokens::Input, input)]);
        call(&prices, "any", "m", &usage).costs(micros);
    };
    costs(5, 5.0);
    costs(20, 20.0);
    costs(21, 42.0);
}

#[test]
fn a_price_for_the_call_itself_is_charged_once() {
    let prices = prices();
    let usage = usage(&[(Tokens::Input, 1_000), (Tokens::Output, 100)]);
    let resale = call(&prices, "resale", "vega/vega-2", &usage);
    resale.costs(1_000.0 * 4.2 + 100.0 * 16.8 + 5_000.0);
}

#[test]
fn what_was_not_told_is_not_guessed() {
    let prices = prices();
    let nothing = Usage::new();
    call(&prices, "openai", "vega-2", &nothing).has_no_cost();
    let output = usage(&[(Tokens::Output, 100)]);
    call(&prices, "openai", "vega-2", &output).has_no_cost();
    // A stream that was cut before its output was told costs at least its input.
    let input = usage(&[(Tokens::Input, 100)]);
    call(&prices, "openai", "vega-2", &input).costs(400.0);
    // Output of a model that has no price for it.
    let both = usage(&[(Tokens::Input, 100), (Tokens::Output, 1)]);
    call(&prices, "openai", "vega-embed", &both).has_no_cost();
}
