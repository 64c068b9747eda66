//! Texts of the user's SDK as redactors leave them: nothing unseen is in the bytes that arrive, whatever it was said in.

mod planted;
// The same as `obs-http` is tried with.
#[path = "../../../obs-http/tests/secrets/corpus.rs"]
mod corpus;

use crate::any::plain;
use crate::support::{SOON, built, decoded, of, theirs};
use obs_core::courier::{Batch, Capture, Signal};
use obs_core::otel::logs::{AnyValue, LogRecord, Logger, LoggerProvider};
use obs_core::otel::{InstrumentationScope, KeyValue};
use obs_core::redact::{Patterns, Place, Redaction, Redactor, Text, WITHHELD};
use obs_core::sdk::CourierLogProcessor;
use obs_core::{Builder, Telemetry};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SpanData, SpanProcessor};
use planted::{Said, say};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

const SECRET: &str = "hunter2-Zq8";

/// All that arrives of these texts, each of them in every place of every signal.
fn arriving(with: impl FnOnce(Builder) -> Builder, texts: &[Said]) -> (Telemetry, Vec<Batch>) {
    let capture = Capture::new();
    let telemetry = built(&capture, with);
    say(&telemetry, texts);
    telemetry.flush(SOON).expect("taken");
    (telemetry, capture.take())
}

fn bytes(signal: Signal, batches: &[Batch]) -> Vec<u8> {
    let batches = of(signal, batches.to_vec());
    batches
        .iter()
        .flat_map(|batch| batch.body.to_vec())
        .collect()
}

/// Of each class that a service may put into its own telemetry; SQL under its key, as the conventions have it.
fn corpus() -> Vec<Said> {
    let classes = ["error", "panic", "sql", "prompt", "log", "query"];
    let entries = classes.iter().flat_map(|class| corpus::of(class));
    let said = entries.map(|entry| Said {
        key: match entry.class {
            "sql" => "db.query.text",
            _ => "app.text",
        },
        text: match entry.class {
            "query" => format!("GET https://shop.example/?{}", entry.text),
            _ => entry.text.to_owned(),
        },
        // Without its key a statement is any text.
        only_under_key: entry.class == "sql",
    });
    said.collect()
}

#[test]
fn without_a_redactor_every_secret_of_the_corpus_arrives() {
    let (_, batches) = arriving(|builder| builder, &corpus());
    for signal in Signal::ALL {
        let found = corpus::found_in(&bytes(signal, &batches));
        for class in ["error", "panic", "sql", "prompt", "log", "query"] {
            for secret in corpus::of(class).iter().flat_map(corpus::Entry::secrets) {
                assert!(found.contains(&secret), "{secret} is not in {signal}");
            }
        }
    }
}

#[test]
fn with_the_patterns_no_secret_of_the_corpus_arrives() {
    let patterns = Patterns::new().with_emails(true);
    let (telemetry, batches) = arriving(|builder| builder.with_redactor(patterns), &corpus());
    for signal in Signal::ALL {
        let bytes = bytes(signal, &batches);
        assert_eq!(corpus::found_in(&bytes), [""; 0], "in {signal}");
        let text = corpus::text_of(&bytes);
        for left in ["I paid with REDACTED yesterday", "WHERE id = ?"] {
            assert!(text.contains(left), "{left} is not in {signal}");
        }
    }
    assert_eq!(telemetry.counts().panics, 0);
}

/// What was seen, as `place key value`.
type Seen = Arc<Mutex<BTreeSet<String>>>;

fn takes_out(seen: &Seen) -> impl Redactor {
    let seen = Arc::clone(seen);
    move |text: Text<'_>| {
        let line = format!("{:?} {} {}", text.place, text.key, text.value);
        seen.lock().expect("unbroken").insert(line);
        match text.value.contains(SECRET) {
            true => Redaction::Remove,
            false => Redaction::Keep,
        }
    }
}

