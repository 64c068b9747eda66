//! Every way in which a request can end: one duration point, gauges back at zero, a time to the first token only where there was
//! one and the request succeeded.

use crate::support::{Rig, ms, texts};
use obs_core::semconv::{gen_ai, obs};
use obs_core::{End, Outcome, StatsLevel};
use obs_llm::InferenceRequest;
use obs_llm::server::{MODEL_ERROR, OUT_OF_MEMORY, QUEUE_FULL, TOO_LONG};
use obs_llm::wire::{RequestSink, ResponseSink};
use std::panic::{AssertUnwindSafe, catch_unwind};

const DEADLINE: u64 = 500;

/// What is expected of an ending.
struct Expect {
    end: End,
    error: Option<&'static str>,
    /// How many of each: times to the first token, times per token, queue, prefill, decode.
    points: [u64; 5],
    reasons: Option<&'static [&'static str]>,
    output: Option<i64>,
}

const QUEUED: [u64; 5] = [0, 0, 0, 0, 0];
const BEGUN: [u64; 5] = [0, 0, 1, 0, 0];
const CUT: [u64; 5] = [0, 0, 1, 1, 1];
const WHOLE: [u64; 5] = [1, 1, 1, 1, 1];

#[track_caller]
fn check(name: &str, drive: impl Fn(&Rig, InferenceRequest), expect: Expect) {
    for level in [StatsLevel::Base, StatsLevel::Detailed] {
        let rig = Rig::with(|builder| builder.with_level(level), |server| server);
        let mut request = rig.request();
        request.set_deadline(ms(DEADLINE));
        assert_eq!((rig.active(), rig.waiting()), (1, 1), "{name}: at first");
        rig.pass(10);
        drive(&rig, request);

        assert_eq!((rig.active(), rig.waiting()), (0, 0), "{name}: afterwards");
        let error = expect.error.unwrap_or_default().to_owned();
        assert_eq!(rig.durations(), [(error, 1)], "{name}: durations");
        let stage = |stage| rig.stage(stage).map_or(0, |point| point.count);
        let points = [
            rig.capture.count(gen_ai::SERVER_TIME_TO_FIRST_TOKEN),
            rig.capture.count(gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN),
            stage("queue"),
            stage("prefill"),
            stage("decode"),
        ];
        assert_eq!(points, expect.points, "{name}: points");
        let output = rig.total(obs::LLM_SERVER_OUTPUT_TOKENS);
        assert_eq!(output, expect.output.unwrap_or_default(), "{name}: tokens");

        let record = rig.capture.record();
        assert_eq!(record.outcome.end(), expect.end, "{name}: how it ended");
        assert_eq!(record.error_type(), expect.error, "{name}: error.type");
        let reasons = record.attr("gen_ai.response.finish_reasons");
        assert_eq!(reasons, expect.reasons.map(texts).as_ref(), "{name}");
        let told = record.attr("gen_ai.usage.output_tokens");
        assert_eq!(told, expect.output.map(Into::into).as_ref(), "{name}");
        assert_eq!(rig.anomalies("out_of_order"), 0, "{name}: anomalies");
    }
}

#[test]
fn answered() {
    check(
        "answered",
        |rig, mut request| {
            rig.decode(&mut request, 3);
            request.finish_reason(0, "stop");
            request.end(Outcome::ANSWERED);
        },
        Expect {
            end: End::Answered,
            error: None,
            points: WHOLE,
            reasons: Some(&["stop"]),
            output: Some(3),
        },
    );
}

#[test]
fn answered_without_a_token() {
    check(
        "answered without a token",
        |rig, mut request| {
            request.scheduled();
            rig.pass(10);
            request.end(Outcome::ANSWERED);
        },
        Expect {
            end: End::Answered,
            error: None,
            points: BEGUN,
            reasons: None,
            output: None,
        },
    );
}

#[test]
fn turned_away() {
    check(
        "turned away",
        |_, request| request.end(Outcome::failed(QUEUE_FULL)),
        Expect {
            end: End::Failed,
            error: Some("queue_full"),
            points: QUEUED,
            reasons: None,
            output: None,
        },
    );
}

#[test]
fn failed_before_its_first_token() {
    check(
        "failed before its first token",
        |_, mut request| {
            request.scheduled();
            request.end(Outcome::failed(TOO_LONG));
        },
        Expect {
            end: End::Failed,
            error: Some("context_length_exceeded"),
            points: BEGUN,
            reasons: Some(&["error"]),
            output: None,
        },
    );
}

#[test]
fn failed_in_mid_decode() {
    check(
        "failed in mid-decode",
        |rig, mut request| {
            rig.decode(&mut request, 5);
            request.end(Outcome::failed(MODEL_ERROR));
        },
        Expect {
            end: End::Failed,
            error: Some("model_error"),
            points: CUT,
            reasons: Some(&["error"]),
            output: Some(5),
        },
    );
}

#[test]
fn cancelled_while_queued() {
    check(
        "cancelled while queued",
        |_, request| drop(request),
        Expect {
            end: End::Cancelled,
            error: Some("cancelled"),
            points: QUEUED,
            reasons: None,
            output: None,
        },
    );
}

#[test]
fn cancelled_in_prefill() {
    check(
        "cancelled in prefill",
        |rig, mut request| {
            request.scheduled();
            rig.pass(10);
        },
        Expect {
            end: End::Cancelled,
            error: Some("cancelled"),
            points: BEGUN,
            reasons: Some(&["error"]),
            output: None,
        },
    );
}

