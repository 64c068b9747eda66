//! With others around it and within it: nothing counts twice.

use crate::answers::{ANSWER, EVENTS};
use crate::server::{serve, soon, streamed, whole};
use crate::support::{DURATION, TOKENS, bare, client, hello, llm, openai, over};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use obs_core::StatsLevel;
use obs_llm::LlmClientLayer;
use obs_llm::adapters::genai::Client;
use obs_llm::client::RequestBody;
use obs_testing::Capture;
use std::convert::Infallible;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const ASKED: &str = r#"{"model":"gpt-4o","messages":[]}"#;

#[tokio::test]
async fn within_a_call_that_is_observed_already_it_does_nothing() {
    let server = serve(whole("200 OK", "application/json", ANSWER)).await;
    let capture = Capture::new();
    let client = client(&capture);
    // A service that answers by asking through genai.
    let answers = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let asking = client.exec_chat(openai(&server), hello(), None);
        asking.await.expect("an answer");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(ANSWER)))
    });
    let layer = LlmClientLayer::of(&llm(&capture));
    let request = Request::post(CHAT).body(Full::from(ASKED));
    let answered = layer.layer(answers).oneshot(request.expect("a request"));
    let answer = soon(answered).await.expect("infallible");
    soon(answer.into_body().collect())
        .await
        .expect("infallible");
    let record = over(&capture, None);
    assert_eq!(record.text("server.address"), Some("api.openai.com"));
    assert_eq!(capture.count(TOKENS), 2);
}

#[tokio::test]
async fn a_stream_within_a_call_passes_as_it_is() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let client = client(&capture);
    let answers = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let asking = client.exec_chat_stream(openai(&server), hello(), None);
        let stream = asking.await.expect("a stream").stream;
        let events: Vec<_> = stream.collect().await;
        assert_eq!(events.len(), 4, "{events:?}");
        assert!(events.iter().all(Result::is_ok));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(ANSWER)))
    });
    let layer = LlmClientLayer::of(&llm(&capture));
    let request = Request::post(CHAT).body(Full::from(ASKED));
    let answered = layer.layer(answers).oneshot(request.expect("a request"));
    let answer = soon(answered).await.expect("infallible");
    soon(answer.into_body().collect())
        .await
        .expect("infallible");
    over(&capture, None);
    assert_eq!(capture.count(TOKENS), 2);
}

/// genai lets no layer stand beneath; but its resolvers run within the call, and may ask whom they like.
#[tokio::test]
async fn what_runs_within_it_is_part_of_the_call() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let layer = LlmClientLayer::of(&llm(&capture));
    let url = server.url("/v1/");
    let resolves = move |mut target: genai::ServiceTarget| {
        let (layer, url) = (layer.clone(), url.clone());
        let resolving = async move {
            let inner = service_fn(|request: Request<RequestBody<Full<Bytes>>>| async {
                request.into_body().collect().await.expect("infallible");
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(ANSWER)))
            });
            let request = Request::post(CHAT).body(Full::from(ASKED));
            let answered = layer.layer(inner).oneshot(request.expect("a request"));
            let answer = answered.await.expect("infallible");
            answer.into_body().collect().await.expect("infallible");
            target.endpoint = genai::resolver::Endpoint::from_owned(url);
            target.auth = genai::resolver::AuthData::from_single("sk-secret");
            Ok(target)
        };
        Box::pin(resolving) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
    };
    let resolver = genai::resolver::ServiceTargetResolver::from_resolver_async_fn(resolves);
    let inner = bare().with_service_target_resolver(resolver).build();
    let client = Client::new(inner.expect("a client"), &llm(&capture));
    let asking = client.exec_chat_stream("gpt-4o-mini", hello(), None);
    let stream = soon(asking).await.expect("a stream").stream;
    let events: Vec<_> = soon(stream.collect()).await;
    assert!(events.iter().all(Result::is_ok));
    let record = over(&capture, None);
    assert_eq!(record.name, "chat gpt-4o-mini");
    assert_eq!(capture.count(TOKENS), 2);
}

#[tokio::test]
async fn a_call_is_the_child_of_what_is_current() {
    let server = serve(whole("200 OK", "application/json", ANSWER)).await;
    let capture = Capture::new();
    let client = client(&capture);
    // A request in whose answering the model is asked.
    let answers = service_fn(|_: Request<Full<Bytes>>| async {
        let asking = client.exec_chat(openai(&server), hello(), None);
        asking.await.expect("an answer");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let layer = obs_http::HttpServerLayer::new(capture.telemetry());
    let request = Request::get("/").body(Full::default());
    let answered = layer.layer(answers).oneshot(request.expect("a request"));
    drop(soon(answered).await.expect("infallible"));
    let records = capture.records();
    assert_eq!(records.len(), 2, "{records:#?}");
    let (chats, others): (Vec<_>, Vec<_>) = records
        .iter()
        .partition(|record| record.name == "chat gpt-4o-mini");
    assert_eq!(chats[0].parent_span_id, Some(others[0].span_id));
}

#[tokio::test]
async fn switched_off_it_passes_all_on() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let client = client(&capture);
    let asking = client.exec_chat_stream(openai(&server), hello(), None);
    let stream = soon(asking).await.expect("a stream").stream;
    let events: Vec<_> = soon(stream.collect()).await;
    assert!(events.iter().all(Result::is_ok));
    assert_eq!(capture.records().len(), 0);
    assert_eq!(capture.count(DURATION), 0);
}
