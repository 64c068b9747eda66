//! Of what is written about one operation the last word counts, whoever says it: its owner, code that holds the current
//! OpenTelemetry span, or a handle on another thread.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::trace::TraceContextExt;
use obs_core::otel::{Context, KeyValue, Value};
use obs_core::{Key, OpRef, Operation, Outcome, current};
use proptest::prelude::*;
use support::{Rig, Span, rig};

const KEYS: [Key; 3] = [
    Key::new(&"test.a"),
    Key::new(&"test.b"),
    Key::new(&"test.c"),
];

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Owner,
    OwnerDynamically,
    Current,
    Attached,
    Handle,
    OtherThread,
}

use By::*;

const EVERYONE: [By; 6] = [
    Owner,
    OwnerDynamically,
    Current,
    Attached,
    Handle,
    OtherThread,
];

fn write(operation: &mut Operation, by: By, key: Key, value: i64) {
    let pair = KeyValue::new(key.as_str(), value);
    match by {
        Owner => operation.set(key, value),
        OwnerDynamically => operation.active().unwrap().set_dynamic(pair),
        Current => operation.scope(|| current::set(key, value)),
        Attached => operation.scope(|| Context::current().span().set_attribute(pair)),
        Handle => handle(operation).set_attribute(pair),
        OtherThread => {
            let handle = handle(operation);
            let writer = std::thread::spawn(move || handle.set_attribute(pair));
            writer.join().unwrap();
        }
    }
}

fn handle(operation: &mut Operation) -> OpRef {
    operation.handle().expect("it is recorded")
}

/// What `writes` leave behind. After some of them what others were shown is let go of.
fn after(rig: &Rig, writes: &[(By, usize)], withdraws: impl Fn(usize) -> bool) -> Span {
    let mut operation = rig.root("a");
    for (value, (by, key)) in writes.iter().enumerate() {
        write(&mut operation, *by, KEYS[*key], value as i64);
        if withdraws(value) {
            operation.withdraw();
        }
    }
    operation.end(Outcome::ANSWERED);
    rig.span()
}

#[track_caller]
fn check(rig: &Rig, writes: &[(By, usize)]) {
    check_withdrawn(rig, writes, |_| false);
    check_withdrawn(rig, writes, |_| true);
    check_withdrawn(rig, writes, |at| at % 3 == 1);
}

#[track_caller]
fn check_withdrawn(rig: &Rig, writes: &[(By, usize)], withdraws: impl Fn(usize) -> bool) {
    let span = after(rig, writes, withdraws);
    for (index, key) in KEYS.iter().enumerate() {
        let last = writes.iter().rposition(|(_, written)| *written == index);
        let expected = last.map(|value| Value::I64(value as i64));
        assert_eq!(
            span.attribute(key.as_str()),
            expected.as_ref(),
            "{key:?} after {writes:?}"
        );
    }
    assert_eq!(span.dropped_attributes, 0, "{writes:?}");
}

#[test]
fn the_owners_later_word_beats_the_spans_and_the_other_way_round() {
    let rig = rig(true);
    for first in EVERYONE {
        for second in EVERYONE {
            check(&rig, &[(first, 0), (second, 0)]);
            for third in EVERYONE {
                check(&rig, &[(first, 0), (second, 0), (Owner, 1), (third, 0)]);
            }
        }
    }
}

#[test]
fn a_pooled_record_forgets_who_watched_it() {
    let rig = rig(true);
    check(&rig, &[(Attached, 0), (Owner, 0), (Attached, 1)]);
    check(&rig, &[(Owner, 0), (OwnerDynamically, 0)]);
    check(&rig, &[(OwnerDynamically, 0), (Owner, 0)]);
}

#[test]
fn the_last_name_counts_whoever_gives_it() {
    let rig = rig(true);
    let name = |span_last: bool| {
        let mut operation = rig.root("a");
        for by_span in [!span_last, span_last] {
            operation.scope(|| {
                if by_span {
                    Context::current().span().update_name("the span's");
                } else {
                    current::with(|active| active.set_name("the owner's"));
                }
            });
        }
        operation.end(Outcome::ANSWERED);
        rig.span().name
    };
    assert_eq!(name(true), "the span's");
    assert_eq!(name(false), "the owner's");
}

/// The same after so many that room has to be made all the time, by forgetting what was overwritten.
fn crowded(writes: &[(By, usize)]) -> Vec<(By, usize)> {
    [&[(Owner, 0); 126], writes].concat()
}

#[test]
fn at_the_limit_what_is_forgotten_does_not_change_who_was_last() {
    check(
        &rig(true),
        &crowded(&[
            (Owner, 0),
            (Owner, 0),
            (Owner, 1),
            (Attached, 1),
            (Owner, 2),
            (Owner, 1),
            (Attached, 0),
        ]),
    );
}

fn writes() -> impl Strategy<Value = Vec<(By, usize)>> {
    // Threads are slow to make, and the same to the code under test as a handle here.
    let by = prop::sample::select(&EVERYONE[..5]);
    prop::collection::vec((by, 0..KEYS.len()), 0..40)
}

proptest! {
    #[test]
    fn the_last_word_counts_in_any_order(writes in writes()) {
        check(&rig(true), &writes);
        check(&rig(true), &crowded(&writes));
    }
}
