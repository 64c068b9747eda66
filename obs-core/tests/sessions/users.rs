//! What becomes of the ids of users.

use crate::support::{Rig, rig_with};
use obs_core::otel::KeyValue;
use obs_core::propagation::baggage::{Allow, Baggage};
use obs_core::redact::UserIds;
use obs_core::{
    Body, LogEvent, Operation, Outcome, Parent, Record, Session, SessionWitness, current,
};
use std::sync::{Arc, Mutex};

#[cfg(feature = "user-ids")]
const KEY: [u8; 20] = [0x0b; 20];
/// HMAC-SHA-256 of "Hi There" by that key: RFC 4231, test case 1, of which half is taken.
#[cfg(feature = "user-ids")]
const HASH: &str = "hmac-sha256:b0344c61d8db38535ca8afceaf0bf12b";

#[derive(Clone, Default)]
struct Users(Arc<Mutex<Vec<Option<String>>>>);

impl SessionWitness for Users {
    fn ended(&self, record: &Record<'_>) {
        let user = record.session().and_then(|session| session.user_id.clone());
        self.0.lock().unwrap().push(user.map(String::from));
    }
}

fn baggage(header: &str) -> Baggage {
    Baggage::from_headers([header.as_bytes()]).0
}

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

/// The user of a service whose ids become so, in all the places that it is told of.
#[track_caller]
fn check(users: UserIds, expect: Option<&str>) {
    let rig: Rig = rig_with(true, |builder| builder.with_user_ids(users));
    let witness = Users::default();
    rig.telemetry.witness_sessions(witness.clone());
    let expect = expect.map(str::to_owned);
    // By hand, by baggage, and by an attribute of the service's.
    let by_hand = || Session::new("s").with_user("Hi There");
    let mut root = rig.root("by hand");
    set(&mut root, by_hand());
    root.scope(|| {
        rig.start("child", Parent::Current).end(Outcome::ANSWERED);
        rig.telemetry.emit(LogEvent::new("test.own", Body::Empty));
    });
    root.end(Outcome::ANSWERED);
    let mut root = rig.root("by baggage");
    let carried = baggage("tenant=acme,user.id=Hi%20There;p=1,session.id=s");
    { root.active().expect("recording") }.carry_baggage(carried, &Allow::all());
    let sent = root.scope(sent).expect("baggage goes on");
    root.end(Outcome::ANSWERED);
    let mut root = rig.root("by attribute");
    { root.active().expect("recording") }.set_dynamic(KeyValue::new("user.id", "Hi There"));
    root.end(Outcome::ANSWERED);
    // What was made elsewhere.
    let event = LogEvent::new("test.given", Body::Empty).with_session(Arc::new(by_hand()));
    rig.telemetry.emit(event);

    let spans = rig.spans();
    assert_eq!(spans.len(), 4);
    for span in spans {
        let user = span.attribute("user.id");
        let user = user.map(|value| value.as_str().into_owned());
        assert_eq!(user, expect, "{}", span.name);
    }
    for event in rig.events() {
        let session = event.session.expect("each has one");
        assert_eq!(
            session.user_id.clone().map(String::from),
            expect,
            "{}",
            event.name
        );
    }
    assert_eq!(*witness.0.lock().unwrap(), vec![expect.clone(); 3]);
    let sent = baggage(&sent);
    assert_eq!(sent.get("user.id").map(|id| id.into_owned()), expect);
    assert_eq!(sent.get("tenant").as_deref(), Some("acme"));
    assert_eq!(sent.get("session.id").as_deref(), Some("s"));
    let mut properties = sent.iter().filter(|entry| entry.key == "user.id");
    assert!(properties.all(|entry| entry.properties == "p=1"));
}

#[test]
fn they_stay_unless_it_is_said() {
    check(UserIds::default(), Some("Hi There"));
    check(UserIds::kept(), Some("Hi There"));
}

#[cfg(feature = "user-ids")]
#[test]
fn they_are_told_by_a_hash() {
    check(UserIds::hashed(KEY), Some(HASH));
}

#[test]
fn they_go() {
    check(UserIds::dropped(), None);
}

#[cfg(feature = "user-ids")]
#[test]
fn the_next_service_does_not_hash_it_again() {
    let rig = rig_with(true, |builder| {
        builder.with_user_ids(UserIds::hashed([7; 32]))
    });
    let mut root = rig.root("next");
    let carried = baggage(&format!("user.id={HASH}"));
    set(&mut root, Session::from_baggage(carried));
    assert_eq!(root.scope(sent), Some(format!("user.id={HASH}")));
    root.end(Outcome::ANSWERED);
    let user = rig.span().session.and_then(|session| session.user_id);
    assert_eq!(user.as_deref(), Some(HASH));
}

#[test]
fn a_telemetry_that_shows_less_shows_less_of_what_it_takes_over() {
    let (keeps, drops) = (
        rig_with(true, |builder| builder),
        rig_with(true, |builder| builder.with_user_ids(UserIds::dropped())),
    );
    let mut root = keeps.root("root");
    set(&mut root, Session::new("s").with_user("ann"));
    let handle = root.handle().expect("recording");
    root.scope(|| {
        drops
            .start("current", Parent::Current)
            .end(Outcome::ANSWERED)
    });
    drops
        .start("handle", Parent::Operation(&handle))
        .end(Outcome::ANSWERED);
    root.end(Outcome::ANSWERED);
    let user = |session: Option<Session>| session.and_then(|session| session.user_id);
    assert_eq!(user(keeps.span().session).as_deref(), Some("ann"));
    for span in drops.spans() {
        let session = span.session.clone().expect("its parent's");
        assert_eq!(session.session_id.as_deref(), Some("s"));
        assert_eq!(user(span.session), None, "{}", span.name);
    }
}

#[cfg(feature = "user-ids")]
#[test]
fn a_key_that_can_be_guessed_is_refused() {
    let built = crate::support::builder()
        .manual()
        .with_user_ids(UserIds::hashed("short"));
    let error = built.build().expect_err("less than sixteen bytes");
    assert!(error.to_string().contains("16 bytes"), "{error}");
    assert!(!error.to_string().contains("short"));
}
