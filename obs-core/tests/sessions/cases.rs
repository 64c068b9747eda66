//! A witness of operations in sessions.

use crate::support::{Span, WORK, builder, rig, rig_with};
use obs_core::otel::KeyValue;
use obs_core::otel::trace::SpanKind;
use obs_core::{
    Body, Descriptor, KeepPolicy, Kind, Labels, LogEvent, Operation, Outcome, Parent, Record,
    Session, SessionWitness, StatsLevel, Telemetry, current,
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// Writes down what it is told, and where.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(Span, ThreadId)>>>);

impl SessionWitness for Told {
    fn ended(&self, record: &Record<'_>) {
        let here = std::thread::current().id();
        self.0.lock().unwrap().push((Span::of(record), here));
    }
}

impl Told {
    fn by(telemetry: &Telemetry) -> Self {
        let told = Self::default();
        assert!(telemetry.witness_sessions(told.clone()));
        told
    }

    fn spans(&self) -> Vec<Span> {
        let told = self.0.lock().unwrap();
        told.iter().map(|(span, _)| span.clone()).collect()
    }

    fn steps(&self) -> Vec<String> {
        let spans = self.spans();
        spans.iter().map(|span| span.step().to_owned()).collect()
    }
}

fn in_session(mut operation: Operation) -> Operation {
    let session = Session::new("s-1").with_conversation("c-1");
    { operation.active().expect("recording") }.set_session(session);
    operation
}

#[track_caller]
fn text(span: &Span, key: &str) -> Option<String> {
    span.attribute(key).map(|value| value.as_str().into_owned())
}

#[test]
fn each_operation_in_a_session_is_told_where_it_ends_sampled_or_not() {
    for sampled in [true, false] {
        let mut keep = KeepPolicy::default();
        keep.late = false;
        let rig = rig_with(sampled, |builder| builder.with_keep(keep));
        let told = Told::by(&rig.telemetry);
        let mut root = in_session(rig.root("root"));
        let handle = root.handle().expect("recording");
        root.scope(|| rig.start("child", Parent::Current).end(Outcome::ANSWERED));
        std::thread::scope(|scope| {
            let elsewhere = scope.spawn(|| {
                rig.start("spawned", Parent::Operation(&handle))
                    .end(Outcome::CANCELLED);
                std::thread::current().id()
            });
            let elsewhere = elsewhere.join().unwrap();
            assert_eq!(told.0.lock().unwrap()[1].1, elsewhere);
        });
        rig.root("alone").end(Outcome::ANSWERED);
        rig.advance_ms(5);
        drop(root);

        assert_eq!(told.steps(), ["child", "spawned", "root"]);
        let spans = told.spans();
        assert!(spans.iter().all(|span| span.trace_id == spans[2].trace_id));
        let session = spans[1].session.clone().expect("its parent's");
        assert_eq!(session.session_id.as_deref(), Some("s-1"));
        assert_eq!(spans[1].outcome, Outcome::CANCELLED);
        assert_eq!(spans[2].end - spans[2].start, 5_000_000);
        assert_eq!(rig.spans().len(), if sampled { 4 } else { 0 });
        rig.assert_at_rest();
    }
}

#[test]
fn it_is_told_what_others_wrote_too() {
    let rig = rig(false);
    let told = Told::by(&rig.telemetry);
    let mut root = in_session(rig.root("root"));
    let handle = root.handle().expect("recording");
    handle.set_attribute(KeyValue::new("test.theirs", "there"));
    { root.active().expect("recording") }.set_dynamic(KeyValue::new("test.own", 7));
    root.end(Outcome::ANSWERED);
    let span = &told.spans()[0];
    assert_eq!(text(span, "test.theirs").as_deref(), Some("there"));
    assert_eq!(span.attribute("test.own"), Some(&7.into()));
}

#[test]
fn what_a_redactor_leaves_of_a_span_is_not_what_a_witness_sees() {
    use obs_core::redact::{Redaction, Text};
    let withheld = |text: Text<'_>| match text.key {
        "test.secret" | "session.id" => Redaction::replace("gone"),
        _ => Redaction::Keep,
    };
    let rig = rig_with(true, |builder| builder.with_redactor(withheld));
    let told = Told::by(&rig.telemetry);
    let mut root = in_session(rig.root("root"));
    { root.active().expect("recording") }.set_dynamic(KeyValue::new("test.secret", "s3cret"));
    root.end(Outcome::ANSWERED);
    let seen = &told.spans()[0];
    assert_eq!(text(seen, "test.secret").as_deref(), Some("s3cret"));
    assert_eq!(text(seen, "session.id").as_deref(), Some("s-1"));
    let span = rig.span();
    assert_eq!(text(&span, "test.secret").as_deref(), Some("gone"));
    assert_eq!(text(&span, "session.id").as_deref(), Some("gone"));
}

