//! Every way in which a call may end.

use crate::answers::{ANSWER, EVENTS};
use crate::client::Sends;
use crate::server::{Act, begun, nobody, serve, soon, streamed, whole};
use crate::support::{ACTIVE, Frames, anthropic, chat, hello, hyper, int, layer, openai, over};
use futures_util::{FutureExt, StreamExt};
use obs_testing::{Capture, CapturedRecord};
use rig_core::providers::openai::OpenAIConfig;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::Notify;

const LIMITED: &str =
    r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#;
const TEXT: &str = include_str!("../corpus/anthropic/text.sse");

/// What the provider refuses, however it was asked.
async fn refused(status: &str, kind: &str, body: &str, expect: &str) {
    let server = serve(whole(status, kind, body)).await;
    for streams in [false, true] {
        let capture = Capture::new();
        let model = chat(&capture, &server.url(""));
        let error = if streams {
            let stream = model.stream(hello()).expect("not yet");
            soon(stream.finish()).await
        } else {
            soon(model.call(hello())).await
        };
        error.expect_err("it was refused");
        let record = over(&capture, Some(expect));
        assert_eq!(record.text("gen_ai.request.model"), Some("gpt-4o-mini"));
    }
}

#[tokio::test]
async fn an_error_is_called_by_its_code() {
    let code = "rate_limit_exceeded";
    refused("429 Too Many Requests", "application/json", LIMITED, code).await;
}

#[tokio::test]
async fn an_error_without_a_code_is_called_by_its_status() {
    let page = "<html>no upstream</html>";
    refused("502 Bad Gateway", "text/html", page, "502").await;
    refused("500 Internal Server Error", "application/json", "{}", "500").await;
}

#[tokio::test]
async fn nobody_there_is_a_call_that_failed_of_the_model_that_was_said() {
    for streams in [false, true] {
        let capture = Capture::new();
        let model = chat(&capture, &nobody().await);
        let error = if streams {
            let stream = model.stream(hello()).expect("not yet");
            soon(stream.finish()).await
        } else {
            soon(model.call(hello())).await
        };
        error.expect_err("nobody answers");
        let record = over(&capture, Some("service_error"));
        assert_eq!(record.text("gen_ai.request.model"), Some("gpt-4o-mini"));
    }
}

#[tokio::test]
async fn what_rig_refuses_to_send_is_no_call() {
    let capture = Capture::new();
    let model = chat(&capture, "http://127.0.0.1:9");
    let mut nothing = hello();
    nothing.chat_history.clear();
    soon(model.call(nothing)).await.expect_err("no messages");
    assert_eq!(capture.records().len(), 0);
}

/// What is to be known of the first `k` events of [`TEXT`].
#[track_caller]
fn known(record: &CapturedRecord, events: &[&str]) {
    let of = |what: &str| events.iter().filter(|event| event.contains(what)).count() as i64;
    let contents = Some(of("text_delta")).filter(|count| *count > 0);
    assert_eq!(int(record, "obs.llm.response.chunks"), contents);
    let input = (of("message_start") > 0).then_some(25);
    assert_eq!(int(record, "gen_ai.usage.input_tokens"), input);
    let output = if of("message_delta") > 0 { 15 } else { 1 };
    let output = (of("message_start") > 0).then_some(output);
    assert_eq!(int(record, "gen_ai.usage.output_tokens"), output);
    let first = record.attr("gen_ai.response.time_to_first_chunk");
    assert_eq!(first.is_some(), contents.is_some());
}

#[tokio::test]
async fn after_each_event_an_answer_may_end_in_each_way() {
    let events: Vec<&str> = TEXT.split_inclusive("\n\n").collect();
    assert_eq!(events.len(), 8);
    for k in 0..=events.len() {
        let sent = &events[..k];
        // rig ends an answer of Anthropic's with its reason, and reads nothing behind it.
        let told = k >= events.len() - 1;
        let or = |error: &'static str, fine: bool| (!fine).then_some(error);
        let broken = match k {
            // There was nothing of an answer yet.
            0 => Some("service_error"),
            _ => or("body_error", told),
        };
        let last = Act::Last;
        let ends = [
            (vec![Act::Hold], or("cancelled", told)),
            (vec![Act::Await, Act::Reset], broken),
            (vec![Act::Await, Act::Close], broken),
            (vec![Act::Await, last], or("incomplete_response", told)),
        ];
        for (end, error) in ends {
            let capture = Capture::new();
            let server = serve(begun(sent, &end)).await;
            let model = anthropic(&server.url("")).completion("claude-sonnet-4-5");
            let (model, frames) = Frames::of(model);
            let model = layer(&capture).layer(model);
            let mut stream = model.stream(hello()).expect("a stream");
            soon(frames.read(&mut stream, k.min(events.len() - 1))).await;
            server.go_on.notify_one();
            if k == 0 && end.len() == 1 {
                // Nothing was asked before somebody reads.
                let pause = Duration::from_millis(1);
                let waited = tokio::time::timeout(pause, stream.next()).await;
                waited.expect_err("nothing was sent");
            }
            if end.len() > 1 {
                let rest: Vec<_> = soon((&mut stream).collect()).await;
                let fails = rest.iter().any(Result::is_err);
                assert_eq!(fails, !told, "{k} {end:?} {rest:?}");
            }
            drop(stream);
            known(&over(&capture, error), sent);
        }
    }
}