#[test]
fn cancelled_in_mid_decode() {
    check(
        "cancelled in mid-decode",
        |rig, mut request| rig.decode(&mut request, 40),
        Expect {
            end: End::Cancelled,
            error: Some("cancelled"),
            points: CUT,
            reasons: Some(&["error"]),
            output: Some(40),
        },
    );
}

#[test]
fn cancelled_with_one_of_two_answers_complete() {
    check(
        "one of two answers complete",
        |rig, mut request| {
            request.choice_count(2);
            request.scheduled();
            rig.pass(20);
            request.tokens(2);
            rig.pass(10);
            request.tokens(2);
            request.finish_reason(0, "stop");
        },
        Expect {
            end: End::Cancelled,
            error: Some("cancelled"),
            points: CUT,
            reasons: Some(&["stop", "error"]),
            output: Some(4),
        },
    );
}

#[test]
fn cancelled_on_purpose_is_no_error_and_no_success() {
    check(
        "cancelled on purpose",
        |rig, mut request| {
            rig.decode(&mut request, 3);
            request.end(Outcome::cancelled_on_purpose());
        },
        Expect {
            end: End::Cancelled,
            error: None,
            points: CUT,
            reasons: Some(&["error"]),
            output: Some(3),
        },
    );
}

#[test]
fn put_back_into_the_queue_and_never_taken_out() {
    check(
        "put back",
        |rig, mut request| {
            rig.decode(&mut request, 3);
            request.preempted();
            assert_eq!((rig.active(), rig.waiting()), (1, 1));
            rig.pass(10);
        },
        Expect {
            end: End::Cancelled,
            error: Some("cancelled"),
            points: CUT,
            reasons: Some(&["error"]),
            output: Some(3),
        },
    );
}

#[test]
fn its_deadline_passes_in_the_queue() {
    check(
        "deadline in the queue",
        |rig, _request| rig.pass(DEADLINE),
        Expect {
            end: End::TimedOut,
            error: Some("timeout"),
            points: QUEUED,
            reasons: None,
            output: None,
        },
    );
}

#[test]
fn its_deadline_passes_in_mid_decode() {
    check(
        "deadline in mid-decode",
        |rig, mut request| {
            rig.decode(&mut request, 3);
            rig.pass(DEADLINE);
        },
        Expect {
            end: End::TimedOut,
            error: Some("timeout"),
            points: CUT,
            reasons: Some(&["error"]),
            output: Some(3),
        },
    );
}

#[test]
fn its_deadline_passes_and_it_is_answered_all_the_same() {
    check(
        "late",
        |rig, mut request| {
            rig.decode(&mut request, 3);
            rig.pass(DEADLINE);
            request.end(Outcome::ANSWERED);
        },
        Expect {
            end: End::Answered,
            error: None,
            points: WHOLE,
            reasons: None,
            output: Some(3),
        },
    );
}

#[test]
fn the_scheduler_panics_while_it_waits() {
    check(
        "panic while it waits",
        |_, request| {
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _held = request;
                panic!("of the scheduler");
            }));
            assert!(unwound.is_err());
        },
        Expect {
            end: End::Panicked,
            error: Some("panic"),
            points: QUEUED,
            reasons: None,
            output: None,
        },
    );
}

#[test]
fn the_scheduler_panics_in_mid_decode() {
    check(
        "panic in mid-decode",
        |rig, request| {
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let mut held = request;
                rig.decode(&mut held, 2);
                panic!("of the scheduler");
            }));
            assert!(unwound.is_err());
        },
        Expect {
            end: End::Panicked,
            error: Some("panic"),
            points: CUT,
            reasons: Some(&["error"]),
            output: Some(2),
        },
    );
}

#[test]
fn a_step_panics_and_the_requests_survive_it() {
    check(
        "a step panics",
        |rig, mut request| {
            rig.decode(&mut request, 2);
            let step = catch_unwind(|| panic!("of the model"));
            assert!(step.is_err());
            // The scheduler says what it makes of it.
            request.end(Outcome::failed(OUT_OF_MEMORY));
        },
        Expect {
            end: End::Failed,
            error: Some("out_of_memory"),
            points: CUT,
            reasons: Some(&["error"]),
            output: Some(2),
        },
    );
}

#[test]
fn what_is_switched_off_records_nothing_however_it_ends() {
    let rig = Rig::with(
        |builder| builder.with_level(StatsLevel::Disabled),
        |server| server,
    );
    let drives: [fn(&Rig, InferenceRequest); 4] = [
        |_, request| drop(request),
        |_, request| request.end(Outcome::ANSWERED),
        |rig, mut request| {
            rig.decode(&mut request, 40);
            request.preempted();
            request.preempted();
            request.cached(3);
            request.model("another");
            request.finish_reason(0, "stop");
            request.end(Outcome::failed(MODEL_ERROR));
        },
        |rig, mut request| rig.decode(&mut request, 3),
    ];
    for drive in drives {
        let request = rig.request();
        assert!(!request.is_recording());
        drive(&rig, request);
    }
    let _ = rig.server.step(4);
    assert!(rig.capture.records().is_empty());
    let points = rig.capture.points();
    let ours: Vec<_> = { points.names().into_iter() }
        .filter(|name| name.contains("llm") || name.contains("gen_ai"))
        .collect();
    assert_eq!(ours, [""; 0]);
}
