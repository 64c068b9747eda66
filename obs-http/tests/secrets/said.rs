//! What a service says itself: as it was said, unless there is a redactor.

use crate::corpus::{self, Entry};
use crate::world::World;
use obs_core::metrics_facade::MetricsRecorder;
use obs_core::otel::KeyValue;
use obs_core::otel::trace::Status;
use obs_core::redact::Patterns;
use obs_core::{Body, Key, LogEvent, Outcome, Parent, Session, current};
use obs_http::HTTP_SERVER;
use tracing_subscriber::filter::LevelFilter;

const KEY: Key = Key::new(&"app.text");
const SQL: Key = Key::new(&"db.query.text");

/// Of each class that a service may put into its own telemetry.
const SAID: [&str; 6] = ["error", "panic", "sql", "prompt", "log", "query"];

fn texts() -> Vec<Entry> {
    let mut all: Vec<_> = SAID.iter().flat_map(|class| corpus::of(class)).collect();
    // As it stands in a log: a URL.
    all.iter_mut()
        .filter(|entry| entry.class == "query")
        .for_each(|entry| {
            entry.text =
                Box::leak(format!("GET https://shop.example/?{}", entry.text).into_boxed_str());
        });
    all
}

/// Says each text wherever a text can be said.
fn say_all(world: &World) {
    let kind = world.telemetry.kind(&HTTP_SERVER);
    let recorder = MetricsRecorder::new(&world.telemetry);
    for entry in texts() {
        let text = entry.text;
        // A statement of SQL is under its own key, as the conventions have it; without that only its quotes are seen.
        if entry.class == "sql" {
            let mut operation = kind.start(obs_core::Labels::NONE, Parent::Root);
            operation.set(SQL, text);
            operation.end(Outcome::ANSWERED);
            continue;
        }
        let mut operation = kind.start_with(obs_core::Labels::NONE, Some((0, text)), Parent::Root);
        if let Some(mut active) = operation.active() {
            active.set(KEY, text);
            active.set_session(Session::new(text).with_user(text));
            active.set_dynamic(KeyValue::new("app.dynamic", text));
            active.add_event(text, vec![KeyValue::new("app.of_event", text)]);
            active.record_exception("Failed", text, Some(text));
            active.set_name(text);
        }
        let handle = operation.handle().expect("recording");
        handle.in_scope(|| {
            use obs_core::otel::trace::TraceContextExt;
            let context = obs_core::otel::Context::current();
            context.span().set_status(Status::error(text));
            context
                .span()
                .set_attribute(KeyValue::new("app.by_span", text));
            current::add_event("said", vec![KeyValue::new("app.list", text)]);
            let error = std::io::Error::other(text);
            let error: &(dyn std::error::Error + 'static) = &error;
            let span = tracing::info_span!("around", text);
            let _inside = span.enter();
            tracing::error!(text, error, debug = ?text, "failed: {text}");
            let body = Body::Map(vec![
                ("role".into(), Body::Text("user".into())),
                ("parts".into(), Body::List(vec![Body::Text(text.into())])),
            ]);
            let event = LogEvent::new("gen_ai.content", body);
            world
                .telemetry
                .emit(event.with_attribute(KeyValue::new("app.text", text)));
        });
        operation.end(Outcome::ANSWERED);
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("said_total", "text" => text).increment(1);
        });
    }
}

#[test]
fn what_a_service_says_is_exported_as_it_was_said_and_the_scanner_finds_it() {
    let world = World::new(LevelFilter::TRACE, |builder| builder);
    say_all(&world);
    let leaks = World::leaks(&world.everything());
    for secret in texts().iter().flat_map(Entry::secrets) {
        let places = leaks.iter().filter(|leak| leak.starts_with(secret)).count();
        assert!(
            places > 0,
            "{secret} is not found without a redactor: {leaks:#?}"
        );
    }
    let in_spool = ["spool/traces", "spool/logs", "spool/metrics"];
    let exported = ["/v1/traces", "/v1/logs", "/v1/metrics", "page", "lines"];
    for place in exported.into_iter().chain(in_spool) {
        let there = leaks
            .iter()
            .filter(|leak| leak.contains(&format!(" in {place}")))
            .count();
        assert!(there > 10, "{there} in {place}");
    }
}

#[test]
fn with_the_patterns_none_of_it_is_exported() {
    let world = World::new(LevelFilter::TRACE, |builder| {
        builder.with_redactor(Patterns::new().with_emails(true))
    });
    say_all(&world);
    let everything = world.everything();
    assert_eq!(World::leaks(&everything), [""; 0]);
    assert_eq!(world.telemetry.counts().panics, 0);
    let all: Vec<u8> = everything
        .into_iter()
        .flat_map(|(_, bytes)| bytes)
        .collect();
    let all = corpus::text_of(&all);
    for text in [
        "upstream said 401 for https://REDACTED:REDACTED@api.example",
        "I paid with REDACTED yesterday",
        "gen_ai.content",
    ] {
        assert!(all.contains(text), "{text} is not exported");
    }
}