#[tokio::test]
async fn an_error_within_a_stream_is_the_ending() {
    let capture = Capture::new();
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let events = TEXT.split_inclusive("\n\n").take(4).chain([error]);
    let server = serve(streamed(&events.collect::<Vec<_>>())).await;
    let model = anthropic(&server.url("")).completion("claude-sonnet-4-5");
    let model = layer(&capture).layer(model);
    let stream = model.stream(hello()).expect("a stream");
    soon(stream.finish()).await.expect_err("overloaded");
    let record = over(&capture, Some("overloaded_error"));
    assert_eq!(int(&record, "obs.llm.response.chunks"), Some(1));
    let reasons = record.attr("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&vec!["error"].into()));
}

#[tokio::test]
async fn what_is_no_json_is_an_incomplete_answer() {
    let broken = ["data: {\"choices\":\n\n"];
    let answers = [
        (false, whole("200 OK", "application/json", "{\"choices\":")),
        (true, begun(&broken, &[Act::Hold])),
    ];
    for (streams, answer) in answers {
        let capture = Capture::new();
        let server = serve(answer).await;
        let model = chat(&capture, &server.url(""));
        let error = match streams {
            true => soon(model.stream(hello()).expect("a stream").finish()).await,
            false => soon(model.call(hello())).await,
        };
        error.expect_err("no JSON");
        over(&capture, Some("incomplete_response"));
    }
}

#[tokio::test]
async fn who_gives_up_before_an_answer_has_cancelled_it() {
    let capture = Capture::new();
    let server = serve(vec![Act::Hold]).await;
    let model = chat(&capture, &server.url(""));
    tokio::select! {
        _ = model.call(hello()) => panic!("nobody answers"),
        () = soon(server.arrived.notified()) => {}
    }
    over(&capture, Some("cancelled"));
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cancelled() {
    let capture = Capture::new();
    let server = serve(streamed(EVENTS)).await;
    let model = chat(&capture, &server.url(""));
    let stream = model.stream(hello()).expect("a stream");
    assert_eq!(capture.in_flight(ACTIVE), 1);
    drop(stream);
    over(&capture, Some("cancelled"));
    assert!(server.bodies().is_empty(), "rig asks when it is read");
}

#[tokio::test]
async fn a_reader_that_panics_is_told() {
    let capture = Capture::new();
    let server = serve(begun(&EVENTS[..3], &[Act::Hold])).await;
    let (model, frames) = Frames::of(openai(&server.url("")).chat("gpt-4o-mini"));
    let model = layer(&capture).layer(model);
    let reading = async {
        let mut stream = model.stream(hello()).expect("a stream");
        frames.read(&mut stream, 3).await;
        panic!("the reader's own");
    };
    let ended = soon(AssertUnwindSafe(reading).catch_unwind()).await;
    ended.expect_err("it panicked");
    let record = over(&capture, Some("panic"));
    assert_eq!(int(&record, "obs.llm.response.chunks"), Some(2));
}

#[tokio::test]
async fn a_timeout_around_it_cancels_and_after_its_deadline_it_timed_out() {
    let ends = [(None, "cancelled"), (Some(Duration::ZERO), "timeout")];
    for (deadline, error) in ends {
        let server = serve(begun(&EVENTS[..3], &[Act::Hold])).await;
        let capture = Capture::new();
        let mut layer = layer(&capture);
        if let Some(deadline) = deadline {
            layer = layer.with_deadline(deadline);
        }
        let (model, frames) = Frames::of(openai(&server.url("")).chat("gpt-4o-mini"));
        let model = layer.layer(model);
        let seen = Notify::new();
        let reading = async {
            let mut stream = model.stream(hello()).expect("a stream");
            capture.clock().advance(Duration::from_millis(1));
            frames.read(&mut stream, 3).await;
            seen.notify_one();
            stream.finish().await
        };
        // As a timeout does, which drops what it waits for.
        tokio::select! {
            _ = reading => panic!("it holds"),
            () = soon(seen.notified()) => {}
        }
        let record = over(&capture, Some(error));
        assert_eq!(int(&record, "obs.llm.response.chunks"), Some(2));
    }
}

#[tokio::test]
async fn the_http_clients_timeout_is_a_timeout() {
    let server = serve(vec![Act::Hold]).await;
    let capture = Capture::new();
    let timeout = tower::timeout::TimeoutLayer::new(Duration::from_millis(100));
    let sends = tower::Layer::layer(&timeout, hyper());
    let config = OpenAIConfig::new("sk-secret").with_base_url(server.url("/v1"));
    let model = config.connect(Sends(sends)).chat("gpt-4o-mini");
    let model = layer(&capture).layer(model);
    soon(model.call(hello())).await.expect_err("late");
    over(&capture, Some("timeout"));
}

#[tokio::test]
async fn a_connection_that_breaks_in_an_answer_of_one_piece_is_a_call_that_failed() {
    let capture = Capture::new();
    let half = &ANSWER[..ANSWER.len() / 2];
    let length = ANSWER.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let answer = format!("{head}content-length: {length}\r\n\r\n{half}");
    let server = serve(vec![Act::Send(answer), Act::Close]).await;
    let model = chat(&capture, &server.url(""));
    soon(model.call(hello())).await.expect_err("it broke");
    over(&capture, Some("service_error"));
}

#[tokio::test]
async fn what_panics_beneath_is_told() {
    let capture = Capture::new();
    let sends = tower::util::service_fn(
        |_: http::Request<http_body_util::Full<bytes::Bytes>>| async {
            if true {
                panic!("the client's own");
            }
            Ok::<_, std::io::Error>(http::Response::new(
                http_body_util::Full::<bytes::Bytes>::default(),
            ))
        },
    );
    let config = OpenAIConfig::new("sk-secret").with_base_url("http://127.0.0.1/v1");
    let model = config.connect(Sends(sends)).chat("gpt-4o-mini");
    let model = layer(&capture).layer(model);
    let calling = AssertUnwindSafe(model.call(hello())).catch_unwind();
    soon(calling).await.expect_err("it panicked");
    over(&capture, Some("panic"));
}
