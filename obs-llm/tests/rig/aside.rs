//! With others around it and beneath it: nothing counts twice.

use crate::answers::{ANSWER, EVENTS};
use crate::client::Sends;
use crate::server::{serve, soon, streamed, whole};
use crate::support::{DURATION, FIRST, TOKENS, chat, hello, hyper, int, layer, llm, openai, over};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use obs_core::StatsLevel;
use obs_http::{HttpClientLayer, HttpServerLayer};
use obs_llm::LlmClientLayer;
use obs_llm::client::RequestBody;
use obs_testing::Capture;
use rig_core::providers::openai::OpenAIConfig;
use std::convert::Infallible;
use tower::util::service_fn;
use tower::{Layer, ServiceBuilder, ServiceExt};

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const ASKED: &str = r#"{"model":"gpt-4o","messages":[]}"#;

/// Both layers of HTTP clients' beneath: one call, whose child is the request.
#[tokio::test]
async fn with_layers_beneath_an_inference_counts_once() {
    for streams in [false, true] {
        let answer = match streams {
            false => whole("200 OK", "application/json", ANSWER),
            true => streamed(EVENTS),
        };
        let server = serve(answer).await;
        let capture = Capture::new();
        let sends = ServiceBuilder::new()
            .layer(LlmClientLayer::of(&llm(&capture)))
            .layer(HttpClientLayer::new(capture.telemetry()))
            .service(hyper());
        let config = OpenAIConfig::new("sk-secret").with_base_url(server.url("/v1"));
        let model = config.connect(Sends(sends)).chat("gpt-4o-mini");
        let model = layer(&capture).layer(model);
        if streams {
            let stream = model.stream(hello()).expect("a stream");
            soon(stream.finish()).await.expect("an answer");
        } else {
            soon(model.call(hello())).await.expect("an answer");
        }
        assert_eq!(capture.count(DURATION), 1);
        assert_eq!(capture.count(TOKENS), 2);
        assert_eq!(capture.count(FIRST), u64::from(streams));
        let records = capture.take_records();
        assert_eq!(records.len(), 2, "{records:#?}");
        let (calls, requests): (Vec<_>, Vec<_>) = records
            .iter()
            .partition(|record| record.name == "chat gpt-4o-mini");
        assert_eq!(requests[0].parent_span_id, Some(calls[0].span_id));
        assert_eq!(int(calls[0], "gen_ai.usage.input_tokens"), Some(8));
    }
}

/// Whatever stands between: the request is then the call's child, and the layer around the bytes within it does nothing.
#[tokio::test]
async fn with_another_layer_between_an_inference_counts_once_too() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let sends = ServiceBuilder::new()
        .layer(HttpClientLayer::new(capture.telemetry()))
        .layer(LlmClientLayer::of(&llm(&capture)))
        .service(hyper());
    let config = OpenAIConfig::new("sk-secret").with_base_url(server.url("/v1"));
    let model = config.connect(Sends(sends)).chat("gpt-4o-mini");
    let model = layer(&capture).layer(model);
    let stream = model.stream(hello()).expect("a stream");
    soon(stream.finish()).await.expect("an answer");
    assert_eq!(capture.count(DURATION), 1);
    assert_eq!(capture.count(TOKENS), 2);
    assert_eq!(capture.records().len(), 2);
}

#[tokio::test]
async fn within_a_call_that_is_observed_already_it_does_nothing() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let model = chat(&capture, &server.url(""));
    // A service that answers by asking through rig.
    let answers = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let stream = model.stream(hello()).expect("a stream");
        stream.finish().await.expect("an answer");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(ANSWER)))
    });
    let layer = LlmClientLayer::of(&llm(&capture));
    let request = Request::post(CHAT).body(Full::from(ASKED));
    let answered = layer.layer(answers).oneshot(request.expect("a request"));
    let answer = soon(answered).await.expect("infallible");
    let body = answer.into_body().collect();
    soon(body).await.expect("infallible");
    let record = over(&capture, None);
    assert_eq!(record.text("server.address"), Some("api.openai.com"));
    assert_eq!(capture.count(TOKENS), 2);
}

/// A gateway that is asked without a connection and without headers: what it asks for is another inference.
#[tokio::test]
async fn who_serves_within_the_process_counts_its_own() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let model = chat(&capture, &server.url(""));
    let answers = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let stream = model.stream(hello()).expect("a stream");
        stream.finish().await.expect("an answer");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(ANSWER)))
    });
    let stack = ServiceBuilder::new()
        .layer(LlmClientLayer::of(&llm(&capture)))
        .layer(HttpServerLayer::new(capture.telemetry()))
        .service(answers);
    let request = Request::post(CHAT).body(Full::from(ASKED));
    let answer = soon(stack.oneshot(request.expect("a request"))).await;
    let body = answer.expect("infallible").into_body().collect();
    soon(body).await.expect("infallible");
    assert_eq!(capture.count(DURATION), 2);
    assert_eq!(capture.count(TOKENS), 4);
    // The call, the request that is served for it, and the call within that.
    let records = capture.records();
    assert_eq!(records.len(), 3);
    assert!(
        records
            .iter()
            .all(|one| one.trace_id == records[0].trace_id)
    );
}

#[tokio::test]
async fn a_model_that_is_layered_twice_counts_once() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let once = chat(&capture, &server.url(""));
    let twice = layer(&capture).layer(once);
    let stream = twice.stream(hello()).expect("a stream");
    soon(stream.finish()).await.expect("an answer");
    over(&capture, None);
    assert_eq!(capture.count(TOKENS), 2);
}

#[tokio::test]
async fn what_is_no_inference_passes() {
    let capture = Capture::new();
    let answer = r#"{"results":[{"index":0,"relevance_score":0.5}]}"#;
    let server = serve(whole("200 OK", "application/json", answer)).await;
    let model = layer(&capture).layer(openai(&server.url("")).rerank("m"));
    let request = rig_core::operation::RerankRequest {
        query: "q".to_owned(),
        documents: vec!["d".to_owned()],
    };
    // What comes of it is no matter here.
    let _ = soon(model.call(request)).await;
    assert_eq!(capture.records().len(), 0);
}

#[tokio::test]
async fn switched_off_it_passes_all_on() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let model = chat(&capture, &server.url(""));
    let stream = model.stream(hello()).expect("a stream");
    let items: Vec<_> = soon(stream.collect()).await;
    assert!(items.iter().all(Result::is_ok));
    assert_eq!(capture.records().len(), 0);
    assert_eq!(capture.count(DURATION), 0);
}
