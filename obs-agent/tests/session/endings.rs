//! Whatever becomes of an operation, it is added once.

use crate::support::*;
use obs_core::{ErrorType, Outcome, Session};
use obs_llm::wire::{Content, RequestSink, ResponseSink};
use obs_llm::{LlmCall, LlmOperation};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A stream that has said some of what it has to say, and what becomes of it.
#[track_caller]
fn check(fails: bool, end: impl FnOnce(&Rig, LlmCall)) {
    let rig = Rig::new();
    let mut call = rig.call(LlmOperation::Chat, Session::new("s-1"));
    call.stream(true);
    rig.advance(100 * MS);
    call.content(Content::Text);
    call.usage(&usage(50, 7));
    end(&rig, call);
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(summary.inference_calls, 1);
    assert_eq!(summary.failed_inference_calls, u64::from(fails));
    assert_eq!((summary.input_tokens, summary.output_tokens), (50, 7));
    let first = summary.time_to_first_chunk.expect("it was there");
    assert_eq!((first.count, first.max), (1, 100 * MS));
    assert_eq!(rig.capture.record().outcome.is_error(), fails);
}

#[test]
fn answered() {
    check(false, |_, call| call.end());
}

#[test]
fn failed() {
    check(true, |_, call| call.fail(ErrorType::code(529)));
}

#[test]
fn dropped_in_the_middle_of_its_stream() {
    check(true, |_, call| drop(call));
}

#[test]
fn dropped_when_all_is_said() {
    check(false, |_, mut call| {
        call.finish_reason(0, "stop");
        drop(call);
    });
}

#[test]
fn timed_out() {
    check(true, |rig, mut call| {
        { call.active().expect("recording") }.set_deadline(200 * MS);
        rig.advance(300 * MS);
        drop(call);
    });
}

#[test]
fn panicked() {
    check(true, |_, mut call| {
        let unwound = catch_unwind(AssertUnwindSafe(|| call.scope(|| panic!("thrown"))));
        assert!(unwound.is_err());
    });
}

#[test]
fn elsewhere() {
    check(false, |_, call| {
        std::thread::spawn(|| call.end()).join().expect("it ends");
    });
}

#[test]
fn a_tool_fails_in_as_many_ways() {
    let rig = Rig::new();
    rig.start_tool("s-1", "t").end(Outcome::ANSWERED);
    rig.start_tool("s-1", "t")
        .end(Outcome::failed(ErrorType::OTHER));
    drop(rig.start_tool("s-1", "t"));
    let mut late = rig.start_tool("s-1", "t");
    { late.active().expect("recording") }.set_deadline(MS);
    rig.advance(2 * MS);
    drop(late);
    let mut thrown = rig.start_tool("s-1", "t");
    let unwound = catch_unwind(AssertUnwindSafe(|| thrown.scope(|| panic!("thrown"))));
    assert!(unwound.is_err());
    drop(thrown);
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!((summary.tool_calls, summary.failed_tool_calls), (5, 4));
    let tool = &summary.tools[0];
    assert_eq!((tool.calls, tool.failed_calls), (5, 4));
}
