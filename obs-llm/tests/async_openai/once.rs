//! With layers of ours around the HTTP client as well: one call, whose HTTP exchanges are within it.

use crate::chat::STREAMED;
use crate::endings::chat;
use crate::server::{Server, events, json, serve};
use crate::support::{DURATION, FIRST, GAPS, OpenAi, TOKENS, config, layer, llm, soon, there};
use async_openai::Client;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::middleware::retry::OpenAIRetryLayer;
use futures_util::StreamExt;
use http::{Request, Response};
use obs_core::current;
use obs_http::HttpClientLayer;
use obs_http::client::Reqwest;
use obs_llm::{Dialect, LlmClientLayer};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use reqwest::Body;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

/// The client's requests as those of the `http` crate, so that any layers stand around what sends them.
fn through<S, R>(
    sends: S,
) -> impl Service<HttpRequestFactory, Response = reqwest::Response, Error = OpenAIError, Future: Send>
+ Clone
+ Send
+ Sync
where
    S: Service<Request<Body>, Response = Response<R>, Error = reqwest::Error>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    R: http_body::Body<Data = bytes::Bytes, Error = reqwest::Error> + Send + Sync + 'static,
{
    service_fn(move |factory: HttpRequestFactory| {
        let sends = sends.clone();
        async move {
            let request = factory.build().await?.try_into()?;
            let response: Response<R> = sends.oneshot(request).await?;
            Ok::<_, OpenAIError>(response.map(Body::wrap).into())
        }
    })
}

fn reqwest_client() -> Reqwest {
    Reqwest::build(reqwest::Client::builder().no_proxy()).expect("a client")
}

/// A client whose requests end in `sends`, with the adapter outside of its retries.
fn client<S>(capture: &Capture, server: &Server, sends: S) -> OpenAi
where
    S: Service<HttpRequestFactory, Response = reqwest::Response, Error = OpenAIError>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let stack = ServiceBuilder::new()
        .layer(layer(&llm(capture)))
        .layer(OpenAIRetryLayer::default())
        .service(sends);
    Client::with_config(config(server)).with_http_service(stack)
}

/// The call, and what was sent for it in the order of its start.
#[track_caller]
pub(crate) fn family(capture: &Capture) -> (CapturedRecord, Vec<CapturedRecord>) {
    let (calls, mut attempts): (Vec<_>, Vec<_>) = capture
        .records()
        .into_iter()
        .partition(|record| record.name.starts_with("chat"));
    let [call]: [_; 1] = calls.try_into().expect("one call");
    for attempt in &attempts {
        assert_eq!(attempt.name, "POST");
        assert_eq!(attempt.trace_id, call.trace_id);
        assert_eq!(attempt.parent_span_id, Some(call.span_id));
    }
    attempts.sort_by_key(|attempt| attempt.start_ns);
    (call, attempts)
}

/// A stream is read to its end: one call, whose tokens count once, with so many exchanges within.
async fn once(capture: &Capture, client: &OpenAi, exchanges: usize) {
    let stream = soon(client.chat().create_stream(chat())).await;
    let items: Vec<_> = soon(stream.expect("a stream").collect()).await;
    assert_eq!(items.iter().filter(|item| item.is_ok()).count(), 7);
    assert_eq!(items.len(), 7);
    there(capture, exchanges + 1).await;
    let (call, attempts) = family(capture);
    assert_eq!(call.error_type(), None);
    assert_eq!(attempts.len(), exchanges);
    assert_eq!(capture.count(DURATION), 1);
    assert_eq!(capture.count(FIRST), 1);
    assert_eq!(capture.count(GAPS), 3);
    let points = capture.points();
    for (kind, tokens) in [("input", 19.0), ("output", 10.0)] {
        let of: [(&str, AttrValue); 1] = [("gen_ai.token.type", kind.into())];
        let point = points.histogram(TOKENS, &of).expect("one series");
        assert_eq!((point.count, point.sum), (1, Some(tokens)), "{kind}");
    }
}

#[tokio::test]
async fn with_an_http_layer_within_the_exchange_is_a_child() {
    let capture = Capture::new();
    let server = serve(vec![events(STREAMED)]).await;
    let sends = HttpClientLayer::new(capture.telemetry()).layer(reqwest_client());
    once(&capture, &client(&capture, &server, through(sends)), 1).await;
    let asked = server.asked.lock().unwrap()[0].head.to_lowercase();
    let (call, attempts) = family(&capture);
    let context = format!("traceparent: 00-{}-{}-", call.trace_id, attempts[0].span_id);
    assert!(asked.contains(&context), "{asked}");
}

