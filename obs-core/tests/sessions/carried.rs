//! What sessions carry, and how far: ids of any length and sort, through handles, in baggage, with notes for a witness.

use crate::support::{Rig, rig, rig_with};
use obs_core::propagation::baggage::{Allow, Baggage};
use obs_core::redact::UserIds;
use obs_core::{
    Body, LogEvent, Operation, Outcome, Parent, Record, Session, SessionWitness, current,
};
use std::any::Any;
use std::sync::{Arc, Mutex};

fn set(operation: &mut Operation, session: Session) {
    { operation.active().expect("recording") }.set_session(session);
}

fn sent() -> Option<String> {
    let mut sent = None;
    current::inject(|name, value| {
        if name == "baggage" {
            sent = Some(value.to_owned());
        }
    });
    sent
}

fn baggage(header: &str) -> Baggage {
    Baggage::from_headers([header.as_bytes()]).0
}

/// One user, however the id comes by, has one name in all places.
#[track_caller]
fn check_one_user(users: UserIds, id: &str) -> String {
    let rig = rig_with(true, |builder| builder.with_user_ids(users));
    let mut root = rig.root("by hand");
    set(&mut root, Session::new("s").with_user(id));
    root.end(Outcome::ANSWERED);
    let mut root = rig.root("by baggage");
    let carried = baggage(&format!("user.id={id}"));
    { root.active().expect("recording") }.carry_baggage(carried, &Allow::all());
    let sent = root.scope(sent).expect("baggage goes on");
    root.end(Outcome::ANSWERED);
    let mut session = Session::new("s");
    session.user_id = Some(id.into());
    let mut root = rig.root("by its field");
    set(&mut root, session.clone());
    root.end(Outcome::ANSWERED);
    let event = LogEvent::new("test.given", Body::Empty).with_session(Arc::new(session));
    rig.telemetry.emit(event);
    let mut told: Vec<String> = { rig.spans().into_iter() }
        .map(|span| span.session.expect("it is of one"))
        .map(|session| session.user_id.expect("it has one").into())
        .collect();
    let event = rig.events().remove(0);
    told.extend(
        { event.session.as_ref() }.and_then(|session| Some(session.user_id.clone()?.into())),
    );
    // The next service, which reads what was sent.
    let next = Session::from_baggage(baggage(&sent)).user_id;
    told.push(next.expect("it is sent").into());
    assert_eq!(told.len(), 5);
    assert!(told.iter().all(|one| *one == told[0]), "{told:#?}");
    assert!(told[0].len() <= 256 + 31, "{}", told[0].len());
    told.remove(0)
}

#[test]
fn a_user_whose_id_is_long_is_one_user_everywhere() {
    for id in ["ann".to_owned(), "u".repeat(256), "u".repeat(600)] {
        let told = check_one_user(UserIds::kept(), &id);
        assert!(told.starts_with(&id[..id.len().min(256)]));
    }
}

#[cfg(feature = "user-ids")]
#[test]
fn a_user_whose_id_is_long_is_told_by_one_hash() {
    for id in ["ann".to_owned(), "u".repeat(256), "u".repeat(600)] {
        let users = UserIds::hashed([7; 32]);
        let told = check_one_user(users.clone(), &id);
        assert!(told.starts_with("hmac-sha256:"), "{told}");
        let rig = rig_with(true, |builder| builder.with_user_ids(users));
        let mut root = rig.root("by attribute");
        { root.active().expect("recording") }
            .set_dynamic(obs_core::otel::KeyValue::new("user.id", id));
        root.end(Outcome::ANSWERED);
        let span = rig.span();
        let user = span.attribute("user.id").map(|id| id.as_str().into_owned());
        assert_eq!(user, Some(told));
    }
}

