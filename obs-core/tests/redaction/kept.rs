//! Redactors run for what is kept or waits for its root, on the thread that ends it, and for nothing else.

use crate::support::{Rig, rig_with};
use obs_core::otel::Value;
use obs_core::redact::{Place, Redaction, Text};
use obs_core::{ErrorType, Key, Outcome, Parent};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

const OWN: Key = Key::new(&"own");
const FAILED: Outcome = Outcome::failed(ErrorType::OTHER);

type Seen = Arc<Mutex<Vec<(String, ThreadId)>>>;

fn rig(sampled: bool) -> (Rig, Seen) {
    let seen = Seen::default();
    let sees = seen.clone();
    let redactor = move |text: Text<'_>| {
        if text.place == Place::SpanAttribute {
            let here = thread::current().id();
            sees.lock().unwrap().push((text.value.to_owned(), here));
        }
        Redaction::replace(format!("seen {}", text.value))
    };
    (
        rig_with(sampled, |builder| builder.with_redactor(redactor)),
        seen,
    )
}

fn values(seen: &Seen) -> Vec<String> {
    let mut values: Vec<_> = { seen.lock().unwrap() }
        .drain(..)
        .map(|(value, _)| value)
        .collect();
    values.sort();
    values
}

fn exported(rig: &Rig) -> Vec<String> {
    let spans = rig.spans();
    let own = |span: &crate::support::Span| span.attribute("own").map(Value::to_string);
    let mut own: Vec<_> = spans.iter().filter_map(own).collect();
    own.sort();
    own
}

fn start(rig: &Rig, value: &str, parent: Parent<'_>) -> obs_core::Operation {
    let mut operation = rig.start("x", parent);
    operation.set(OWN, value);
    operation
}

#[test]
fn what_is_dropped_is_not_looked_at() {
    let (rig, seen) = rig(false);
    start(&rig, "a", Parent::Root).end(Outcome::ANSWERED);
    let mut root = start(&rig, "root", Parent::Root);
    let handle = root.handle().expect("recording");
    root.end(Outcome::ANSWERED);
    // Its root is decided, and nobody wants it.
    start(&rig, "late", Parent::Operation(&handle)).end(Outcome::ANSWERED);
    assert_eq!((values(&seen), exported(&rig)), (vec![], vec![]));
    rig.assert_at_rest();
}

#[test]
fn what_is_sampled_or_kept_late_is_looked_at_once() {
    let (rig, seen) = rig(true);
    start(&rig, "a", Parent::Root).end(Outcome::ANSWERED);
    assert_eq!(
        (values(&seen), exported(&rig)),
        (vec!["a".into()], vec!["seen a".into()])
    );
    let (rig, seen) = self::rig(false);
    start(&rig, "a", Parent::Root).end(FAILED);
    assert_eq!(
        (values(&seen), exported(&rig)),
        (vec!["a".into()], vec!["seen a".into()])
    );
}

#[test]
fn a_child_is_looked_at_before_it_waits_and_its_root_when_it_is_kept() {
    let (rig, seen) = rig(false);
    let mut root = start(&rig, "root", Parent::Root);
    let handle = root.handle().expect("recording");
    start(&rig, "child", Parent::Operation(&handle)).end(Outcome::ANSWERED);
    assert_eq!(values(&seen), ["child"]);
    root.end(Outcome::ANSWERED);
    assert_eq!(
        (values(&seen), exported(&rig)),
        (vec![], vec![]),
        "nobody wanted it"
    );

    let mut root = start(&rig, "root", Parent::Root);
    let handle = root.handle().expect("recording");
    start(&rig, "child", Parent::Operation(&handle)).end(Outcome::ANSWERED);
    // It takes its brother and its root along.
    start(&rig, "bad", Parent::Operation(&handle)).end(FAILED);
    root.end(Outcome::ANSWERED);
    assert_eq!(values(&seen), ["bad", "child", "root"]);
    assert_eq!(exported(&rig), ["seen bad", "seen child", "seen root"]);
    rig.assert_at_rest();
}

#[test]
fn it_runs_where_the_operation_ends() {
    let (rig, seen) = rig(true);
    let operation = start(&rig, "a", Parent::Root);
    let there = thread::spawn(move || {
        operation.end(Outcome::ANSWERED);
        thread::current().id()
    });
    let there = there.join().expect("no panic");
    assert_eq!(*seen.lock().unwrap(), [("a".to_owned(), there)]);
}
