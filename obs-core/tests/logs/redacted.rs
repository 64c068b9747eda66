//! Events that are logged, where somebody looks at their texts first: what is left is the same in lines and in records.

use crate::rig::{Logs, attribute, body};
use obs_core::logs::Limits;
use obs_core::redact::{Patterns, Place, Redaction, Text};
use obs_core::{Outcome, Session};
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex};

const SECRET: &str = "hunter2-Zq8";

fn takes_out(text: Text<'_>) -> Redaction {
    match text.key {
        "gone" => Redaction::Remove,
        _ => Redaction::replace(text.value.replace(SECRET, "<gone>")),
    }
}

fn logs() -> Logs {
    Logs::built(
        |builder| builder.with_redactor(takes_out),
        |layer| layer.with_span_fields(true),
    )
}

#[derive(Debug)]
struct Failed(&'static str, Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {SECRET}", self.0)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

fn log_all() {
    let error = Failed("outer", Some(Box::new(Failed("inner", None))));
    let error: &(dyn std::error::Error + 'static) = &error;
    let span = tracing::info_span!("around", of_span = format!("span {SECRET}"), gone = "x");
    let _entered = span.enter();
    tracing::info!(
        text = format!("text {SECRET}"),
        debug = ?Some(SECRET),
        display = %SECRET,
        gone = "x",
        number = 7,
        error,
        "message {SECRET}"
    );
}

#[test]
fn a_line_and_a_record_have_what_is_left() {
    let logs = logs();
    let mut operation = logs.rig.root("x");
    operation
        .active()
        .expect("recording")
        .set_session(Session::new(&format!("session {SECRET}")));
    let handle = operation.handle().expect("recording");
    handle.in_scope(|| logs.run(log_all));
    operation.end(Outcome::ANSWERED);
    let text = logs.written.text();
    assert!(!text.contains(SECRET), "{text}");
    let line = logs.written.line();
    assert_eq!(line["message"], "message <gone>");
    assert_eq!(line["session.id"], "session <gone>");
    assert_eq!(
        line["fields"],
        json!({
            "text": "text <gone>",
            "debug": "Some(\"<gone>\")",
            "display": "<gone>",
            "number": 7,
            "error": "outer <gone>",
            "error.sources": ["inner <gone>"],
        })
    );
    assert_eq!(
        line["spans"][0]["fields"],
        json!({"of_span": "span <gone>"})
    );

    let record = logs.records().remove(0);
    let all = format!("{record:?}");
    assert!(!all.contains(SECRET), "{all}");
    assert_eq!(body(&record), "message <gone>");
    let text = |key: &str| attribute(&record, key).map(ToString::to_string);
    assert_eq!(text("text").as_deref(), Some("text <gone>"));
    assert_eq!(text("exception.message").as_deref(), Some("outer <gone>"));
    assert_eq!(text("error.sources").as_deref(), Some("[\"inner <gone>\"]"));
    assert_eq!(text("of_span").as_deref(), Some("span <gone>"));
    assert_eq!(text("gone"), None);
}

#[test]
fn the_message_and_the_fields_are_told_apart() {
    type Seen = Vec<(Place, String)>;
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let sees = seen.clone();
    let redactor = move |text: Text<'_>| {
        if text.place != Place::Resource && text.place != Place::Label {
            sees.lock().unwrap().push((text.place, text.key.to_owned()));
        }
        Redaction::Keep
    };
    let logs = Logs::built(
        |builder| builder.with_redactor(redactor),
        |layer| layer.without_records(),
    );
    logs.run(|| tracing::info!(field = "x", number = 1, "message"));
    let all = [
        (Place::LogBody, String::new()),
        (Place::LogAttribute, "field".to_owned()),
    ];
    let mut seen = seen.lock().unwrap();
    seen.sort_by_key(|(_, key)| key.clone());
    assert_eq!(seen[..], all);
}

#[test]
fn a_secret_on_the_edge_of_what_is_cut_is_no_half_secret() {
    let logs = Logs::built(
        |builder| builder.with_redactor(Patterns::new()),
        |layer| layer.with_limits(Limits::default().with_value(40)),
    );
    let key = "ghp_Zq8Kf2Lm9Xw4Pz7TZq8Kf2Lm9Xw4Pz7Tq8Kf";
    let text = format!("{} {key} {}", "x".repeat(20), "y".repeat(100_000));
    let line = logs.line_of(|| tracing::info!(text));
    let expect = format!(
        "{} REDACTED {}…[+99990 bytes]",
        "x".repeat(20),
        "y".repeat(10)
    );
    assert_eq!(line["fields"]["text"], Value::from(expect));
}

#[test]
fn a_value_that_panics_is_marked_and_counted_once() {
    struct Panics;
    impl fmt::Debug for Panics {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("begun")?;
            std::panic::resume_unwind(Box::new("on purpose"))
        }
    }
    let logs = logs();
    let line = logs.line_of(|| tracing::info!(value = ?Panics));
    assert_eq!(line["fields"]["value"], "begun[panicked]");
    assert_eq!(logs.rig.telemetry.counts().panics, 1);
}

#[test]
fn a_redactor_that_logs_says_nothing_of_that() {
    let logs = Logs::built(
        |builder| {
            builder.with_redactor(|text: Text<'_>| {
                tracing::warn!(secret = text.value, "seen");
                Redaction::Keep
            })
        },
        |layer| layer,
    );
    logs.run(|| tracing::info!(value = SECRET, "message"));
    assert_eq!(logs.written.lines().len(), 1);
    assert_eq!(logs.records().len(), 1);
}

#[test]
fn what_is_taken_out_before_the_cut_does_not_draw_half_a_secret_in() {
    // Bytes that are seen: those that are written, and some beyond.
    const SEEN: usize = (8 << 10) + (8 << 10);
    let before = format!("https://user:{}@shop.example ", "y".repeat(80)).repeat(140);
    let secret = format!("https://user:{SECRET}@shop.example");
    for at in SEEN - secret.len()..=SEEN {
        let logs = Logs::built(
            |builder| builder.with_redactor(Patterns::new()),
            |layer| layer,
        );
        let more = "x".repeat(at - before.len() - 1);
        let text = format!("{before}{more} {secret}");
        let record = logs.record_of(|| tracing::info!(text, "{text}"));
        let all = format!("{} {record:?}", logs.written.text());
        assert!(!all.contains("hunter"), "begins at {at}");
        assert!(all.contains("REDACTED"), "{all}");
    }
}