#[test]
fn without_a_session_or_before_there_is_a_witness_nothing_is_told() {
    let rig = rig(true);
    let early = in_session(rig.root("early"));
    let told = Told::by(&rig.telemetry);
    early.end(Outcome::ANSWERED);
    rig.root("none").end(Outcome::ANSWERED);
    rig.kind.set_level(StatsLevel::Disabled);
    drop(rig.root("disabled"));
    assert_eq!(told.steps(), [""; 0]);
}

/// As a witness of a user's may.
#[derive(Clone, Default)]
struct Throws(Arc<AtomicU32>);

impl SessionWitness for Throws {
    fn ended(&self, _: &Record<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("thrown");
    }

    fn closing(&self) {
        panic!("thrown too");
    }
}

#[test]
fn a_panic_in_one_is_counted_and_the_others_are_told() {
    let rig = rig(true);
    let throws = Throws::default();
    assert!(rig.telemetry.witness_sessions(throws.clone()));
    let told = Told::by(&rig.telemetry);
    for step in ["a", "b"] {
        in_session(rig.root(step)).end(Outcome::ANSWERED);
    }
    assert_eq!(throws.0.load(Ordering::Relaxed), 2);
    assert_eq!(rig.telemetry.counts().panics, 2);
    assert_eq!(told.steps(), ["a", "b"]);
    assert_eq!(rig.spans().len(), 2);
    rig.telemetry.shutdown(PATIENCE).expect("nothing is lost");
    assert_eq!(rig.telemetry.counts().panics, 3);
}

/// Works in the session of what it is told of.
struct Works(&'static Kind, Arc<AtomicU32>);

impl SessionWitness for Works {
    fn ended(&self, record: &Record<'_>) {
        self.1.fetch_add(1, Ordering::Relaxed);
        let mut own = self.0.start(Labels::NONE, Parent::Root);
        { own.active().expect("recording") }
            .set_session(record.session().expect("there is one").clone());
        own.end(Outcome::ANSWERED);
        current::set(obs_core::Key::new(&"test.of"), "its witness");
    }
}

#[test]
fn one_that_records_is_not_told_of_that() {
    let rig = rig(true);
    let count = Arc::new(AtomicU32::new(0));
    rig.telemetry
        .witness_sessions(Works(rig.kind, count.clone()));
    let mut around = rig.root("around");
    around.scope(|| in_session(rig.root("a")).end(Outcome::ANSWERED));
    around.end(Outcome::ANSWERED);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let spans = rig.spans();
    assert_eq!(spans.len(), 3);
    let around = spans.iter().find(|span| span.step() == "around").unwrap();
    assert_eq!(text(around, "test.of").as_deref(), Some("its witness"));
}

/// Emits when the end comes.
struct Last(Telemetry, Told);

impl SessionWitness for Last {
    fn ended(&self, record: &Record<'_>) {
        self.1.ended(record);
    }

    fn closing(&self) {
        self.0
            .emit(LogEvent::new("test.last", Body::Text("over".into())));
    }
}

#[test]
fn what_is_emitted_as_it_closes_is_delivered_and_afterwards_it_is_told_nothing() {
    let captured = crate::support::Captured::default();
    for threaded in [false, true] {
        let builder = builder().with_subscriber(captured.clone());
        let builder = match threaded {
            true => builder,
            false => builder.manual(),
        };
        let telemetry = builder.build().expect("usable");
        let told = Told::default();
        telemetry.witness_sessions(Last(telemetry, told.clone()));
        let kind = telemetry.kind(&WORK);
        let late = in_session(kind.start(Labels::NONE, Parent::Root));
        telemetry.shutdown(PATIENCE).expect("nothing is lost");
        // Again is no second end.
        telemetry.shutdown(PATIENCE).expect("nothing is lost");
        late.end(Outcome::ANSWERED);
        let events = captured.take_events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0].name, "test.last");
        assert_eq!(telemetry.counts().log_events_after_shutdown, 0);
        assert_eq!(told.steps(), [""; 0]);
    }
}

