//! Texts that are of no operation: structured events, the resource; and what is cut of them.

use crate::support::{Captured, builder, rig_with, sampler};
use obs_core::otel::KeyValue;
use obs_core::redact::{Patterns, Place, Redaction, Text, WITHHELD};
use obs_core::setup::resource::Resource;
use obs_core::{Body, LogEvent, Session, Telemetry};
use std::sync::Arc;

const SECRET: &str = "hunter2-Zq8";

fn takes_out(text: Text<'_>) -> Redaction {
    match text.key {
        "gone" => Redaction::Remove,
        _ => Redaction::replace(text.value.replace(SECRET, "<gone>")),
    }
}

fn emitted(event: LogEvent) -> LogEvent {
    let rig = rig_with(true, |builder| builder.with_redactor(takes_out));
    rig.telemetry.emit(event);
    rig.events().remove(0)
}

#[test]
fn bodies_are_walked_however_deep() {
    let text = || Body::Text(format!("say {SECRET}"));
    let body = Body::Map(vec![
        ("gone".into(), text()),
        (
            "list".into(),
            Body::List(vec![text(), Body::I64(7), text()]),
        ),
        (
            "map".into(),
            Body::Map(vec![("inner".into(), text()), ("gone".into(), text())]),
        ),
        (
            "bytes".into(),
            Body::Bytes(format!("say {SECRET}").into_bytes()),
        ),
        ("image".into(), Body::Bytes(vec![0xff, 0xfe])),
    ]);
    let event = LogEvent::new("said", body)
        .with_attribute(KeyValue::new("key", SECRET))
        .with_session(Arc::new(Session::new(SECRET)));
    let event = emitted(event);
    let said = || Body::Text("say <gone>".into());
    assert_eq!(
        event.body,
        Body::Map(vec![
            (
                "list".into(),
                Body::List(vec![said(), Body::I64(7), said()])
            ),
            ("map".into(), Body::Map(vec![("inner".into(), said())])),
            ("bytes".into(), Body::Bytes(b"say <gone>".to_vec())),
            ("image".into(), Body::Bytes(vec![0xff, 0xfe])),
        ])
    );
    assert!(!format!("{event:?}").contains(SECRET), "{event:?}");
}

#[test]
fn the_innermost_key_and_the_place_are_told() {
    let takes = |text: Text<'_>| {
        if matches!(text.place, Place::Resource | Place::Label) {
            return Redaction::Keep;
        }
        assert_eq!((text.place, text.key), (Place::LogBody, "inner"));
        Redaction::Remove
    };
    let rig = rig_with(true, |builder| builder.with_redactor(takes));
    let inner = Body::List(vec![Body::Text("x".into())]);
    let body = Body::Map(vec![(
        "outer".into(),
        Body::Map(vec![("inner".into(), inner)]),
    )]);
    rig.telemetry.emit(LogEvent::new("said", body));
    let left = Body::Map(vec![("inner".into(), Body::List(vec![]))]);
    assert_eq!(
        rig.events()[0].body,
        Body::Map(vec![("outer".into(), left)])
    );
    assert_eq!(rig.telemetry.counts().panics, 0);
}

#[test]
fn values_of_events_are_cut_and_say_how_much_is_missing() {
    let rig = rig_with(true, |builder| {
        builder.with_value_bytes(10).with_body_bytes(10)
    });
    let body = Body::Map(vec![
        ("text".into(), Body::Text("ääääääää".into())),
        ("bytes".into(), Body::Bytes(vec![7; 11])),
        ("short".into(), Body::Text("0123456789".into())),
    ]);
    let event = LogEvent::new("said", body).with_attribute(KeyValue::new("key", "0123456789abc"));
    rig.telemetry.emit(event);
    let event = rig.events().remove(0);
    assert_eq!(
        event.body,
        Body::Map(vec![
            ("text".into(), Body::Text("äääää…[+6 bytes]".into())),
            ("bytes".into(), Body::Bytes(vec![7; 11])),
            ("short".into(), Body::Text("0123456789".into())),
        ])
    );
    assert_eq!(event.attributes[0].value.as_str(), "0123456789…[+3 bytes]");
}