#[test]
fn ids_of_fields_are_within_their_bounds_too() {
    let rig = rig(true);
    let mut session = Session::default();
    let long = || Some("x".repeat(1_000_000).into());
    (session.session_id, session.conversation_id) = (long(), long());
    let mut root = rig.root("root");
    set(&mut root, session.clone());
    root.end(Outcome::ANSWERED);
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    handle.set_session(session);
    root.end(Outcome::ANSWERED);
    for span in rig.spans() {
        for key in ["session.id", "gen_ai.conversation.id"] {
            let id = span
                .attribute(key)
                .expect("it is there")
                .as_str()
                .into_owned();
            assert_eq!(id, format!("{}…[+999744 bytes]", "x".repeat(256)), "{key}");
        }
    }
}

#[test]
fn an_id_of_baggage_is_read_as_it_was_meant() {
    for (header, expect) in [
        ("session.id=s%201", Some("s 1")),
        ("session.id=a,session.id=b", Some("b")),
        ("session.id=%E2%82%AC;p=1", Some("€")),
        ("session.id=%00%0a%1b[31m", Some("\0\n\u{1b}[31m")),
        ("session.id=%ff", Some("\u{fffd}")),
        ("session.id=", None),
        ("session.id", None),
        ("Session.Id=s", None),
    ] {
        let session = Session::from_baggage(baggage(header));
        assert_eq!(session.session_id.as_deref(), expect, "{header}");
    }
}

#[test]
fn ids_are_sent_along_where_that_is_said_and_only_there() {
    let session = || {
        Session::from_baggage(baggage("tenant=acme,session.id=old;p"))
            .with_conversation("c,1")
            .with_user("Ann Ö")
    };
    let rig = rig(true);
    let mut root = rig.root("root");
    set(&mut root, Session::new("s-1").with_user("ann"));
    assert_eq!(root.scope(sent), None);
    set(&mut root, session());
    assert_eq!(
        root.scope(sent).as_deref(),
        Some("tenant=acme,session.id=old;p")
    );
    let mut renamed = session();
    renamed.session_id = Some("s-1".into());
    set(&mut root, renamed.with_ids_in_baggage());
    let told = root.scope(sent).expect("it is sent");
    let all = "tenant=acme,session.id=s-1,gen_ai.conversation.id=c%2C1,user.id=Ann%20%C3%96";
    assert_eq!(told, all);
    let next = Session::from_baggage(baggage(&told));
    assert_eq!(next.session_id.as_deref(), Some("s-1"));
    assert_eq!(next.conversation_id.as_deref(), Some("c,1"));
    assert_eq!(next.user_id.as_deref(), Some("Ann Ö"));
}

#[test]
fn what_is_sent_along_of_a_user_is_what_is_known_of_it() {
    let rig = rig_with(true, |builder| builder.with_user_ids(UserIds::dropped()));
    let mut root = rig.root("root");
    let session = Session::new("s-1").with_user("ann").with_ids_in_baggage();
    set(&mut root, session);
    assert_eq!(root.scope(sent).as_deref(), Some("session.id=s-1"));
}

#[test]
fn what_has_no_room_in_a_baggage_is_not_sent() {
    let members: Vec<_> = (0..63).map(|number| format!("k{number}=v")).collect();
    let full = Session::from_baggage(baggage(&members.join(",")));
    let mut full = full.with_conversation("c-1").with_user("ann");
    full.session_id = Some("s-1".into());
    let full = full.with_ids_in_baggage();
    assert_eq!(full.baggage().iter().count(), 64);
    assert_eq!(full.baggage().get("session.id").as_deref(), Some("s-1"));
    assert_eq!(full.baggage().get("user.id"), None);
}

/// The session of what ended, and its notes.
type Ended = (Option<String>, Vec<u8>);

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Ended>>>);

impl SessionWitness for Told {
    fn ended(&self, record: &Record<'_>) {
        let session = record.session().expect("it is of one");
        let notes = session
            .notes()
            .filter_map(|note| note.downcast::<u8>().ok());
        let id = session.session_id.as_deref().map(str::to_owned);
        let told = (id, notes.map(|note| *note).collect());
        self.0.lock().unwrap().push(told);
    }
}

