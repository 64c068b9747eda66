//! Texts of operations are cut when they are set, so a redactor may be shown the first half of a secret.

use crate::support::rig_with;
use obs_core::otel::trace::{Status, TraceContextExt};
use obs_core::otel::{Context, KeyValue};
use obs_core::redact::{Patterns, Place, Redaction, Text};
use obs_core::{Key, Outcome};

const OWN: Key = Key::new(&"own");
const SECRET: &str = "hunter2-Zq8";
const LIMIT: usize = 1000;

#[test]
fn no_half_of_a_secret_is_left_where_a_text_was_cut_when_it_was_set() {
    let secret = format!("https://user:{SECRET}@shop.example");
    for at in LIMIT - secret.len()..=LIMIT {
        let rig = rig_with(true, |builder| {
            { builder.with_value_bytes(LIMIT) }.with_redactor(Patterns::new())
        });
        let text = format!("{} {secret} {}", "x".repeat(at - 1), "y".repeat(500));
        let mut operation = rig.root("x");
        operation.set(OWN, &*text);
        let mut active = operation.active().expect("recording");
        active.set_dynamic(KeyValue::new("dynamic", text.clone()));
        active.add_event(text.clone(), vec![KeyValue::new("of event", text.clone())]);
        active.set_name(text.clone());
        active.handle().in_scope(|| {
            let context = Context::current();
            context.span().set_status(Status::error(text.clone()));
        });
        operation.end(Outcome::ANSWERED);
        let span = rig.span();
        let all = format!("{span:?}");
        assert!(!all.contains("hunter"), "begins at {at}: {all}");
        let own = span.attribute("own").expect("set").to_string();
        assert!(own.starts_with("xxxx") && own.contains("…[+"), "{own}");
    }
}

#[test]
fn what_was_cut_says_how_much_is_missing_whatever_becomes_of_the_rest() {
    let redactor = |text: Text<'_>| match (text.place, text.key) {
        (Place::SpanAttribute, "dynamic") => Redaction::replace("other"),
        (Place::SpanAttribute, "gone") => Redaction::Remove,
        _ => Redaction::Keep,
    };
    let rig = rig_with(true, |builder| {
        { builder.with_value_bytes(100) }.with_redactor(redactor)
    });
    let text = format!("{} ä{}", "x".repeat(93), "ä".repeat(11));
    let mut operation = rig.root("x");
    operation.set(OWN, &*text);
    let mut active = operation.active().expect("recording");
    active.set_dynamic(KeyValue::new("dynamic", text.clone()));
    active.set_dynamic(KeyValue::new("gone", text.clone()));
    active.set_dynamic(KeyValue::new("short", "x y"));
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    let of = |key| span.attribute(key).map(ToString::to_string);
    assert_eq!(of("own"), Some(format!("{}…[+25 bytes]", "x".repeat(93))));
    assert_eq!(of("dynamic").as_deref(), Some("other…[+25 bytes]"));
    assert_eq!((of("gone"), of("short").as_deref()), (None, Some("x y")));
}

/// JSON that a cut or a redactor would break: it stands as it was set, or not at all.
#[test]
fn what_is_set_whole_is_neither_cut_nor_seen() {
    let rig = rig_with(true, |builder| {
        { builder.with_value_bytes(100) }.with_redactor(|text: Text<'_>| match text.key {
            "plain" => Redaction::replace("seen"),
            "whole" | "large" => Redaction::Remove,
            _ => Redaction::Keep,
        })
    });
    let text = format!("[\"{}\"]", "x".repeat(500));
    let mut operation = rig.root("x");
    let mut active = operation.active().expect("recording");
    active.set_whole(KeyValue::new("whole", text.clone()));
    active.set_dynamic(KeyValue::new("plain", text.clone()));
    active.set_whole(KeyValue::new("large", "x".repeat(1 << 20)));
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    let of = |key| span.attribute(key).map(ToString::to_string);
    assert_eq!(of("whole"), Some(text));
    assert!(of("plain").expect("set").starts_with("seen"));
    assert_eq!(of("large"), None, "there is no room for it");
}
