//! How a session is over, and what is told of it then.

use crate::support::*;
use obs_agent::session::Ledger;
use obs_core::redact::{Redaction, Text};
use obs_core::{Body, Outcome, Session, Telemetry};
use obs_llm::{LlmOperation, Tokens};
use obs_testing::Capture;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn pairs(told: &[(&str, &str)]) -> Vec<(String, String)> {
    let told = told.iter();
    told.map(|(id, reason)| ((*id).to_owned(), (*reason).to_owned()))
        .collect()
}

#[test]
fn one_that_is_idle_is_told_at_a_collection() {
    let ledger = Ledger::builder().with_idle(Duration::from_secs(60));
    let rig = Rig::with(Capture::builder(), ledger);
    rig.chat("old", &usage(1, 1));
    rig.advance(Duration::from_secs(30));
    rig.chat("new", &usage(1, 1));
    rig.advance(Duration::from_secs(30));
    let _ = rig.capture.points();
    assert_eq!(rig.told(), pairs(&[("old", "idle")]));
    let _ = rig.capture.points();
    rig.assert_balanced();
    // What goes on later is a new one.
    rig.chat("old", &usage(5, 5));
    assert_eq!(
        rig.ledger.summary("old").map(|now| now.input_tokens),
        Some(5)
    );
    rig.advance(Duration::from_secs(60));
    assert_eq!(rig.ledger.sweep(), 2);
    let mut told = rig.told();
    told.sort();
    let twice = [("new", "idle"), ("old", "idle"), ("old", "idle")];
    assert_eq!(told, pairs(&twice));
    assert_eq!(rig.assert_balanced().live, 0);
}

#[test]
fn one_that_goes_on_is_not_idle() {
    let ledger = Ledger::builder().with_idle(Duration::from_secs(60));
    let rig = Rig::with(Capture::builder(), ledger);
    for _ in 0..10 {
        rig.chat("s-1", &usage(1, 1));
        rig.advance(Duration::from_secs(59));
        assert_eq!(rig.ledger.sweep(), 0);
    }
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(summary.inference_calls, 10);
}

#[test]
fn the_one_that_was_not_seen_for_longest_gives_way() {
    let rig = Rig::with(Capture::builder(), Ledger::builder().with_max_sessions(3));
    for id in ["a", "b", "c", "a", "d", "e"] {
        rig.advance(MS);
        rig.chat(id, &usage(1, 1));
    }
    assert_eq!(rig.told(), pairs(&[("b", "evicted"), ("c", "evicted")]));
    let ids = rig.ledger.sessions();
    assert!(ids.iter().map(|id| &**id).eq(["e", "d", "a"]), "{ids:?}");
    let a = rig.ledger.summary("a").expect("it came again");
    assert_eq!(a.inference_calls, 2);
    assert_eq!(rig.assert_balanced().evicted, 2);
}

#[test]
fn bytes_are_capped_too() {
    let ledger = Ledger::builder().with_max_bytes(64 << 10);
    let rig = Rig::with(Capture::builder(), ledger);
    for number in 0..500 {
        rig.advance(MS);
        let id = format!("session {number}");
        for tool in ["search", "mail", "clock"] {
            rig.start_tool(&id, tool).end(Outcome::ANSWERED);
        }
        assert!(rig.ledger.counts().bytes <= 64 << 10);
    }
    let counts = rig.assert_balanced();
    assert!(counts.evicted > 400 && counts.live > 20, "{counts:?}");
    assert!(rig.ledger.summary("session 499").is_some());
    // What was let go of is room again.
    for id in rig.ledger.sessions() {
        assert!(rig.ledger.close(&id).is_some());
    }
    let left = rig.assert_balanced();
    assert_eq!(left.live, 0);
    assert!(left.bytes < counts.bytes / 3, "{left:?} of {counts:?}");
}

#[test]
fn one_that_is_closed_is_told_once() {
    let rig = Rig::new();
    rig.chat("s-1", &usage(10, 2));
    let summary = rig.ledger.close("s-1").expect("it is there");
    assert_eq!(summary.input_tokens, 10);
    assert_eq!(rig.ledger.close("s-1"), None);
    assert_eq!(rig.ledger.close("never"), None);
    assert_eq!(rig.told(), pairs(&[("s-1", "closed")]));
    rig.assert_balanced();
}