impl Told {
    fn take(&self) -> Vec<Ended> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn witnessed() -> (Rig, Told) {
    let (rig, told) = (rig(true), Told::default());
    assert!(rig.telemetry.witness_sessions(told.clone()));
    (rig, told)
}

#[test]
fn a_session_that_is_set_through_a_handle_is_that_of_the_operation_and_of_what_begins_from_then_on()
{
    let (rig, told) = witnessed();
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    rig.start("before", Parent::Operation(&handle))
        .end(Outcome::ANSWERED);
    handle.set_session(Session::new("s-1"));
    rig.start("by handle", Parent::Operation(&handle))
        .end(Outcome::ANSWERED);
    handle.in_scope(|| {
        rig.start("in scope", Parent::Current)
            .end(Outcome::ANSWERED)
    });
    root.end(Outcome::ANSWERED);
    let of = |id: &str| (Some(id.to_owned()), Vec::new());
    assert_eq!(told.take(), vec![of("s-1"); 3]);
    let spans = rig.spans();
    let ids = spans.iter().map(|span| {
        let id = span.attribute("session.id");
        (span.step(), id.map(|id| id.as_str().into_owned()))
    });
    let s = || Some("s-1".to_owned());
    assert!(ids.eq([
        ("before", None),
        ("by handle", s()),
        ("in scope", s()),
        ("root", s())
    ]));
    // What the owner sets later is later; and what has ended has its session.
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    handle.set_session(Session::new("theirs"));
    set(&mut root, Session::new("own"));
    root.end(Outcome::ANSWERED);
    assert_eq!(told.take(), [of("own")]);
    let late = rig.telemetry.counts().late_calls;
    handle.set_session(Session::new("late"));
    assert_eq!(rig.telemetry.counts().late_calls, late + 1);
    assert_eq!(
        handle
            .session()
            .and_then(|own| own.session_id.clone())
            .as_deref(),
        Some("own")
    );
}

#[test]
fn a_note_is_found_within_whatever_session_is_set_there_for_as_long_as_it_is_kept() {
    let (rig, told) = witnessed();
    let note = |number: u8| Arc::new(number) as Arc<dyn Any + Send + Sync>;
    let (outer, inner) = (note(1), note(2));
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    handle.set_session(Session::default().with_note(&outer));
    let mut child = rig.start("child", Parent::Operation(&handle));
    // One of nobody else's knows nothing of the note, and it stays.
    set(&mut child, Session::new("s-1").with_note(&inner));
    child.scope(|| {
        let mut within = rig.start("within", Parent::Current);
        set(&mut within, Session::new("s-2"));
        within.end(Outcome::ANSWERED);
    });
    child.end(Outcome::ANSWERED);
    drop(inner);
    rig.start("beside", Parent::Operation(&handle))
        .end(Outcome::ANSWERED);
    drop(outer);
    root.end(Outcome::ANSWERED);
    let of = |id: Option<&str>, notes: &[u8]| (id.map(str::to_owned), notes.to_vec());
    assert_eq!(
        told.take(),
        [
            of(Some("s-2"), &[1, 2]),
            of(Some("s-1"), &[1, 2]),
            of(None, &[1]),
            of(None, &[]),
        ]
    );
}

#[test]
fn a_note_that_was_left_through_a_handle_stays_where_the_owner_sets_a_session_since() {
    let (rig, told) = witnessed();
    let note = Arc::new(1_u8) as Arc<dyn Any + Send + Sync>;
    let mut root = rig.root("root");
    let handle = root.handle().expect("recording");
    handle.set_session(Session::new("theirs").with_note(&note));
    set(&mut root, Session::new("own"));
    rig.start("child", Parent::Operation(&handle))
        .end(Outcome::ANSWERED);
    root.end(Outcome::ANSWERED);
    assert_eq!(told.take(), vec![(Some(String::from("own")), vec![1]); 2]);
}

#[test]
fn many_notes_one_after_another_do_not_make_a_session_grow() {
    let mut session = Session::new("s-1");
    for number in 0..1_000_u32 {
        let note = Arc::new(number) as Arc<dyn Any + Send + Sync>;
        session = session.with_note(&note);
        assert_eq!(session.notes().count(), 1, "those before are gone");
    }
    assert_eq!(session.notes().count(), 0);
}
