//! End × late attribute × child, on what an operation shares with handles and with its attached span.

use crate::clock::Clock;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::family::Verdict;
use crate::engine::live::Flags;
use crate::sampling::HeadSampler;
use crate::shared::{Identity, Shared};
use crate::side::Side;
use loom::thread;
use opentelemetry::KeyValue;
use std::sync::Arc;

/// One operation of an undecided trace. An engine for each run: what loom has made in one run is of no use in the next.
fn operation() -> (&'static Engine, Arc<Shared>) {
    let engine = Engine::new(Clock::portable(), HeadSampler::default(), Config::default());
    let identity = Identity {
        engine,
        descriptor: None,
        trace_id: 1,
        span_id: 2,
        trace_flags: 0,
        recorded: true,
        sampled: false,
        tracestate: None,
        family: None,
        session: None,
        around: Flags::default(),
        strangers: false,
        started: 0,
    };
    (engine, Arc::new(Shared::new(identity)))
}

fn write(shared: &Shared, key: &'static str) {
    shared.write(|side, bounds| side.set_attribute(KeyValue::new(key, true), bounds));
}

fn attributes(side: Option<Box<Side>>) -> u64 {
    side.map_or(0, |side| side.attributes.len() as u64)
}

#[test]
fn an_attribute_arrives_or_is_counted_as_late() {
    loom::model(|| {
        let (engine, shared) = operation();
        let writers: Vec<_> = ["a", "b"]
            .map(|key| {
                let shared = shared.clone();
                thread::spawn(move || write(&shared, key))
            })
            .into();
        let side = shared.close(true).side;
        writers
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(attributes(side) + engine.counts.late_calls.read(), 2);
        assert_eq!(
            attributes(shared.close(false).side),
            0,
            "nothing after the end"
        );
    });
}

#[test]
fn a_child_that_starts_while_its_root_ends_reads_the_roots_verdict() {
    loom::model(|| {
        let (_, shared) = operation();
        let child = {
            let shared = shared.clone();
            thread::spawn(move || shared.identity_for_child().family.expect("a family"))
        };
        let family = shared.close(true).family;
        let family = family.expect("somebody carries the operation");
        family.decide(Verdict::Keep, &mut Vec::new());
        let of_child = child.join().expect("no panic");
        assert!(Arc::ptr_eq(&family, &of_child));
        assert_eq!(of_child.verdict(), Verdict::Keep);
    });
}

#[test]
fn two_children_that_start_at_once_join_one_family() {
    loom::model(|| {
        let (_, shared) = operation();
        let other = {
            let shared = shared.clone();
            thread::spawn(move || shared.identity_for_child().family)
        };
        let here = shared.identity_for_child().family.expect("a family");
        let other = other.join().expect("no panic").expect("a family");
        assert!(Arc::ptr_eq(&here, &other));
    });
}
