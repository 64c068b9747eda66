//! Every way in which a call may end.

use crate::answers::EVENTS;
use crate::server::{Act, begun, nobody, serve, soon, streamed, whole};
use crate::support::{
    ACTIVE, Counts, DURATION, anthropic, bare, client, hello, int, llm, openai, over, read, target,
};
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::ChatOptions;
use obs_llm::adapters::genai::{ChatStream, Client};
use obs_testing::{Capture, CapturedRecord};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
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
        let client = client(&capture);
        let error = if streams {
            let asking = client.exec_chat_stream(openai(&server), hello(), None);
            let mut stream = soon(asking).await.expect("not yet").stream;
            let start = soon(stream.next()).await.expect("genai's start");
            start.expect("nothing was asked yet");
            soon(stream.next()).await.expect("an error").map(drop)
        } else {
            let asking = client.exec_chat(openai(&server), hello(), None);
            soon(asking).await.map(drop)
        };
        error.expect_err("it was refused");
        over(&capture, Some(expect));
    }
}

#[tokio::test]
async fn an_error_is_called_by_its_code() {
    refused(
        "429 Too Many Requests",
        "application/json",
        LIMITED,
        "rate_limit_exceeded",
    )
    .await;
}

#[tokio::test]
async fn an_error_without_a_code_is_called_by_its_status() {
    refused(
        "502 Bad Gateway",
        "text/html",
        "<html>no upstream</html>",
        "502",
    )
    .await;
    refused("500 Internal Server Error", "application/json", "{}", "500").await;
}

#[tokio::test]
async fn nobody_there_is_a_call_that_failed_of_the_model_that_was_said() {
    for streams in [false, true] {
        let capture = Capture::new();
        let client = client(&capture);
        let model = target(AdapterKind::OpenAI, nobody().await + "/v1/", "gpt-4o-mini");
        let error = if streams {
            let asking = client.exec_chat_stream(model, hello(), None);
            let mut stream = soon(asking).await.expect("not yet").stream;
            read(&mut stream, 1).await;
            soon(stream.next()).await.expect("an error").map(drop)
        } else {
            soon(client.exec_chat(model, hello(), None)).await.map(drop)
        };
        error.expect_err("nobody answers");
        let record = over(&capture, Some("service_error"));
        assert_eq!(record.text("gen_ai.request.model"), Some("gpt-4o-mini"));
    }
}

#[tokio::test]
async fn what_genai_itself_refuses_is_a_call_that_failed() {
    let capture = Capture::new();
    let client = client(&capture);
    // The adapter asks for a key, which this one is not.
    let mut model = target(
        AdapterKind::OpenAI,
        "http://127.0.0.1:9/v1/".to_owned(),
        "m",
    );
    model.auth = genai::resolver::AuthData::from_env("NO_SUCH_VARIABLE_OF_A_KEY");
    let asking = client.exec_chat_stream(model, hello(), None);
    soon(asking).await.map(drop).expect_err("no key");
    over(&capture, Some("service_error"));
}

/// What is to be known of the first `k` events of [`TEXT`].
#[track_caller]
fn known(record: &CapturedRecord, events: &[&str]) {
    let of = |what: &str| events.iter().filter(|event| event.contains(what)).count() as i64;
    let contents = Some(of("text_delta")).filter(|count| *count > 0);
    assert_eq!(int(record, "obs.llm.response.chunks"), contents);
    let started = of("message_start") > 0;
    assert_eq!(
        int(record, "gen_ai.usage.input_tokens"),
        started.then_some(25)
    );
    let output = if of("message_delta") > 0 { 15 } else { 1 };
    assert_eq!(
        int(record, "gen_ai.usage.output_tokens"),
        started.then_some(output)
    );
    let first = record.attr("gen_ai.response.time_to_first_chunk");
    assert_eq!(first.is_some(), contents.is_some());
}

/// How many of genai's events these make: its start, a ping, two texts, its end.
fn shown(events: &[&str]) -> usize {
    let shows = |event: &&&str| {
        ["event: ping", "text_delta", "event: message_stop"]
            .iter()
            .any(|shown| event.contains(shown))
    };
    1 + events.iter().filter(shows).count()
}

