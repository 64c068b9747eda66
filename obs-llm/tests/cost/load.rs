//! What is read of a table, and what is refused.

use crate::support::{TABLE, asked, prices, same, small_at};
use obs_llm::cost::{LoadReport, Prices};

fn report() -> LoadReport {
    let (_, report) = Prices::from_json(TABLE).expect("a table");
    report
}

#[track_caller]
fn refuses(text: &str, because: &str) {
    let error = Prices::from_json(text).expect_err("refused");
    assert!(error.is_configuration());
    assert!(error.to_string().contains(because), "{error}");
}

#[test]
fn every_entry_is_accounted_for() {
    let report = report();
    let json: serde_json::Value = serde_json::from_str(TABLE).expect("JSON");
    let entries = json.as_object().expect("an object").len();
    let told = report.models + report.aliases + report.other_units + report.bad_entries;
    // Two are about the table itself.
    assert_eq!(told, entries - 2, "{report}");
    assert_eq!(report.aliases, 2);
    // A poster, a finder and a subscription.
    assert_eq!(report.other_units, 3);
}

#[test]
fn entries_that_make_no_sense_are_left_out_and_listed() {
    let report = report();
    let bad: Vec<_> = report
        .bad
        .iter()
        .map(|bad| (bad.key.as_str(), bad.reason.as_str()))
        .collect();
    let expect = [
        ("bad-negative", "input_cost_per_token is negative"),
        (
            "bad-per-million",
            "input_cost_per_token is more than 1 dollar for a token",
        ),
        ("bad-text", "input_cost_per_token is not a number"),
        ("bad-provider", "litellm_provider is not a text"),
        (
            "bad-factor",
            "regional_endpoint_uplift_multiplier is not a factor from 0.1 to 10",
        ),
        ("bad-shape", "is not an object"),
        // Names of names come last: they are followed when all is read.
        (
            "bad-alias",
            "alias_of \"nobody\", which is not in the table",
        ),
        (
            "bad-loop-a",
            "alias_of \"bad-loop-b\", which is not in the table",
        ),
        (
            "bad-loop-b",
            "alias_of \"bad-loop-a\", which is not in the table",
        ),
    ];
    assert_eq!(bad, expect);
    assert_eq!(report.bad_entries, bad.len());
    for (key, _) in expect {
        assert_eq!(asked(&prices(), "openai", key), None, "{key}");
    }
}

#[test]
fn fields_that_are_not_priced_are_told() {
    let report = report();
    let unknown = [("input_cost_per_token_lunar".to_owned(), 1)];
    assert_eq!(report.unknown_fields, unknown);
    let untold = |name: &str| {
        let mut fields = report.untold_fields.iter();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, count)| *count)
    };
    for name in [
        "output_cost_per_image",
        "input_cost_per_pixel",
        "input_cost_per_character",
        "input_cost_per_video_per_second",
        "search_context_cost_per_query",
        "provider_specific_entry",
        "cache_read_input_audio_token_cost",
        // Its ranges are of something else than tokens; the hours are told in a calendar that is not known.
        "tiered_pricing",
        "off_peak_pricing",
    ] {
        assert_eq!(untold(name), Some(1), "{name}");
    }
    assert_eq!(untold("input_cost_per_token"), None);
}

#[test]
fn a_text_that_is_no_table_is_refused() {
    refuses("", "not a JSON object");
    refuses("[]", "not a JSON object");
    refuses(
        "{\"m\": {\"input_cost_per_token\": 1e-6}",
        "not a JSON object",
    );
    refuses(
        "{\"m\": {\"input_cost_per_token\": 1e-6}} {}",
        "not a JSON object",
    );
    refuses("{}", "no model with a price");
    refuses(
        "{\"sample_spec\": {\"input_cost_per_token\": 0}}",
        "no model with a price",
    );
    refuses(
        "{\"m\": {\"output_cost_per_image\": 0.04}}",
        "no model with a price",
    );
    let deep = format!("{{\"m\": {}", "[".repeat(100_000));
    refuses(&deep, "not a JSON object");
}

#[test]
fn a_table_that_is_too_long_is_refused_before_it_is_read() {
    let long = " ".repeat((64 << 20) + 1);
    refuses(&long, "longer than 64 MiB");
}

#[test]
fn what_is_reported_is_bounded() {
    let mut table = String::from("{\"m\": {\"input_cost_per_token\": 1e-6}");
    for n in 0..1_000 {
        table.push_str(&format!(",\"bad-{n}{}\": 1", "x".repeat(300)));
        table.push_str(&format!(",\"n-{n}\": {{\"cost_of_{n}\": 1}}"));
    }
    table.push('}');
    let (_, report) = Prices::from_json(&table).expect("a table");
    assert_eq!(report.bad_entries, 1_000);
    assert_eq!(report.bad.len(), 64);
    assert!(report.bad.iter().all(|bad| bad.key.len() <= 128));
    assert_eq!(report.unknown_fields.len(), 256);
}

#[test]
fn of_two_entries_with_one_name_the_later_counts() {
    let table = r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
        "M": {"input_cost_per_token": 2e-6, "output_cost_per_token": 2e-6}}"#;
    let (prices, _) = Prices::from_json(table).expect("a table");
    let quote = asked(&prices, "openai", "m");
    same(
        quote.map(|quote| quote.usd),
        small_at(2.0, 2.0),
        "the later",
    );
    assert_eq!(prices.len(), 1);
}

#[test]
fn an_entry_with_prices_without_end_is_left_out() {
    let thresholds = |n: usize| {
        let fields = (1..=n).map(|n| format!("\"input_cost_per_token_above_{n}k_tokens\": 1e-6"));
        fields.collect::<Vec<_>>().join(",")
    };
    let ranges = r#"{"range": [0, 1], "input_cost_per_token": 1e-6},"#.repeat(257);
    let ranges = ranges.trim_end_matches(',');
    let table = format!(
        r#"{{"few": {{{}}}, "many": {{{}}}, "ranges": {{"tiered_pricing": [{ranges}]}}}}"#,
        thresholds(256),
        thresholds(257),
    );
    let (_, report) = Prices::from_json(&table).expect("a table");
    let bad: Vec<_> = report.bad.iter().map(|bad| bad.reason.as_str()).collect();
    let expect = [
        "it has more than 256 prices",
        "tiered_pricing has more than 256 ranges",
    ];
    assert_eq!(bad, expect);
    assert_eq!(report.models, 1);
}
