//! A call that ends is priced by what it told, where it was served, and when.

use crate::support::prices;
use obs_llm::wire::{RequestSink, ResponseSink};
use obs_llm::{Bill, Llm, LlmOperation, Price, Provider, Tokens, Usage};
use obs_testing::Capture;
use std::sync::Arc;

/// 2026-11-23 was a Monday.
const MONDAY: u64 = 1_795_392_000;
const HOUR: u64 = 3_600;

struct Call<'a> {
    provider: &'static str,
    model: &'a str,
    host: Option<&'a str>,
    tier: Option<&'a str>,
    hour: u64,
}

const CALL: Call<'static> = Call {
    provider: "openai",
    model: "vega-2",
    host: None,
    tier: None,
    hour: 12,
};

impl Call<'_> {
    /// Calls that are priced, the sum of their cost, and calls that could not be.
    fn told(&self) -> (u64, f64, f64) {
        let capture = Capture::new();
        capture
            .clock()
            .set_wall((MONDAY + self.hour * HOUR) * 1_000_000_000);
        let llm = Llm::new(capture.telemetry()).with_prices(Arc::new(prices()));
        let mut call = llm.call(LlmOperation::Chat, &Provider::named(self.provider));
        call.model(self.model);
        if let Some(host) = self.host {
            call.set_server(host, None);
        }
        if let Some(tier) = self.tier {
            ResponseSink::service_tier(&mut call, tier);
        }
        call.usage(
            &Usage::new()
                .with(Tokens::Input, 1_000)
                .with(Tokens::Output, 100),
        );
        call.end();
        let points = capture.points();
        let cost = points.histogram("obs.llm.cost", &[]);
        let unpriced = points.sum_by("obs.llm.anomalies", "obs.anomaly");
        (
            capture.count("obs.llm.cost"),
            cost.and_then(|cost| cost.sum).unwrap_or_default(),
            unpriced.get("unpriced").copied().unwrap_or_default(),
        )
    }

    #[track_caller]
    fn costs(&self, micros: f64) {
        let (priced, usd, unpriced) = self.told();
        assert_eq!((priced, unpriced), (1, 0.0));
        assert!(
            (usd * 1e6 - micros).abs() < 1e-6,
            "{usd} is not {micros} micro-dollars"
        );
    }
}

#[test]
fn a_call_costs_what_the_table_says() {
    CALL.costs(1_000.0 * 4.0 + 100.0 * 16.0);
    let europe = Call {
        host: Some("eu.api.openai.com"),
        ..CALL
    };
    europe.costs(1.1 * (1_000.0 * 4.0 + 100.0 * 16.0));
    let flex = Call {
        tier: Some("flex"),
        ..CALL
    };
    flex.costs(1_000.0 * 2.0 + 100.0 * 8.0);
}

/// Some servers tell no tier; and of one that gave another than was asked for, what it gave counts.
#[test]
fn a_call_whose_answer_tells_no_tier_costs_what_was_asked_for() {
    let cost = |answered: Option<&str>| {
        let capture = Capture::new();
        let llm = Llm::new(capture.telemetry()).with_prices(Arc::new(prices()));
        let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
        call.model("vega-2");
        RequestSink::service_tier(&mut call, "flex");
        if let Some(tier) = answered {
            ResponseSink::service_tier(&mut call, tier);
        }
        // However late the request is told of.
        RequestSink::service_tier(&mut call, "flex");
        call.usage(&Usage::new().with(Tokens::Input, 1_000));
        call.end();
        let points = capture.points();
        let cost = points.histogram("obs.llm.cost", &[]).expect("a cost");
        (cost.sum.unwrap_or_default() * 1e6).round()
    };
    assert_eq!(cost(None), 2_000.0);
    assert_eq!(cost(Some("default")), 4_000.0);
}

#[test]
fn a_call_costs_what_its_hour_does() {
    let abyss = |hour| Call {
        provider: "abyss",
        model: "abyss-v9",
        hour,
        ..CALL
    };
    abyss(12).costs(1_000.0 * 0.6 + 100.0 * 1.2);
    abyss(5).costs(1_000.0 * 0.3 + 100.0 * 0.6);
}

#[test]
fn a_call_without_a_price_is_counted() {
    let unknown = Call {
        model: "vega-9",
        ..CALL
    };
    assert_eq!(unknown.told(), (0, 0.0, 1.0));
}

/// More models and providers than labels have places for: metrics call the rest `_OTHER`, and neither prices nor spans do.
#[test]
fn who_found_no_place_among_the_labels_has_a_price() {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_prices(Arc::new(prices()));
    let call = |provider: String, asked: String, answered: &str| {
        let mut call = llm.call(LlmOperation::Chat, &Provider::named(provider));
        call.model(&asked);
        call.response_model(answered);
        let usage = Usage::new().with(Tokens::Input, 1_000);
        call.usage(&usage);
        call.end();
    };
    for at in 0..600 {
        call(
            format!("provider-{at}"),
            format!("asked-{at}"),
            &format!("answered-{at}"),
        );
        // It holds so many and no more.
        drop(capture.take_records());
    }
    assert_eq!(capture.count("obs.llm.cost"), 0);
    call("openai".to_owned(), "vega-2".to_owned(), "nobody-knows");
    call("openai".to_owned(), "nobody-knows".to_owned(), "vega-2");
    let points = capture.points();
    let cost = points.histogram("obs.llm.cost", &[]).expect("a cost");
    assert_eq!(cost.count, 2);
    assert!((cost.sum.unwrap_or_default() - 2.0 * 1_000.0 * 4e-6).abs() < 1e-12);
    let last = capture.records().pop().expect("a span");
    assert_eq!(last.text("gen_ai.provider.name"), Some("openai"));
    assert_eq!(last.text("gen_ai.response.model"), Some("vega-2"));
}

/// Whoever prices may say anything.
#[test]
fn a_free_call_costs_nothing_and_what_is_no_price_is_none() {
    #[derive(Debug)]
    struct Says(f64);
    impl Price for Says {
        fn price(&self, _: &Bill<'_>) -> Option<f64> {
            Some(self.0)
        }
    }
    for (says, cost) in [
        (0.0, Some(0.0)),
        (f64::NAN, None),
        (f64::INFINITY, None),
        (-0.5, None),
    ] {
        let capture = Capture::new();
        let llm = Llm::new(capture.telemetry()).with_prices(Arc::new(Says(says)));
        let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
        call.usage(&Usage::new().with(Tokens::Input, 1));
        call.end();
        let on_span = capture.record().attr("obs.llm.cost.usd").cloned();
        assert_eq!(on_span.and_then(|cost| cost.as_f64()), cost, "{says}");
        let counted = capture.count("obs.llm.cost");
        assert_eq!(counted, u64::from(cost.is_some()), "{says}");
    }
}
