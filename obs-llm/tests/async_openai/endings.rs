//! Each way in which a call may end.

use crate::chat::STREAMED;
use crate::server::{Act, Server, json, serve, stream};
use crate::support::{
    OpenAi, asks, client, client_with, config, int, layer, llm, over, over_as, sends, soon,
};
use async_openai::Client;
use async_openai::error::OpenAIError;
use async_openai::middleware::retry::SimpleRetryPolicy;
use async_openai::middleware::{HttpRequestFactory, ReqwestService};
use async_openai::types::chat::{ChatCompletionResponseStream, CreateChatCompletionRequest};
use futures_util::StreamExt;
use obs_core::End;
use obs_llm::LlmClientLayer;
use obs_llm::adapters::async_openai::AsyncOpenAiLayer;
use obs_testing::{Capture, CapturedRecord};
use serde_json::json as value;
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{Layer, ServiceBuilder, service_fn};

pub(crate) fn chat() -> CreateChatCompletionRequest {
    asks(value!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
        "stream_options": {"include_usage": true},
    }))
}

async fn streamed(client: &OpenAi) -> ChatCompletionResponseStream {
    let stream = soon(client.chat().create_stream(chat())).await;
    stream.expect("a stream")
}

/// Reads so many items.
async fn read(stream: &mut ChatCompletionResponseStream, items: usize) {
    for _ in 0..items {
        soon(stream.next()).await.expect("more").expect("whole");
    }
}

/// What is to be known of the first `k` events.
#[track_caller]
fn known(record: &CapturedRecord, events: &[&str], error: Option<&str>) {
    let of = |what: &str| events.iter().filter(|event| event.contains(what)).count() as i64;
    assert_eq!(record.text("gen_ai.request.model"), Some("gpt-4o"));
    let contents = Some(of("\"content\":") - of("\"content\":\"\"")).filter(|count| *count > 0);
    assert_eq!(int(record, "obs.llm.response.chunks"), contents);
    let first = record.attr("gen_ai.response.time_to_first_chunk");
    assert_eq!(first.is_some(), contents.is_some());
    let told = of("\"prompt_tokens\"") > 0;
    assert_eq!(int(record, "gen_ai.usage.input_tokens"), told.then_some(19));
    assert_eq!(
        int(record, "gen_ai.usage.output_tokens"),
        told.then_some(10)
    );
    let reasons = record.attr("gen_ai.response.finish_reasons");
    let expect = match (of("\"finish_reason\":\"stop\""), error) {
        (1, _) => "stop",
        _ => "error",
    };
    assert_eq!(reasons, Some(&vec![expect.to_owned()].into()));
}

/// Ends a stream after `k` of its events in each way there is.
async fn ended(k: usize, events: &[&str]) {
    let sent = &events[..k];
    let (told, whole) = (k >= events.len() - 2, k == events.len());
    let or = |error: &'static str, fine: bool| (!fine).then_some(error);
    let ends = [
        (vec![Act::Hold], or("cancelled", told)),
        (vec![Act::Await, Act::Reset], or("body_error", whole)),
        (vec![Act::Await, Act::Last], or("incomplete_response", told)),
    ];
    for (end, error) in ends {
        let capture = Capture::new();
        let mut acts = vec![stream()];
        acts.extend(sent.iter().map(|event| Act::Chunk((*event).to_owned())));
        acts.extend(end.iter().cloned());
        let server = serve(vec![acts]).await;
        let mut stream = streamed(&client(&llm(&capture), &server)).await;
        // The last event is none of the client's items.
        read(&mut stream, k.min(events.len() - 1)).await;
        server.go_on.notify_one();
        if !matches!(end[0], Act::Hold) {
            // The client sees what it would see without us.
            let breaks = matches!(end[1], Act::Reset) && !whole;
            let rest = soon(stream.next()).await;
            assert_eq!(rest.is_some_and(|item| item.is_err()), breaks, "{end:?}");
        }
        drop(stream);
        known(&over(&capture, error).await, sent, error);
        if matches!(end[0], Act::Hold) {
            // What is dropped is let go of.
            soon(server.gone.notified()).await;
        }
    }
}

