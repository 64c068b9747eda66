//! Texts of operations: each of them is seen, and what the redactor says is what is exported, whoever records.

use crate::support::{METHOD, Rig, Span, WORK, over_sdk, rig_with};
use obs_core::otel::trace::{
    SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use obs_core::otel::{Array, Context, KeyValue, StringValue, Value};
use obs_core::redact::{Place, Redaction, Text, WITHHELD};
use obs_core::{Key, Outcome, Parent, Session, StatsLevel, Telemetry, current};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

const SECRET: &str = "hunter2-Zq8";
const OWN: Key = Key::new(&"own");
const FIXED: Key = Key::new(&"fixed");
const ADDRESS: Key = Key::new(&"address");
const GONE: Key = Key::new(&"gone");

/// Everything that was shown, as `place key value`.
type Seen = Arc<Mutex<Vec<String>>>;

/// Replaces the secret, takes out what stands under `gone`, and takes down what it sees.
fn redactor(seen: &Seen) -> impl Fn(Text<'_>) -> Redaction + Send + Sync + 'static {
    let seen = seen.clone();
    move |text| {
        let line = format!("{:?} {} {}", text.place, text.key, text.value);
        seen.lock().unwrap().push(line);
        if text.key == "gone" {
            Redaction::Remove
        } else if text.value.contains(SECRET) {
            Redaction::replace(text.value.replace(SECRET, "<gone>"))
        } else {
            Redaction::Keep
        }
    }
}

fn rig(seen: &Seen) -> Rig {
    let by = redactor(seen);
    rig_with(true, |builder| builder.with_redactor(by))
}

fn linked(state: &str) -> SpanContext {
    SpanContext::new(
        TraceId::from(1),
        SpanId::from(2),
        TraceFlags::SAMPLED,
        true,
        state.parse().expect("a tracestate"),
    )
}

/// An operation with the secret in every place that takes text.
fn full_of_it(rig: &Rig) -> Span {
    let with = |what: &str| format!("{what} {SECRET}");
    let pair = |key: &'static str| KeyValue::new(key, with(key));
    let list = || {
        let texts: Vec<StringValue> = vec![with("one").into(), "two".into()];
        KeyValue::new("list", Value::Array(Array::String(texts)))
    };
    let mut operation = rig.root(&with("step"));
    let mut active = operation.active().expect("recording");
    active.set_session(Session::new(&with("session")).with_user(&with("user")));
    active.set(OWN, &with("own"));
    active.set_static(FIXED, "fixed hunter2-Zq8");
    active.set(ADDRESS, IpAddr::from(Ipv6Addr::LOCALHOST));
    active.set(GONE, "before");
    active.set(GONE, "and after");
    active.set_dynamic(pair("dynamic"));
    active.set_dynamic(list());
    active.set_dynamic(KeyValue::new("number", 7));
    active.add_event(
        with("event"),
        vec![pair("of event"), list(), KeyValue::new("gone", "x")],
    );
    active.record_exception("Bad", &with("message"), Some(&with("trace")));
    active.add_link(linked("v=hunter2-Zq8"), vec![pair("of link")]);
    let handle = active.handle();
    handle.set_attribute(pair("through handle"));
    handle.in_scope(|| {
        current::set(Key::new(&"in scope"), &with("in scope"));
        let context = Context::current();
        context.span().set_attribute(pair("through span"));
        context
            .span()
            .add_event(with("by span"), vec![pair("of its event")]);
        context.span().update_name(with("name"));
        context.span().set_status(Status::error(with("status")));
    });
    operation.end(Outcome::ANSWERED);
    rig.span()
}

#[test]
fn no_text_of_an_operation_is_exported_unseen() {
    let seen = Seen::default();
    let rig = rig(&seen);
    let span = full_of_it(&rig);
    let all = format!("{span:?}");
    assert!(!all.contains(SECRET), "{all}");
    assert_eq!(span.name, "name <gone>");
    assert_eq!(span.status, Status::error("status <gone>"));
    let text = |key: &str| span.attribute(key).map(|value| value.to_string());
    for (key, expect) in [
        ("own", "own <gone>"),
        ("fixed", "fixed <gone>"),
        ("dynamic", "dynamic <gone>"),
        ("list", "[\"one <gone>\",\"two\"]"),
        ("number", "7"),
        ("address", "::1"),
        ("session.id", "session <gone>"),
        ("user.id", "user <gone>"),
        ("through handle", "through handle <gone>"),
        ("through span", "through span <gone>"),
        ("in scope", "in scope <gone>"),
        ("test.step", "step <gone>"),
    ] {
        assert_eq!(text(key).as_deref(), Some(expect), "{key}");
    }
    assert_eq!(text("gone"), None, "nor what stood there before");
    assert_eq!(span.dropped_attributes, 0);
    let page = rig.telemetry.prometheus();
    assert!(
        page.contains("step <gone>") && !page.contains(SECRET),
        "{page}"
    );
}

#[test]
fn each_text_is_shown_with_its_place_and_key_and_as_it_was_written() {
    let seen = Seen::default();
    full_of_it(&rig(&seen));
    let seen = seen.lock().unwrap();
    for expect in [
        "Label test.step step hunter2-Zq8",
        "SpanName  name hunter2-Zq8",
        "SpanStatus  status hunter2-Zq8",
        "SpanAttribute own own hunter2-Zq8",
        "SpanAttribute address ::1",
        "SpanAttribute session.id session hunter2-Zq8",
        "SpanAttribute list two",
        "EventName  event hunter2-Zq8",
        "EventAttribute exception.message message hunter2-Zq8",
        "EventAttribute list one hunter2-Zq8",
        "LinkAttribute of link of link hunter2-Zq8",
        "TraceState  v=hunter2-Zq8",
    ] {
        assert!(
            seen.iter().any(|line| line == expect),
            "{expect}: {seen:#?}"
        );
    }
    assert!(
        !seen.iter().any(|line| line.contains("number")),
        "{seen:#?}"
    );
    // A provider is told of a span twice.
    if !over_sdk() {
        let own = |line: &&String| line.starts_with("SpanAttribute own ");
        assert_eq!(seen.iter().filter(own).count(), 1, "{seen:#?}");
    }
}

#[test]
fn each_redactor_sees_what_the_one_before_left() {
    let first = |text: Text<'_>| Redaction::replace(text.value.replace('a', "b"));
    let second = |text: Text<'_>| Redaction::replace(text.value.replace('b', "c"));
    let rig = rig_with(true, |builder| {
        builder.with_redactor(first).with_redactor(second)
    });
    let mut operation = rig.root("x");
    operation.set(OWN, "ab");
    operation.end(Outcome::ANSWERED);
    assert_eq!(rig.span().attribute("own"), Some(&Value::from("cc")));
}

#[test]
fn a_panic_is_counted_and_the_text_withheld() {
    let panics = |text: Text<'_>| match text.place {
        Place::SpanAttribute => std::panic::resume_unwind(Box::new("on purpose")),
        _ => Redaction::Keep,
    };
    let rig = rig_with(true, |builder| builder.with_redactor(panics));
    let mut operation = rig.root("x");
    operation.set(OWN, SECRET);
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    assert_eq!(span.attribute("own"), Some(&Value::from(WITHHELD)));
    assert!(rig.telemetry.counts().panics >= 1);
    assert_eq!(span.name, "work x", "others are not its business");
    rig.assert_at_rest();
}

#[test]
fn what_a_redactor_records_itself_is_withheld_and_ends() {
    static TELEMETRY: std::sync::OnceLock<Telemetry> = std::sync::OnceLock::new();
    let records = |_: Text<'_>| {
        if let Some(telemetry) = TELEMETRY.get() {
            let kind = telemetry.kind(&WORK);
            let mut inner = kind.start(obs_core::Labels::NONE, Parent::Root);
            inner.set(OWN, SECRET);
            inner.end(Outcome::ANSWERED);
        }
        Redaction::Keep
    };
    let rig = rig_with(true, |builder| builder.with_redactor(records));
    let mut operation = rig.root("x");
    TELEMETRY.set(rig.telemetry).expect("once");
    operation.set(OWN, "outer");
    operation.end(Outcome::ANSWERED);
    let spans = rig.spans();
    let own: Vec<_> = spans
        .iter()
        .map(|span| span.attribute("own").map(Value::to_string))
        .collect();
    assert!(own.contains(&Some("outer".to_owned())), "{own:?}");
    assert!(
        own.len() > 1 && own.iter().all(|own| own.as_deref() != Some(SECRET)),
        "{own:?}"
    );
    rig.assert_at_rest();
}

