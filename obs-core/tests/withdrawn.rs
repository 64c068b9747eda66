//! What others were shown of an operation that goes on alone is let go of, and nothing is lost by it.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::trace::TraceContextExt;
use obs_core::otel::{Context, KeyValue, Value};
use obs_core::{ErrorType, Key, Operation, Outcome, Parent, current};
use support::{Rig, rig};

const FAILED: Outcome = Outcome::failed(ErrorType::own(0));
const ID: Key = Key::new(&"test.id");

/// A root in whose scope a child ran that found it by OpenTelemetry's context alone.
fn with_child(rig: &Rig) -> Operation {
    let mut root = rig.root("root");
    root.scope(|| {
        let context = Context::current();
        let carried = move || {
            let _attached = context.attach();
            rig.start("child", Parent::Current).end(Outcome::ANSWERED);
        };
        std::thread::scope(|scope| scope.spawn(carried).join().expect("no panic"));
    });
    root
}

#[test]
fn its_children_go_with_it_as_without() {
    for (outcome, expected) in [
        (Outcome::ANSWERED, &[][..]),
        (FAILED, &["child (trace)", "root (error, partial)"]),
    ] {
        let rig = rig(false);
        let mut root = with_child(&rig);
        assert!(rig.telemetry.counts().parked_bytes > 0, "the child waits");
        root.withdraw();
        root.end(outcome);
        assert_eq!(rig.exported(), expected);
        rig.assert_at_rest();
    }
}

#[test]
fn a_child_that_starts_afterwards_is_of_the_same_family() {
    let rig = rig(false);
    let mut root = with_child(&rig);
    root.withdraw();
    root.scope(|| rig.start("later", Parent::Current).end(FAILED));
    root.end(Outcome::ANSWERED);
    let expected = ["child (trace)", "later (error)", "root (trace, partial)"];
    assert_eq!(rig.exported(), expected);
    rig.assert_at_rest();
}

#[test]
fn who_has_kept_a_handle_writes_on() {
    let rig = rig(true);
    let mut root = rig.root("a");
    let handle = root.handle().expect("it is recorded");
    root.withdraw();
    handle.set_attribute(KeyValue::new("test.by", "handle"));
    assert!(handle.is_running());
    root.end(Outcome::ANSWERED);
    assert!(!handle.is_running());
    let by = Value::from("handle");
    assert_eq!(rig.span().attribute("test.by"), Some(&by));
    assert_eq!(rig.telemetry.counts().late_calls, 0);
}

#[test]
fn who_has_kept_its_context_writes_on() {
    let rig = rig(true);
    let mut root = rig.root("a");
    let context = root.scope(Context::current);
    root.withdraw();
    let write = |text: &'static str| {
        let span = context.span();
        span.set_attribute(KeyValue::new("test.by", text));
    };
    write("its span");
    root.end(Outcome::ANSWERED);
    write("its span, too late");
    let by = Value::from("its span");
    assert_eq!(rig.span().attribute("test.by"), Some(&by));
    assert_eq!(rig.telemetry.counts().late_calls, 1);
}

#[test]
fn it_is_shown_again_where_it_is_current_again() {
    let rig = rig(true);
    let mut root = rig.root("a");
    let ids = root.active().expect("it is recorded").span_context();
    for _ in 0..3 {
        let shown = root.scope(|| Context::current().span().span_context().clone());
        assert_eq!(shown, ids);
        root.withdraw();
        root.scope(|| assert!(current::handle().is_some()));
        root.withdraw();
        root.withdraw();
    }
    root.end(Outcome::ANSWERED);
    assert_eq!(rig.exported(), ["a"]);
}

#[test]
fn one_that_was_shown_to_nobody_has_nothing_to_let_go_of() {
    let rig = rig(true);
    let mut root = rig.root("a");
    root.withdraw();
    root.end(Outcome::ANSWERED);
    Operation::disabled().withdraw();
    assert_eq!(rig.exported(), ["a"]);
}

#[test]
fn its_owner_reads_what_it_said_last() {
    let rig = rig(true);
    let mut root = rig.root("a");
    let text = |root: &mut Operation| {
        let active = root.active().expect("it is recorded");
        active.text(ID).map(str::to_owned)
    };
    assert_eq!(text(&mut root), None);
    root.set(ID, "one");
    root.set(Key::new(&"test.other"), "another");
    root.set(ID, "two");
    assert_eq!(text(&mut root).as_deref(), Some("two"));
    root.active()
        .expect("it is recorded")
        .set_static(ID, "three");
    assert_eq!(text(&mut root).as_deref(), Some("three"));
    root.set(ID, 4_i64);
    assert_eq!(text(&mut root), None);
    root.set(ID, "x".repeat(70_000).as_str());
    let cut = text(&mut root).expect("a text that was cut");
    assert!(cut.len() < 70_000, "{} bytes", cut.len());
    root.end(Outcome::ANSWERED);
}
