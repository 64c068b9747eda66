//! Who annotates is asked at the start, at the first output and at the end, once each, however the call ends.

use super::{MS, answer, asked, llm};
use obs_core::{Active, Annotator, ErrorType, Key, Milestone, Outcome, Parent, Telemetry};
use obs_llm::{LlmCall, LlmOperation, ModelServer, Provider};
use obs_testing::Capture;
use std::sync::{Arc, Mutex};

const SEEN: Key = Key::new(&"test.seen");

type End = fn(LlmCall);

/// Notes what it was asked at: milliseconds since the start, and whether that was slow.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Annotator for Notes {
    fn annotate(&self, milestone: &Milestone, operation: &mut Active<'_>) {
        let (kind, started) = (operation.kind(), operation.started());
        let ms = |at| kind.between(started, at).as_millis();
        let slow = |slow| if slow { " slow" } else { "" };
        let note = match *milestone {
            Milestone::Started => "started".to_owned(),
            Milestone::FirstOutput { at, slow: late } => format!("first {}{}", ms(at), slow(late)),
            Milestone::Ending {
                at,
                first_output,
                slow: late,
            } => {
                let first = first_output.map(ms);
                format!("ending {} of {first:?}{}", ms(at), slow(late))
            }
            _ => "unknown".to_owned(),
        };
        let mut notes = self.0.lock().unwrap();
        notes.push(note);
        operation.set(SEEN, notes.len() as i64);
    }
}

impl Notes {
    fn on(telemetry: &Telemetry) -> Self {
        let notes = Self::default();
        assert!(telemetry.annotate(notes.clone()));
        notes
    }

    #[track_caller]
    fn assert(&self, expect: &[&str]) {
        assert_eq!(*self.0.lock().unwrap(), expect);
    }
}

#[test]
fn a_call_is_annotated_three_times() {
    let capture = Capture::new();
    let notes = Notes::on(capture.telemetry());
    let mut call = asked(&llm(&capture));
    answer(&capture, &mut call);
    call.end();
    notes.assert(&["started", "first 100", "ending 150 of Some(100)"]);
    let record = capture.record();
    assert_eq!(record.attr(SEEN.as_str()), Some(&3_i64.into()));
}

#[test]
fn what_came_late_is_said() {
    let capture = Capture::new();
    let notes = Notes::on(capture.telemetry());
    let llm = llm(&capture).with_slow(Some(100 * MS), None);
    let mut call = asked(&llm);
    answer(&capture, &mut call);
    call.end();
    notes.assert(&["started", "first 100 slow", "ending 150 of Some(100)"]);
}

#[test]
fn each_ending_is_annotated_once() {
    let endings: [(&str, End); 4] = [
        ("dropped", |call| drop(call)),
        ("failed", |call| call.fail(ErrorType::code(500))),
        ("ended as", |call| call.end_with(Outcome::CANCELLED)),
        ("panicked", |call| {
            let held = std::panic::AssertUnwindSafe(|| {
                let _call = call;
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(std::panic::catch_unwind(held).is_err());
        }),
    ];
    for (name, end) in endings {
        let capture = Capture::new();
        let notes = Notes::on(capture.telemetry());
        end(asked(&llm(&capture)));
        assert_eq!(
            *notes.0.lock().unwrap(),
            ["started", "ending 0 of None"],
            "{name}"
        );
    }
}

#[test]
fn a_served_request_is_annotated_too() {
    let capture = Capture::new();
    let notes = Notes::on(capture.telemetry());
    let server = ModelServer::new(capture.telemetry(), Provider::OPENAI, "llama-3")
        .with_slow(None, Some(30 * MS));
    let mut request = server.request(LlmOperation::Chat, Parent::Root);
    request.scheduled();
    for after in [40, 40] {
        capture.clock().advance(after * MS);
        request.tokens(1);
    }
    request.end(Outcome::ANSWERED);
    notes.assert(&["started", "first 40", "ending 80 of Some(40) slow"]);
}

#[test]
fn a_panic_in_it_is_contained_and_counted() {
    struct Bad;
    impl Annotator for Bad {
        fn annotate(&self, _: &Milestone, _: &mut Active<'_>) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let capture = Capture::new();
    assert!(capture.telemetry().annotate(Bad));
    let notes = Notes::on(capture.telemetry());
    llm(&capture)
        .call(LlmOperation::Chat, &Provider::OPENAI)
        .end();
    notes.assert(&["started", "ending 0 of None"]);
    assert_eq!(capture.telemetry().counts().panics, 2);
    assert_eq!(capture.records().len(), 1);
}

#[test]
fn there_is_room_for_eight() {
    let capture = Capture::new();
    for place in 0..9 {
        let added = capture.telemetry().annotate(Notes::default());
        assert_eq!(added, place < 8);
    }
}