#[test]
fn of_two_telemetries_each_has_its_own() {
    let (one, other) = (rig(true), rig(false));
    let told = [Told::by(&one.telemetry), Told::by(&other.telemetry)];
    let mut root = in_session(one.root("one"));
    // The session goes along with the trace.
    root.scope(|| other.start("other", Parent::Current).end(Outcome::ANSWERED));
    root.end(Outcome::ANSWERED);
    assert_eq!(told[0].steps(), ["one"]);
    assert_eq!(told[1].steps(), ["other"]);
    let session = told[1].spans()[0].session.clone().expect("its parent's");
    assert_eq!(session.conversation_id.as_deref(), Some("c-1"));
}

#[test]
fn one_telemetry_has_room_for_eight() {
    let rig = rig(true);
    for _ in 0..8 {
        assert!(rig.telemetry.witness_sessions(Told::default()));
    }
    assert!(!rig.telemetry.witness_sessions(Told::default()));
    let warnings = rig.telemetry.warnings();
    assert!(
        warnings.iter().any(|said| said.contains("witnesses")),
        "{warnings:?}"
    );
}

#[test]
fn a_conversation_is_on_spans_and_events_and_one_of_the_operations_own_beats_it() {
    let rig = rig(true);
    let mut root = in_session(rig.root("root"));
    root.scope(|| {
        let mut own = rig.start("own", Parent::Current);
        let session = { own.active().expect("recording") }.session().cloned();
        let session = session.expect("its parent's");
        assert_eq!(session.session_id.as_deref(), Some("s-1"));
        { own.active().expect("recording") }
            .set_dynamic(KeyValue::new("gen_ai.conversation.id", "theirs"));
        own.end(Outcome::ANSWERED);
        rig.start("child", Parent::Current).end(Outcome::ANSWERED);
        rig.telemetry.emit(LogEvent::new("test.event", Body::Empty));
    });
    root.end(Outcome::ANSWERED);
    let mut spans = rig.spans();
    spans.sort_by(|a, b| a.name.cmp(&b.name));
    // A key is there once: `attribute` looks.
    let ids = spans.iter().map(|span| {
        let id = text(span, "gen_ai.conversation.id").expect("each has one");
        (span.step().to_owned(), id)
    });
    let expect = [("child", "c-1"), ("own", "theirs"), ("root", "c-1")];
    assert!(ids.eq(expect.map(|(step, id)| (step.to_owned(), id.to_owned()))));
    let events = rig.events();
    let session = events[0].session.as_ref().expect("of what is current");
    assert_eq!(session.conversation_id.as_deref(), Some("c-1"));
}

#[test]
fn ids_of_a_session_are_no_labels() {
    /// Of no service's, which would begin anew.
    static INNER: Descriptor = Descriptor {
        span_kind: SpanKind::Internal,
        ..WORK
    };
    let rig = rig(true);
    let mut root = in_session(rig.root("root"));
    root.scope(|| {
        let inner = rig.telemetry.kind(&INNER);
        inner
            .start(Labels::NONE, Parent::Current)
            .end(Outcome::ANSWERED);
    });
    root.end(Outcome::ANSWERED);
    let page = rig.telemetry.prometheus();
    assert!(page.contains("test_work_duration"), "{page}");
    // As values: `s-1` stands in names of programs.
    assert!(
        !page.contains("\"c-1\"") && !page.contains("\"s-1\""),
        "{page}"
    );
    let spans = rig.spans();
    assert_eq!(spans.len(), 2);
}