#[test]
fn each_text_is_shown_with_its_place_and_key_and_can_be_taken_out() {
    let seen = Seen::default();
    let secret = Said {
        key: "app.text",
        text: SECRET.to_owned(),
        only_under_key: false,
    };
    let (telemetry, batches) =
        arriving(|builder| builder.with_redactor(takes_out(&seen)), &[secret]);
    let seen = seen.lock().expect("unbroken").clone();
    for (place, key) in [
        ("SpanName", ""),
        ("SpanAttribute", "app.text"),
        ("SpanAttribute", "list"),
        ("SpanStatus", ""),
        ("EventName", ""),
        ("EventAttribute", "app.text"),
        ("LinkAttribute", "app.text"),
        ("LogBody", ""),
        ("LogBody", "inner"),
        ("LogBody", "bytes"),
        ("LogAttribute", "app.text"),
        ("LogAttribute", "inner"),
        ("Label", "app.text"),
        ("ScopeAttribute", "app.text"),
        ("Resource", "app.text"),
    ] {
        let line = format!("{place} {key} {SECRET}");
        assert!(seen.contains(&line), "{line}: {seen:#?}");
    }
    assert!(
        seen.contains(&format!("TraceState  v={SECRET}")),
        "{seen:#?}"
    );
    for signal in Signal::ALL {
        let bytes = bytes(signal, &batches);
        let text = corpus::text_of(&bytes);
        assert!(!text.contains(SECRET), "in {signal}");
        assert!(!text.contains("app.text"), "nor its key, in {signal}");
    }
    let request: ExportTraceServiceRequest = decoded(&of(Signal::Traces, batches.clone())[0]);
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((&*span.name, &*span.trace_state), (WITHHELD, ""));
    assert_eq!(span.status.as_ref().expect("kept").message, "");
    assert_eq!(span.events[0].name, WITHHELD);
    assert_eq!(span.links[0].trace_state, "");
    let list = span.attributes.iter().find(|pair| pair.key == "list");
    assert!(format!("{list:?}").contains("harmless"), "{list:?}");
    let resource = format!("{:?}", request.resource_spans[0].resource);
    assert!(resource.contains("theirs"), "{resource}");
    let request: ExportMetricsServiceRequest = decoded(&of(Signal::Metrics, batches)[0]);
    assert!(format!("{request:?}").contains("AsInt(7)"), "{request:?}");
    assert_eq!(telemetry.counts().panics, 0);
    assert!(telemetry.books().logs.is_balanced());
}

#[test]
fn a_redactor_that_panics_withholds_the_text_and_costs_no_item() {
    let panics = |text: Text<'_>| match text.value.contains(SECRET) {
        true => std::panic::resume_unwind(Box::new("on purpose")),
        false => Redaction::Keep,
    };
    let secret = Said {
        key: "app.text",
        text: SECRET.to_owned(),
        only_under_key: false,
    };
    let (telemetry, batches) = arriving(|builder| builder.with_redactor(panics), &[secret]);
    assert!(telemetry.counts().panics >= 15);
    let books = telemetry.books();
    assert!(books.traces.is_balanced() && books.logs.is_balanced());
    assert_eq!((books.traces.delivered, books.logs.delivered), (1, 3));
    let points = format!(
        "{:?}",
        of(Signal::Metrics, batches.clone())
            .iter()
            .map(decoded::<ExportMetricsServiceRequest>)
            .collect::<Vec<_>>()
    );
    for name in ["counter", "gauge", "histogram", "exponential"] {
        assert!(points.contains(&format!("name: \"{name}\"")), "{points}");
    }
    for signal in Signal::ALL {
        let bytes = bytes(signal, &batches);
        let text = corpus::text_of(&bytes);
        assert!(
            !text.contains(SECRET) && text.contains(WITHHELD),
            "in {signal}"
        );
    }
}

#[test]
fn a_provider_without_a_name_that_may_be_told_is_withheld_and_not_unnamed() {
    let removes = |text: Text<'_>| match text.key {
        "service.name" => Redaction::Remove,
        _ => Redaction::Keep,
    };
    let capture = Capture::new();
    let telemetry = built(&capture, |builder| builder.with_redactor(removes));
    let mut processor = telemetry.span_processor();
    processor.set_resource(&theirs());
    processor.on_end(plain("span"));
    telemetry.flush(SOON).expect("taken");
    let bytes = bytes(Signal::Traces, &capture.take());
    let text = corpus::text_of(&bytes);
    assert!(text.contains(WITHHELD) && !text.contains("theirs"));
}

#[test]
fn what_a_redactor_logs_itself_is_withheld_and_ends() {
    static OWN: OnceLock<CourierLogProcessor> = OnceLock::new();
    let says = |_: Text<'_>| {
        if let Some(own) = OWN.get() {
            own.emit(&mut record(SECRET), &named("inner"));
        }
        Redaction::Keep
    };
    let capture = Capture::new();
    let telemetry = built(&capture, |builder| builder.with_redactor(says));
    let processor = telemetry.log_processor();
    OWN.set(processor.clone()).expect("once");
    processor.emit(&mut record("outer"), &named("outer"));
    // The body, and the attribute of the scope.
    assert_eq!(processor.counts().created, 3);
    telemetry.flush(SOON).expect("taken");
    let bytes = bytes(Signal::Logs, &capture.take());
    let text = corpus::text_of(&bytes);
    assert!(text.contains("outer") && text.contains(WITHHELD));
    assert!(!text.contains(SECRET));
}