#[tokio::test]
async fn with_the_layer_of_http_clients_within_it_is_one_call() {
    let capture = Capture::new();
    let server = serve(vec![events(STREAMED)]).await;
    let sends = LlmClientLayer::of(&llm(&capture)).layer(reqwest_client());
    once(&capture, &client(&capture, &server, through(sends)), 0).await;
}

#[tokio::test]
async fn with_both_within_it_is_one_call_whichever_is_between() {
    let capture = Capture::new();
    let server = serve(vec![events(STREAMED)]).await;
    let exchanges = HttpClientLayer::new(capture.telemetry());
    let calls = LlmClientLayer::of(&llm(&capture));
    let between = exchanges.layer(calls.layer(reqwest_client()));
    once(&capture, &client(&capture, &server, through(between)), 1).await;
    capture.clear();
    let capture = Capture::new();
    let exchanges = HttpClientLayer::new(capture.telemetry());
    let calls = LlmClientLayer::of(&llm(&capture));
    let within = calls.layer(exchanges.layer(reqwest_client()));
    once(&capture, &client(&capture, &server, through(within)), 1).await;
}

#[tokio::test]
async fn twice_in_one_stack_it_is_one_call() {
    let capture = Capture::new();
    let server = serve(vec![events(STREAMED)]).await;
    let inner = layer(&llm(&capture)).layer(through(reqwest_client()));
    once(&capture, &client(&capture, &server, inner), 0).await;
}

#[tokio::test]
async fn of_another_telemetry_the_layer_within_sees_that_there_is_a_call() {
    let (capture, other) = (Capture::new(), Capture::new());
    let server = serve(vec![events(STREAMED)]).await;
    let exchanges = HttpClientLayer::new(capture.telemetry());
    let sends = exchanges.layer(LlmClientLayer::of(&llm(&other)).layer(reqwest_client()));
    once(&capture, &client(&capture, &server, through(sends)), 1).await;
    assert!(other.records().is_empty());
}

#[tokio::test]
async fn retries_are_exchanges_within_one_call() {
    let capture = Capture::new();
    let busy = json(
        "503 Service Unavailable",
        r#"{"error":{"message":"busy","type":"server_error"}}"#,
    );
    let limited = json(
        "429 Too Many Requests",
        r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#,
    );
    let server = serve(vec![busy, limited, events(STREAMED)]).await;
    let exchanges = HttpClientLayer::new(capture.telemetry());
    let sends = exchanges.layer(LlmClientLayer::of(&llm(&capture)).layer(reqwest_client()));
    once(&capture, &client(&capture, &server, through(sends)), 3).await;
    let (_, attempts) = family(&capture);
    let errors: Vec<_> = attempts.iter().map(CapturedRecord::error_type).collect();
    assert_eq!(errors, [Some("503"), Some("429"), None]);
    // The same was sent each time.
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|one| one.body == asked[0].body));
}

/// As tower's `Buffer` does; only who makes it part of the call has one of it.
#[tokio::test]
async fn what_is_spawned_between_is_part_of_the_call_where_it_is_made_so() {
    for (is_part, calls) in [(true, 1), (false, 2)] {
        let server = serve(vec![events(STREAMED)]).await;
        let capture = Capture::new();
        let sends = LlmClientLayer::of(&llm(&capture)).layer(reqwest_client());
        let spawns = service_fn(move |request: Request<Body>| {
            let sent = sends.clone().oneshot(request);
            let task = match is_part {
                true => tokio::spawn(current::wrap(sent)),
                false => tokio::spawn(sent),
            };
            async { task.await.expect("no panic") }
        });
        let client = client(&capture, &server, through(spawns));
        let stream = soon(client.chat().create_stream(chat())).await;
        let items: Vec<_> = soon(stream.expect("a stream").collect()).await;
        assert!(items.iter().all(Result::is_ok));
        there(&capture, calls).await;
        assert_eq!(capture.records().len(), calls);
        assert_eq!(capture.count(DURATION), calls as u64);
    }
}

/// Whoever has two tells both stories.
#[tokio::test]
async fn of_another_dialect_the_layer_within_tells_its_own() {
    let server = serve(vec![events(STREAMED)]).await;
    let capture = Capture::new();
    let other = llm(&capture).with_dialect(Dialect::Main);
    let sends = LlmClientLayer::of(&other).layer(reqwest_client());
    let client = client(&capture, &server, through(sends));
    let stream = soon(client.chat().create_stream(chat())).await;
    let items: Vec<_> = soon(stream.expect("a stream").collect()).await;
    assert!(items.iter().all(Result::is_ok));
    there(&capture, 2).await;
    assert_eq!(capture.count(DURATION), 1);
    assert_eq!(capture.count("gen_ai.client.inference.duration"), 1);
}