#[test]
fn what_it_puts_in_place_is_cut_as_any_other_text() {
    let grows = |text: Text<'_>| match text.place {
        Place::SpanAttribute | Place::EventAttribute => Redaction::replace("x".repeat(1 << 20)),
        _ => Redaction::Keep,
    };
    let rig = rig_with(true, |builder| {
        builder.with_value_bytes(100).with_redactor(grows)
    });
    let mut operation = rig.root("x");
    operation.set(OWN, "a");
    let mut active = operation.active().expect("recording");
    active.set_dynamic(KeyValue::new("dynamic", "a"));
    active.add_event("event", vec![KeyValue::new("of event", "a")]);
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    let texts = ["own", "dynamic"].map(|key| span.attribute(key).expect("set").to_string());
    let event = span.events[0].2[0].value.to_string();
    for text in texts.iter().chain([&event]) {
        assert!(text.len() < 200 && text.contains("…[+10484"), "{text}");
    }
}

#[test]
fn what_it_makes_larger_has_no_more_room_than_one_operation_has() {
    let grows = |text: Text<'_>| match text.place {
        Place::SpanAttribute | Place::EventAttribute => Redaction::replace("x".repeat(10_000)),
        _ => Redaction::Keep,
    };
    let rig = rig_with(true, |builder| builder.with_redactor(grows));
    let mut operation = rig.root("x");
    let mut active = operation.active().expect("recording");
    for number in 0..10 {
        active.set_dynamic(KeyValue::new(format!("attribute {number}"), "a"));
    }
    for _ in 0..100 {
        active.add_event("event", vec![KeyValue::new("of event", "a")]);
    }
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    let own = span
        .attributes
        .iter()
        .filter(|(key, _)| key.starts_with("attribute "));
    let (own, events) = (own.count(), span.events.len());
    if !over_sdk() {
        assert!(own == 10 && events > 0, "{own}, {events}");
        assert_eq!(events + span.dropped_events as usize, 100);
    }
    assert!((own + events) * 10_000 < 128 << 10, "{own}, {events}");
}