#[tokio::test]
async fn after_each_event_a_stream_may_end_in_each_way() {
    let events: Vec<&str> = STREAMED.split_inclusive("\n\n").collect();
    assert_eq!(events.len(), 8);
    for k in 0..=events.len() {
        ended(k, &events).await;
    }
}

/// What the provider answers, the client's error, and what the call is called.
async fn refused(status: &str, body: &str, says: &str, expect: &str) {
    for streams in [false, true] {
        let capture = Capture::new();
        let server = serve(vec![json(status, body)]).await;
        // The client's own retries, of which there are none left.
        let client = client_with(&llm(&capture), &server, 0);
        let error = match streams {
            true => soon(client.chat().create_stream(chat())).await.err(),
            false => soon(client.chat().create(chat())).await.err(),
        };
        let error = error.expect("an error").to_string();
        assert!(error.contains(says), "{error}");
        let record = over(&capture, Some(expect)).await;
        assert_eq!(record.text("gen_ai.request.model"), Some("gpt-4o"));
        let reasons = record.attr("gen_ai.response.finish_reasons");
        assert_eq!(reasons, Some(&vec!["error".to_owned()].into()));
        // What it says is in no attribute.
        assert!(!format!("{record:?}").contains(says));
    }
}

#[tokio::test]
async fn what_the_provider_calls_an_error_is_called_so() {
    let says = "quite unlike any other text";
    let error = |kind: &str, code: &str| {
        format!(r#"{{"error":{{"message":"{says}","type":{kind},"param":null,"code":{code}}}}}"#)
    };
    let cases = [
        (
            "401 Unauthorized",
            r#""invalid_request_error""#,
            r#""invalid_api_key""#,
            "invalid_api_key",
        ),
        (
            "400 Bad Request",
            r#""invalid_request_error""#,
            r#""context_length_exceeded""#,
            "context_length_exceeded",
        ),
        // The retries read these, and make errors of them.
        (
            "429 Too Many Requests",
            r#""insufficient_quota""#,
            "null",
            "insufficient_quota",
        ),
        (
            "429 Too Many Requests",
            r#""tokens""#,
            r#""rate_limit_exceeded""#,
            "rate_limit_exceeded",
        ),
        // Of a code that nobody knows the status says more.
        (
            "429 Too Many Requests",
            r#""of_its_own""#,
            r#""another""#,
            "429",
        ),
        ("400 Bad Request", r#""of_its_own""#, "null", "400"),
        (
            "500 Internal Server Error",
            r#""server_error""#,
            "null",
            "server_error",
        ),
    ];
    for (status, kind, code, expect) in cases {
        refused(status, &error(kind, code), says, expect).await;
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_a_status() {
    let capture = Capture::new();
    let page = "<html>Bad gateway</html>";
    let length = page.len();
    let server = serve(vec![vec![Act::Send(format!(
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n{page}"
    ))]])
    .await;
    let client = client_with(&llm(&capture), &server, 0);
    let error = soon(client.chat().create(chat())).await.expect_err("502");
    assert!(error.to_string().contains("Bad gateway"));
    over(&capture, Some("502")).await;
    assert_eq!(capture.count("obs.llm.anomalies"), 0);
}

#[tokio::test]
async fn an_error_within_a_stream_is_one() {
    let capture = Capture::new();
    let first = STREAMED.split_inclusive("\n\n").take(3).map(str::to_owned);
    let mut acts = vec![stream()];
    acts.extend(first.map(Act::Chunk));
    acts.push(Act::Chunk(
        "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":null}}\n\n"
            .to_owned(),
    ));
    acts.push(Act::Last);
    let server = serve(vec![acts]).await;
    let mut stream = streamed(&client(&llm(&capture), &server)).await;
    read(&mut stream, 3).await;
    // The client takes it for an item that it cannot read.
    soon(stream.next())
        .await
        .expect("an item")
        .expect_err("no chunk");
    assert!(soon(stream.next()).await.is_none());
    let record = over(&capture, Some("server_error")).await;
    assert_eq!(int(&record, "obs.llm.response.chunks"), Some(2));
}

#[tokio::test]
async fn nobody_there_is_a_call_that_failed_of_the_model_that_was_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let capture = Capture::new();
    let client = client_with(&llm(&capture), &Server::at(address), 0);
    let error = soon(client.chat().create(chat())).await;
    let OpenAIError::Reqwest(error) = error.expect_err("nobody") else {
        panic!("another error");
    };
    assert!(error.is_connect());
    let record = over(&capture, Some("service_error")).await;
    assert_eq!(record.text("gen_ai.request.model"), Some("gpt-4o"));
}

#[tokio::test]
async fn what_is_cut_in_the_head_failed() {
    for cut in ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\ncontent-ty"] {
        let capture = Capture::new();
        let server = serve(vec![vec![Act::Send(cut.to_owned()), Act::Reset]]).await;
        let client = client(&llm(&capture), &server);
        soon(client.chat().create(chat())).await.expect_err("a cut");
        over(&capture, Some("service_error")).await;
    }
}