#[tokio::test]
async fn after_each_event_an_answer_may_end_in_each_way() {
    let events: Vec<&str> = TEXT.split_inclusive("\n\n").collect();
    assert_eq!(events.len(), 8);
    for k in 0..=events.len() {
        let sent = &events[..k];
        let (told, whole) = (k >= events.len() - 1, k == events.len());
        let or = |error: &'static str, fine: bool| (!fine).then_some(error);
        let last = Act::Last;
        let ends = [
            (vec![Act::Hold], or("cancelled", told)),
            (vec![Act::Await, Act::Reset], or("body_error", whole)),
            (vec![Act::Await, Act::Close], or("body_error", whole)),
            (vec![Act::Await, last], or("incomplete_response", told)),
        ];
        for (end, error) in ends {
            let capture = Capture::new();
            let server = serve(begun(sent, &end)).await;
            let client = client(&capture);
            let counts = Arc::new(Counts::default());
            let options = ChatOptions::default().with_raw_frame_sink_arc(counts.clone());
            let asking = client.exec_chat_stream(anthropic(&server), hello(), Some(&options));
            let mut stream = soon(asking).await.expect("a stream").stream;
            read(&mut stream, shown(sent)).await;
            soon(seen(&mut stream, &counts, k)).await;
            server.go_on.notify_one();
            if end.len() > 1 {
                let rest = soon(stream.next()).await;
                let breaks = matches!(end[1], Act::Reset | Act::Close) && !whole;
                assert_eq!(
                    rest.is_some_and(|rest| rest.is_err()),
                    breaks,
                    "{k} {end:?}"
                );
            }
            drop(stream);
            known(&over(&capture, error), sent);
        }
    }
}

/// Asks for more until so many frames have been seen, whatever came of them.
async fn seen(stream: &mut ChatStream, counts: &Counts, frames: usize) {
    while counts.seen() < frames {
        let pause = Duration::from_millis(1);
        let waited = tokio::time::timeout(pause, stream.next()).await;
        assert!(waited.is_err(), "nothing more was sent");
    }
}