#[test]
fn a_body_without_a_bottom_is_seen_as_far_as_it_is_exported() {
    let mut body = AnyValue::String(SECRET.into());
    for level in 0..200 {
        let here = AnyValue::String(format!("{level} {SECRET}").into());
        body = AnyValue::ListAny(Box::new(vec![here, body]));
    }
    let seen = Seen::default();
    let capture = Capture::new();
    let telemetry = built(&capture, |builder| builder.with_redactor(takes_out(&seen)));
    let mut record = record("");
    record.set_body(body);
    telemetry.log_processor().emit(&mut record, &named("x"));
    telemetry.flush(SOON).expect("taken");
    let batches = of(Signal::Logs, capture.take());
    let logs: ExportLogsServiceRequest = decoded(&batches[0]);
    let text = format!("{logs:?}");
    assert!(text.contains("nested too deeply") && !text.contains(SECRET));
    let seen = seen.lock().expect("unbroken");
    let bodies = seen.iter().filter(|line| line.starts_with("LogBody"));
    assert!((20..30).contains(&bodies.count()), "{seen:#?}");
}

fn named(text: &'static str) -> InstrumentationScope {
    let attribute = KeyValue::new("of", text);
    InstrumentationScope::builder("scope")
        .with_attributes([attribute])
        .build()
}

fn record(body: &str) -> SdkLogRecord {
    let logger = SdkLoggerProvider::builder().build().logger("");
    let mut record = logger.create_log_record();
    record.set_body(AnyValue::String(body.to_owned().into()));
    record
}

/// What is left of a text as an attribute of a span, and as the body of a log record.
fn left(with: impl FnOnce(Builder) -> Builder, text: &str) -> (String, String) {
    let capture = Capture::new();
    let telemetry = built(&capture, with);
    let mut span: SpanData = plain("span");
    span.attributes.push(KeyValue::new("key", text.to_owned()));
    telemetry.span_processor().on_end(span);
    let mut record = record(text);
    let before = record.clone();
    telemetry.log_processor().emit(&mut record, &named("x"));
    assert_eq!(record, before, "what comes after sees the same");
    telemetry.flush(SOON).expect("taken");
    assert_eq!(telemetry.counts().panics, 0);
    let batches = capture.take();
    let spans: ExportTraceServiceRequest = decoded(&of(Signal::Traces, batches.clone())[0]);
    let span = spans.resource_spans[0].scope_spans[0].spans[0].clone();
    let logs: ExportLogsServiceRequest = decoded(&of(Signal::Logs, batches)[0]);
    let log = logs.resource_logs[0].scope_logs[0].log_records[0].clone();
    let text = |value: Option<Wire>| match value {
        Some(Wire::StringValue(text)) => text,
        other => panic!("a text expected: {other:?}"),
    };
    let attribute = span.attributes[0].value.clone();
    (
        text(attribute.and_then(|any| any.value)),
        text(log.body.and_then(|any| any.value)),
    )
}

#[test]
fn a_cap_that_was_set_cuts_what_redactors_left_and_without_one_nothing_is_cut() {
    let text = format!("{}AKIAZQ3WLM7XP9KT2RVB ä", "x".repeat(40_000));
    let (span, log) = left(|builder| builder, &text);
    assert!(span == text && log == text);
    let key = "äää AKIAZQ3WLM7XP9KT2RVB and more";
    let both = |builder: Builder| {
        builder
            .with_redactor(Patterns::new())
            .with_value_bytes(5)
            .with_body_bytes(12)
    };
    // Of the first a character would be cut in two, of the second a key.
    assert_eq!(
        left(both, key),
        (
            "ää…[+20 bytes]".to_owned(),
            "äää REDAC…[+12 bytes]".to_owned()
        )
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn texts_of_any_length_are_cut_between_characters(
        parts in proptest::collection::vec(prop_oneof![
            "\\PC{0,12}".prop_map(String::from),
            Just("password=Zq8 ".to_owned()),
            Just("AKIAZQ3WLM7XP9KT2RVB".to_owned()),
            Just("ä🎉".repeat(40)),
        ], 1..12),
        cap in 0_usize..200,
    ) {
        let text = format!("t{}", parts.concat());
        let said = Patterns::new().redact(Text::new(Place::SpanAttribute, "key", &text));
        let seen = match said {
            Redaction::Replace(other) => other.into_owned(),
            _ => text.clone(),
        };
        let capped = |builder: Builder| {
            let builder = builder.with_value_bytes(cap).with_body_bytes(cap);
            builder.with_redactor(Patterns::new())
        };
        let (span, log) = left(capped, &text);
        let end = (0..=cap.min(seen.len())).rev().find(|end| seen.is_char_boundary(*end));
        let end = end.expect("the beginning is one");
        let expect = match seen.len() > cap {
            true => format!("{}…[+{} bytes]", &seen[..end], seen.len() - end),
            false => seen,
        };
        prop_assert_eq!(&span, &expect);
        prop_assert_eq!(&log, &expect);
    }
}