#[tokio::test]
async fn who_gives_up_before_the_head_has_cancelled_it() {
    let capture = Capture::new();
    let server = serve(vec![vec![Act::Hold]]).await;
    let client = client(&llm(&capture), &server);
    let interface = client.chat();
    tokio::select! {
        _ = interface.create(chat()) => panic!("nobody answers"),
        () = soon(server.arrived.notified()) => {}
    }
    let record = over(&capture, Some("cancelled")).await;
    assert_eq!(record.outcome.end(), End::Cancelled);
    assert_eq!(record.text("gen_ai.request.model"), Some("gpt-4o"));
    soon(server.gone.notified()).await;
}

#[tokio::test]
async fn a_timeout_around_the_client_is_one_where_the_layer_knows_of_it() {
    for (deadline, expect) in [(None, "cancelled"), (Some(5), "timeout")] {
        let capture = Capture::new();
        let server = serve(vec![vec![Act::Hold]]).await;
        let mut told = LlmClientLayer::of(&llm(&capture));
        if let Some(seconds) = deadline {
            told = told.with_deadline(Duration::from_secs(seconds));
        }
        let stack = ServiceBuilder::new()
            .layer(AsyncOpenAiLayer::from(told))
            .service(sends());
        let client = Client::with_config(config(&server)).with_http_service(stack);
        let interface = client.chat();
        let late = async {
            soon(server.arrived.notified()).await;
            capture.clock().advance(Duration::from_secs(5));
        };
        tokio::select! {
            _ = interface.create(chat()) => panic!("nobody answers"),
            () = late => {}
        }
        over(&capture, Some(expect)).await;
    }
}

#[tokio::test]
async fn a_timeout_of_towers_is_one_inside_and_a_cancelled_call_outside() {
    let moment = Duration::from_millis(50);
    for (inside, end, expect) in [
        (true, End::TimedOut, "timeout"),
        (false, End::Cancelled, "cancelled"),
    ] {
        let capture = Capture::new();
        let server = serve(vec![vec![Act::Hold]]).await;
        let layer = layer(&llm(&capture));
        let retries = SimpleRetryPolicy::new(1);
        // The layers that async-openai's page puts around what sends.
        let sends = ServiceBuilder::new().retry(retries).service(sends());
        let client = Client::with_config(config(&server));
        let client = match inside {
            true => {
                let limits = ServiceBuilder::new().concurrency_limit(8).timeout(moment);
                client.with_http_service(layer.layer(limits.service(sends)))
            }
            false => {
                let limits = ServiceBuilder::new().concurrency_limit(8).timeout(moment);
                client.with_http_service(limits.layer(layer).service(sends))
            }
        };
        let error = soon(client.chat().create(chat())).await.expect_err("late");
        assert!(matches!(error, OpenAIError::Boxed(_)), "{error:?}");
        over_as(&capture, end, Some(expect)).await;
    }
}