#[tokio::test]
async fn an_error_within_a_stream_is_the_ending() {
    let capture = Capture::new();
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let events: Vec<&str> = TEXT
        .split_inclusive("\n\n")
        .take(4)
        .chain([error])
        .collect();
    let server = serve(streamed(&events)).await;
    let client = client(&capture);
    let asking = client.exec_chat_stream(anthropic(&server), hello(), None);
    let stream = soon(asking).await.expect("a stream").stream;
    let events: Vec<_> = soon(stream.collect()).await;
    assert!(events.last().is_some_and(Result::is_err));
    let record = over(&capture, Some("overloaded_error"));
    assert_eq!(int(&record, "obs.llm.response.chunks"), Some(1));
    assert_eq!(int(&record, "gen_ai.usage.input_tokens"), Some(25));
    let reasons = record.attr("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&vec!["error"].into()));
}

#[tokio::test]
async fn an_error_within_openais_stream_is_the_ending() {
    let capture = Capture::new();
    let error = "data: {\"error\":{\"message\":\"gone\",\"type\":\"server_error\"}}\n\n";
    let events = [EVENTS[0], EVENTS[1], error];
    let server = serve(begun(&events, &[Act::Hold])).await;
    let client = client(&capture);
    let asking = client.exec_chat_stream(openai(&server), hello(), None);
    let mut stream = soon(asking).await.expect("a stream").stream;
    read(&mut stream, 2).await;
    soon(stream.next()).await.expect("more").expect_err("gone");
    // The call does not wait for whoever holds the stream.
    over(&capture, Some("server_error"));
    drop(stream);
    assert_eq!(capture.count(DURATION), 1);
}

#[tokio::test]
async fn what_is_no_json_is_an_incomplete_answer() {
    let capture = Capture::new();
    let server = serve(whole("200 OK", "application/json", "{\"choices\":")).await;
    let client = client(&capture);
    let asking = client.exec_chat(openai(&server), hello(), None);
    soon(asking).await.map(drop).expect_err("no JSON");
    over(&capture, Some("incomplete_response"));
}

#[tokio::test]
async fn who_gives_up_before_an_answer_has_cancelled_it() {
    let capture = Capture::new();
    let server = serve(vec![Act::Hold]).await;
    let client = client(&capture);
    let asking = client.exec_chat(openai(&server), hello(), None);
    tokio::select! {
        _ = asking => panic!("nobody answers"),
        () = soon(server.arrived.notified()) => {}
    }
    over(&capture, Some("cancelled"));
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cancelled() {
    let capture = Capture::new();
    let server = serve(streamed(EVENTS)).await;
    let client = client(&capture);
    let asking = client.exec_chat_stream(openai(&server), hello(), None);
    let answer = soon(asking).await.expect("a stream");
    assert_eq!(capture.in_flight(ACTIVE), 1);
    drop(answer);
    over(&capture, Some("cancelled"));
    assert!(server.bodies().is_empty(), "genai asks when it is read");
}

#[tokio::test]
async fn a_reader_that_panics_is_told() {
    let capture = Capture::new();
    let server = serve(begun(&EVENTS[..3], &[Act::Hold])).await;
    let client = client(&capture);
    let reading = async {
        let asking = client.exec_chat_stream(openai(&server), hello(), None);
        let mut stream = asking.await.expect("a stream").stream;
        read(&mut stream, 2).await;
        panic!("the reader's own");
    };
    let reading = AssertUnwindSafe(reading);
    let ended = soon(futures_util::FutureExt::catch_unwind(reading)).await;
    ended.expect_err("it panicked");
    let record = over(&capture, Some("panic"));
    assert_eq!(int(&record, "obs.llm.response.chunks"), Some(1));
}

#[tokio::test]
async fn a_timeout_around_it_cancels_and_after_its_deadline_it_timed_out() {
    let ends = [(None, "cancelled"), (Some(Duration::ZERO), "timeout")];
    for (deadline, error) in ends {
        let server = serve(begun(&EVENTS[..3], &[Act::Hold])).await;
        let capture = Capture::new();
        let mut client = client(&capture);
        if let Some(deadline) = deadline {
            client = client.with_deadline(deadline);
        }
        let seen = Notify::new();
        let reading = async {
            let asking = client.exec_chat_stream(openai(&server), hello(), None);
            let mut stream = asking.await.expect("a stream").stream;
            capture.clock().advance(Duration::from_millis(1));
            read(&mut stream, 3).await;
            seen.notify_one();
            stream.next().await
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
async fn genais_own_timeouts_are_timeouts() {
    let server = serve(begun(&EVENTS[..2], &[Act::Hold])).await;
    let capture = Capture::new();
    let client = client(&capture);
    let options = ChatOptions::default().with_stream_read_timeout(Duration::from_millis(100));
    let asking = client.exec_chat_stream(openai(&server), hello(), Some(&options));
    let mut stream = soon(asking).await.expect("a stream").stream;
    read(&mut stream, 2).await;
    soon(stream.next())
        .await
        .expect("an end")
        .expect_err("late");
    over(&capture, Some("timeout"));
}

#[tokio::test]
async fn the_http_clients_timeout_is_one_too() {
    let server = serve(vec![Act::Hold]).await;
    let capture = Capture::new();
    let reqwest = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_millis(100))
        .build()
        .expect("a client");
    let inner = bare().with_reqwest(reqwest).build().expect("a client");
    let client = Client::new(inner, &llm(&capture));
    let asking = client.exec_chat(openai(&server), hello(), None);
    soon(asking).await.map(drop).expect_err("late");
    over(&capture, Some("timeout"));
}

#[tokio::test]
async fn what_panics_within_is_told() {
    let capture = Capture::new();
    let panics = |target: genai::ServiceTarget| -> Result<_, genai::resolver::Error> {
        if target.endpoint.base_url().starts_with("https") {
            panic!("the resolver's own");
        }
        Ok(target)
    };
    let inner = bare().with_service_target_resolver_fn(panics).build();
    let client = Client::new(inner.expect("a client"), &llm(&capture));
    let calling = client.exec_chat("gpt-4o-mini", hello(), None);
    let calling = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(calling));
    soon(calling).await.map(drop).expect_err("it panicked");
    over(&capture, Some("panic"));
}