#[test]
fn a_secret_on_the_edge_of_what_is_cut_is_no_half_secret() {
    let rig = rig_with(true, |builder| {
        builder.with_body_bytes(40).with_redactor(Patterns::new())
    });
    let key = "ghp_Zq8Kf2Lm9Xw4Pz7TZq8Kf2Lm9Xw4Pz7Tq8Kf";
    let text = format!("{} {key} {}", "x".repeat(20), "y".repeat(100));
    rig.telemetry.emit(LogEvent::new("said", Body::Text(text)));
    assert_eq!(
        rig.events()[0].body,
        Body::Text(format!(
            "{} REDACTED {}…[+90 bytes]",
            "x".repeat(20),
            "y".repeat(10)
        ))
    );
}

#[test]
fn the_resource_is_looked_at_once_and_always_has_a_name() {
    let built = |remove: &'static str| -> Telemetry {
        let redactor = move |text: Text<'_>| {
            assert_eq!(text.place, Place::Resource);
            match text.key == remove {
                true => Redaction::Remove,
                false => Redaction::replace(text.value.replace(SECRET, "<gone>")),
            }
        };
        let resource = Resource::builder()
            .with_service_name("shop")
            .with_attribute("deployment", format!("with {SECRET}"));
        builder()
            .with_resource(resource.build())
            .with_sampler(sampler(true))
            .with_subscriber(Captured::default())
            .with_redactor(redactor)
            .manual()
            .build()
            .expect("usable")
    };
    let telemetry = built("host.name");
    let of = |telemetry: &Telemetry, key: &str| {
        let resource = telemetry.resource().expect("it records");
        resource.get(key).map(|value| value.to_string())
    };
    assert_eq!(of(&telemetry, "deployment").as_deref(), Some("with <gone>"));
    assert_eq!(of(&telemetry, "host.name"), None);
    assert_eq!(of(&telemetry, "service.name").as_deref(), Some("shop"));
    assert_eq!(
        of(&built("service.name"), "service.name").as_deref(),
        Some(WITHHELD)
    );
}

#[test]
fn what_is_public_does_not_print_a_text() {
    let text = Text::new(Place::LogBody, "key", SECRET);
    let all = format!("{text:?} {:?}", Redaction::replace(SECRET));
    assert!(!all.contains(SECRET) && all.contains("key"), "{all}");
}

#[test]
fn printing_a_kind_an_operation_or_its_handle_ends_and_shows_nothing_that_was_written() {
    let rig = rig_with(true, |builder| builder);
    let mut operation = rig.root(SECRET);
    operation.set(obs_core::Key::new(&"own"), SECRET);
    let mut active = operation.active().expect("recording");
    active.set_dynamic(KeyValue::new("dynamic", SECRET));
    let handle = active.handle();
    let all = format!(
        "{:?} {operation:?} {handle:?} {:?}",
        rig.kind, rig.telemetry
    );
    assert!(all.contains("test.work") && !all.contains(SECRET), "{all}");
}

/// A conversation on an event: seen text by text like a body, under its place; and not again where it has been seen.
#[test]
fn structured_attributes_are_walked_unless_they_were_seen() {
    const KEY: obs_core::Key = obs_core::Key::new(&"said");
    let said = |text: &str| {
        let map = vec![("inner".into(), Body::Text(text.into()))];
        Body::List(vec![Body::Map(map)])
    };
    let event = || LogEvent::new("said", Body::Empty).with_structured(KEY, said(SECRET));
    assert_eq!(emitted(event()).structured, [(KEY, said("<gone>"))]);
    let seen = event().with_structured_seen();
    assert_eq!(emitted(seen).structured, [(KEY, said(SECRET))]);
}

#[test]
fn a_text_is_shown_to_redactors_where_that_is_asked() {
    let rig = rig_with(true, |builder| builder.with_redactor(takes_out));
    let left = |key, text| { rig.telemetry }.redact(Text::new(Place::LogAttribute, key, text));
    assert!(left("a", SECRET) == Redaction::replace("<gone>"));
    assert!(left("gone", "x") == Redaction::Remove);
    let without = rig_with(true, |builder| builder);
    let text = Text::new(Place::LogAttribute, "a", SECRET);
    assert!(without.telemetry.redact(text) == Redaction::Keep);
}