#[test]
fn ids_and_states_that_it_puts_in_place_have_their_bounds_too() {
    let grows = |text: Text<'_>| match text.key {
        "session.id" => Redaction::replace("s".repeat(1 << 20)),
        _ if text.place == Place::TraceState => Redaction::replace("a".repeat(1 << 20)),
        _ => Redaction::Keep,
    };
    let rig = rig_with(true, |builder| builder.with_redactor(grows));
    let state: TraceState = "a=b".parse().expect("valid");
    let (trace_id, span_id) = (TraceId::from(1), SpanId::from(2));
    let parent = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, state);
    let mut operation = rig.start("x", Parent::Of(&parent));
    let user = "u".repeat(1000);
    let session = Session::new("s").with_user(&user);
    { operation.active().expect("recording") }.set_session(session);
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    let left = span.session.expect("of the service");
    assert!(
        left.session_id
            .is_some_and(|id| id.len() < 400 && id.contains("…[+"))
    );
    let user = left.user_id.expect("of the service");
    assert_eq!(
        *user,
        *format!("{}…[+808 bytes]", "u".repeat(192)),
        "it is cut once"
    );
    // What a provider's span has in its context stays.
    assert_eq!(span.state, if over_sdk() { "a=b" } else { "" });
}

#[test]
fn a_method_that_it_renames_has_the_level_and_the_room_that_it_was_given_by_its_own_name() {
    let renames = |text: Text<'_>| match text.place {
        Place::Label => Redaction::replace(format!("seen {}", text.value)),
        _ => Redaction::Keep,
    };
    let rig = rig_with(true, |builder| builder.with_redactor(renames));
    assert!(!rig.kind.knows_method("quiet"));
    assert!(
        rig.kind
            .set_method_level("quiet", Some(StatsLevel::Disabled))
    );
    assert!(rig.kind.knows_method("quiet") && rig.kind.knows_method("seen quiet"));
    assert!(rig.kind.reserve(METHOD, "mine"));
    rig.root("quiet").end(Outcome::ANSWERED);
    for other in 0..20 {
        rig.root(&other.to_string()).end(Outcome::ANSWERED);
    }
    rig.root("mine").end(Outcome::ANSWERED);
    let names = rig.exported();
    assert!(!names.contains(&"seen quiet".to_owned()), "{names:?}");
    assert!(names.contains(&"seen mine".to_owned()), "{names:?}");
    // By the name that is shown, too.
    assert!(rig.kind.set_method_level("seen quiet", None));
    rig.root("quiet").end(Outcome::ANSWERED);
    assert_eq!(rig.exported(), ["seen quiet"]);
}