#[tokio::test]
async fn a_timeout_of_reqwest_is_one() {
    let capture = Capture::new();
    let server = serve(vec![vec![Act::Hold]]).await;
    let impatient = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_millis(50))
        .build();
    let stack = ServiceBuilder::new()
        .layer(layer(&llm(&capture)))
        .service(ReqwestService::new(impatient.expect("a client")));
    let client = Client::with_config(config(&server)).with_http_service(stack);
    soon(client.chat().create(chat()))
        .await
        .expect_err("too late");
    let record = over(&capture, Some("timeout")).await;
    assert_eq!(record.outcome.end(), End::TimedOut);
}

#[tokio::test]
async fn a_reader_that_panics_has_given_the_stream_up() {
    let capture = Capture::new();
    let events: Vec<&str> = STREAMED.split_inclusive("\n\n").take(4).collect();
    let mut acts = vec![stream()];
    acts.extend(events.iter().map(|event| Act::Chunk((*event).to_owned())));
    acts.push(Act::Hold);
    let server = serve(vec![acts]).await;
    let client = client(&llm(&capture), &server);
    let reader = tokio::spawn(async move {
        let mut stream = streamed(&client).await;
        read(&mut stream, 4).await;
        panic!("a reader's");
    });
    assert!(soon(reader).await.expect_err("it panicked").is_panic());
    // What reads the answer is a task of the client's, which panics with nobody.
    let record = over(&capture, Some("cancelled")).await;
    known(&record, &events, Some("cancelled"));
    soon(server.gone.notified()).await;
}

#[tokio::test]
async fn who_panics_while_it_waits_for_the_head_takes_the_call_along() {
    let capture = Capture::new();
    let server = serve(vec![vec![Act::Hold]]).await;
    let client = client(&llm(&capture), &server);
    let arrived = server.arrived.clone();
    let waiter = tokio::spawn(async move {
        let interface = client.chat();
        // It is still there when the other branch panics.
        let mut asking = std::pin::pin!(interface.create(chat()));
        tokio::select! {
            _ = &mut asking => {}
            () = arrived.notified() => panic!("a waiter's"),
        }
    });
    assert!(soon(waiter).await.expect_err("it panicked").is_panic());
    over_as(&capture, End::Panicked, Some("panic")).await;
}

#[tokio::test]
async fn a_service_inside_that_panics_is_a_call_that_panicked() {
    let capture = Capture::new();
    let stack = ServiceBuilder::new()
        .layer(layer(&llm(&capture)))
        .service(service_fn(|factory: HttpRequestFactory| async move {
            let request = factory.build().await?;
            assert!(request.url().path().is_empty(), "it has one");
            reqwest::Client::new()
                .execute(request)
                .await
                .map_err(OpenAIError::from)
        }));
    let nobody = Server::at(([127, 0, 0, 1], 1).into());
    let client = Client::with_config(config(&nobody)).with_http_service(stack);
    let asking = tokio::spawn(async move { client.chat().create(chat()).await.err() });
    assert!(soon(asking).await.expect_err("it panicked").is_panic());
    over_as(&capture, End::Panicked, Some("panic")).await;
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_no_call() {
    let capture = Capture::new();
    let server = serve(vec![vec![Act::Hold]]).await;
    let stack = ServiceBuilder::new()
        .layer(layer(&llm(&capture)))
        .service(sends());
    let config = config(&server).with_api_base("no address at all");
    let client = Client::with_config(config).with_http_service(stack);
    soon(client.chat().create(chat()))
        .await
        .expect_err("no address");
    assert!(capture.records().is_empty());
    assert!(server.asked.lock().unwrap().is_empty());
}