#[test]
fn those_that_are_there_at_the_shutdown_are_told_and_nothing_afterwards() {
    let rig = Rig::new();
    rig.chat("a", &usage(1, 1));
    rig.chat("b", &usage(1, 1));
    let late = rig.start_tool("a", "late");
    rig.telemetry().shutdown(PATIENCE).expect("nothing is lost");
    late.end(Outcome::ANSWERED);
    rig.chat("c", &usage(1, 1));
    assert_eq!(rig.ledger.sessions().len(), 0);
    assert_eq!(rig.ledger.close("a"), None);
    assert_eq!(rig.ledger.sweep(), 0);
    let counts = rig.ledger.counts();
    assert_eq!((counts.created, counts.live, counts.shutdown), (2, 0, 2));
    assert_eq!(rig.telemetry().counts().log_events_after_shutdown, 0);
}

#[test]
fn what_is_told_at_the_shutdown_arrives_beside_threads_and_without() {
    use obs_core::courier::Capture as Sent;
    use obs_core::courier::Signal;
    for threaded in [false, true] {
        let sent = Sent::new();
        let builder = Telemetry::builder()
            .with_environment(Default::default())
            .with_transport(sent.clone());
        let builder = match threaded {
            true => builder,
            false => builder.manual(),
        };
        let telemetry = builder.build().expect("usable");
        let ledger = Ledger::new(&telemetry);
        start_tool(&telemetry, "s-1", "search").end(Outcome::ANSWERED);
        assert_eq!(ledger.counts().live, 1);
        telemetry.shutdown(PATIENCE).expect("all is delivered");
        let books = telemetry.books().logs;
        assert_eq!((books.created, books.delivered), (1, 1));
        let bodies: Vec<_> = { sent.take().into_iter() }
            .filter(|body| body.signal == Signal::Logs)
            .collect();
        assert_eq!(bodies.len(), 1);
    }
}

#[test]
fn an_event_says_what_a_summary_says() {
    let rig = Rig::new();
    let session = || {
        Session::new("s-1")
            .with_conversation("c-1")
            .with_user("ann")
    };
    let mut agent = rig.start_agent("s-1");
    agent.scope(|| {
        let mut call = rig.call(LlmOperation::Chat, session());
        obs_llm::wire::ResponseSink::usage(
            &mut call,
            &usage(100, 20)
                .with(Tokens::CacheRead, 60)
                .with(Tokens::Reasoning, 5),
        );
        call.end();
        let tool = rig.start_tool("s-1", "search");
        rig.advance(200 * MS);
        drop(tool);
    });
    agent.end(Outcome::ANSWERED);
    // It is over long after it was seen last.
    rig.advance(9_000 * MS);
    let summary = rig.ledger.close("s-1").expect("it is there");
    let event = &rig.summaries()[0];
    let session = event.session.as_ref().expect("it is of one");
    let seen = |key: &str| {
        let own = event.attributes.iter().find(|own| own.key.as_str() == key);
        own.map(|own| own.value.clone())
    };
    let (first, last) = (
        summary.first_seen_unix_nanos as i64,
        summary.last_seen_unix_nanos as i64,
    );
    assert_eq!(seen("obs.agent.session.first_seen"), Some(first.into()));
    assert_eq!(seen("obs.agent.session.last_seen"), Some(last.into()));
    assert_eq!(last - first, 200_000_000);
    assert_eq!(session.session_id.as_deref(), Some("s-1"));
    assert_eq!(session.conversation_id.as_deref(), Some("c-1"));
    assert_eq!(session.user_id.as_deref(), Some("ann"));
    assert_eq!((event.trace_id, event.span_id), (None, None));
    for (key, expect) in [
        ("obs.agent.session.turns", 1.0),
        ("obs.agent.session.failed_turns", 0.0),
        ("obs.agent.session.inference_calls", 1.0),
        ("obs.agent.session.failed_inference_calls", 0.0),
        ("obs.agent.session.tool_calls", 1.0),
        ("obs.agent.session.failed_tool_calls", 1.0),
        ("obs.agent.session.duration", 0.2),
        ("gen_ai.usage.input_tokens", 100.0),
        ("gen_ai.usage.output_tokens", 20.0),
        ("gen_ai.usage.cache_read.input_tokens", 60.0),
        ("gen_ai.usage.reasoning.output_tokens", 5.0),
        ("obs.llm.cost.usd", 0.0003),
    ] {
        assert_eq!(number(event, key), Some(expect), "{key}");
    }
    let (key, tools) = &event.structured[0];
    assert_eq!(key.as_str(), "obs.agent.session.tools");
    let Body::List(tools) = tools else {
        panic!("a list: {tools:?}")
    };
    let Body::Map(tool) = &tools[0] else {
        panic!("a map: {tools:?}")
    };
    let of = |key: &str| {
        tool.iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    };
    assert_eq!(of("name"), Some(&Body::Text("search".to_owned())));
    assert_eq!(of("calls"), Some(&Body::I64(1)));
    assert_eq!(of("failed_calls"), Some(&Body::I64(1)));
    assert_eq!(of("duration.max"), Some(&Body::F64(0.2)));
}

#[test]
fn a_redactor_sees_what_is_told() {
    let hides = |text: Text<'_>| match text.value {
        "s-1" | "bank_of_ann" => Redaction::replace("hidden"),
        _ => Redaction::Keep,
    };
    let capture = Capture::builder().with(|builder| builder.with_redactor(hides));
    let rig = Rig::with(capture, Ledger::builder());
    rig.start_tool("s-1", "bank_of_ann").end(Outcome::ANSWERED);
    assert!(rig.ledger.close("s-1").is_some(), "here it is what it is");
    let event = &rig.summaries()[0];
    let session = event.session.as_ref().expect("it is of one");
    assert_eq!(session.session_id.as_deref(), Some("hidden"));
    assert!(!format!("{event:?}").contains("bank_of_ann"), "{event:?}");
}

#[test]
fn numbers_of_sessions_are_metrics() {
    let rig = Rig::with(Capture::builder(), Ledger::builder().with_max_sessions(2));
    for id in ["a", "b", "c"] {
        rig.advance(MS);
        rig.chat(id, &usage(1, 1));
    }
    rig.ledger.close("c");
    let points = rig.capture.points();
    let sum = |name: &str, reason: Option<&str>| {
        let attributes: Vec<_> = { reason.into_iter() }
            .map(|reason| ("obs.agent.session.end_reason", reason.into()))
            .collect();
        let point = points.sum(name, &attributes);
        point.map(|point| point.as_f64())
    };
    assert_eq!(sum("obs.agent.sessions", None), Some(1.0));
    assert_eq!(sum("obs.agent.sessions.ended", Some("evicted")), Some(1.0));
    assert_eq!(sum("obs.agent.sessions.ended", Some("closed")), Some(1.0));
    let bytes = sum("obs.agent.sessions.memory", None).expect("it is told");
    assert_eq!(bytes as u64, rig.ledger.counts().bytes);
}

#[test]
fn two_ledgers_of_one_telemetry_do_not_disturb_each_other() {
    let rig = Rig::new();
    let other = Ledger::new(rig.telemetry());
    rig.chat("s-1", &usage(3, 1));
    for ledger in [&rig.ledger, &other] {
        let summary = ledger.summary("s-1").expect("it is there");
        assert_eq!(summary.input_tokens, 3);
    }
    other.close("s-1");
    assert!(rig.ledger.summary("s-1").is_some());
    assert_eq!(rig.told().len(), 1);
}

#[test]
fn what_is_told_within_an_operation_is_of_none() {
    let rig = Rig::with(Capture::builder(), Ledger::builder().with_max_sessions(1));
    let mut request = rig.start_agent("s-1");
    request.scope(|| {
        rig.chat("s-2", &usage(1, 1));
        rig.advance(MS);
        // For which the other one gives way.
        rig.chat("s-3", &usage(1, 1));
        rig.ledger.close("s-3");
    });
    request.end(Outcome::ANSWERED);
    let events = rig.summaries();
    assert_eq!(events.len(), 2);
    for event in &events {
        let of = (event.trace_id, event.span_id, event.trace_flags);
        assert_eq!(of, (None, None, 0), "it belongs to all of the session");
    }
}

/// Ends an operation when others have been told that the end is near.
struct EndsLate(std::sync::Mutex<Option<obs_core::Operation>>);

impl obs_core::SessionWitness for EndsLate {
    fn ended(&self, _: &obs_core::Record<'_>) {}

    fn closing(&self) {
        let late = self.0.lock().expect("nobody panics").take();
        late.expect("once").end(Outcome::ANSWERED);
    }
}

#[test]
fn what_ends_while_others_are_told_of_the_shutdown_begins_no_session() {
    let rig = Rig::new();
    let late = rig.start_tool("late", "search");
    let late = EndsLate(Some(late).into());
    assert!(rig.telemetry().witness_sessions(late));
    rig.chat("s-1", &usage(1, 1));
    rig.telemetry().shutdown(PATIENCE).expect("nothing is lost");
    assert_eq!(rig.told(), pairs(&[("s-1", "shutdown")]));
    assert_eq!(rig.assert_balanced().live, 0);
}
