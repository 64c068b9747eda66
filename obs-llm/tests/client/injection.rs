//! A report of tokens is asked for in the name of who forgot to, and nothing else is changed.

use crate::support::Frames;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, StreamBody};
use obs_llm::Llm;
use obs_llm::client::{INJECTION_LIMIT, InjectedBody, UsageInjectionLayer};
use obs_testing::{AttrValue, Capture};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const STREAM: &str = r#"{"model":"gpt-4o","stream":true}"#;
const ASKED: &str = r#"{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}"#;

type Sent = (HeaderMap, Bytes, Option<HeaderMap>);

/// What arrives of a request.
async fn send(layer: &UsageInjectionLayer, request: Request<Frames>) -> Sent {
    let sent = Arc::new(Mutex::new(None));
    let arrived = sent.clone();
    let service = service_fn(move |request: Request<InjectedBody<Frames>>| {
        let arrived = arrived.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned();
            *arrived.lock().unwrap() = Some((head.headers, body.to_bytes(), trailers));
            Ok::<_, Infallible>(Response::new(()))
        }
    });
    layer.layer(service).oneshot(request).await.unwrap();
    sent.lock().unwrap().take().expect("sent")
}

fn request(url: &str, body: &str, headers: &[(&'static str, &'static str)]) -> Request<Frames> {
    let (one, other) = body.split_at(body.len() / 2);
    let mut request = Request::post(url).header(header::CONTENT_LENGTH, body.len());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Frames::of(&[one, other])).unwrap()
}

fn missed(capture: &Capture) -> f64 {
    let of = [("obs.anomaly", AttrValue::from("not_injected"))];
    let point = capture.points().sum("obs.llm.anomalies", &of);
    point.map_or(0.0, |point| point.as_f64())
}

#[tokio::test]
async fn a_stream_that_says_nothing_of_it_is_asked_for_with_a_report() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let (headers, body, _) = send(&layer, request(CHAT, STREAM, &[])).await;
    assert_eq!(body, ASKED);
    let length = headers.get(header::CONTENT_LENGTH).unwrap();
    assert_eq!(length.to_str().unwrap(), ASKED.len().to_string());
    assert_eq!(missed(&capture), 0.0);
}

#[tokio::test]
async fn everything_else_arrives_as_it_was_sent() {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry());
    let layer = UsageInjectionLayer::of(&llm);
    let unary = r#"{"model":"gpt-4o"}"#;
    for (url, body) in [
        (CHAT, unary),
        (CHAT, ASKED),
        (CHAT, "no JSON"),
        (CHAT, ""),
        ("https://api.openai.com/v1/responses", STREAM),
        ("https://api.openai.com/v1/embeddings", STREAM),
        ("https://api.anthropic.com/v1/messages", STREAM),
        ("https://example.com/other", STREAM),
    ] {
        let (headers, sent, _) = send(&layer, request(url, body, &[])).await;
        assert_eq!(sent, body, "{url}");
        let length = headers.get(header::CONTENT_LENGTH).unwrap();
        assert_eq!(length.to_str().unwrap(), body.len().to_string());
    }
    assert_eq!(missed(&capture), 0.0);
    let elsewhere = layer.only_to(["llm.internal"]);
    let (_, sent, _) = send(&elsewhere, request(CHAT, STREAM, &[])).await;
    assert_eq!(sent, STREAM);
    let inside = "http://LLM.internal:8000/v1/completions";
    let (_, sent, _) = send(&elsewhere, request(inside, STREAM, &[])).await;
    assert_eq!(sent, ASKED);
}

#[tokio::test]
async fn what_somebody_signed_or_coded_is_left_alone_and_counted() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let bound = [
        ("authorization", "AWS4-HMAC-SHA256 Credential=x"),
        ("authorization", "Signature keyId=x"),
        ("x-amz-content-sha256", "0"),
        ("signature-input", "sig1=()"),
        ("content-digest", "sha-256=:x:"),
        ("content-md5", "x"),
        ("content-encoding", "gzip"),
    ];
    for header in bound {
        let (_, sent, _) = send(&layer, request(CHAT, STREAM, &[header])).await;
        assert_eq!(sent, STREAM, "{header:?}");
    }
    assert_eq!(missed(&capture), bound.len() as f64);
    let (_, sent, _) = send(
        &layer,
        request(CHAT, STREAM, &[("authorization", "Bearer x")]),
    )
    .await;
    assert_eq!(sent, ASKED);
}

#[tokio::test]
async fn a_request_that_is_longer_than_is_held_goes_as_it_is() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let of = |length: usize| {
        let rest = "\"}".len() + "{\"stream\":true,\"x\":\"".len();
        format!(
            "{{\"stream\":true,\"x\":\"{}\"}}",
            "y".repeat(length - rest)
        )
    };
    let (_, sent, _) = send(&layer, request(CHAT, &of(INJECTION_LIMIT), &[])).await;
    assert_eq!(
        sent.len(),
        INJECTION_LIMIT + r#","stream_options":{"include_usage":true}"#.len()
    );
    assert_eq!(missed(&capture), 0.0);
    for length in [INJECTION_LIMIT + 1, 3 * INJECTION_LIMIT] {
        let body = of(length);
        let (headers, sent, _) = send(&layer, request(CHAT, &body, &[])).await;
        assert_eq!(sent, body);
        let length = headers.get(header::CONTENT_LENGTH).unwrap();
        assert_eq!(length.to_str().unwrap(), body.len().to_string());
    }
    assert_eq!(missed(&capture), 2.0);
}

#[tokio::test]
async fn an_error_in_the_middle_is_an_error_after_what_came_before_it() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let frames = [
        Ok(http_body::Frame::data(Bytes::from(STREAM))),
        Err(std::io::Error::other("gone")),
    ];
    type Failing = StreamBody<
        futures_util::stream::Iter<
            std::array::IntoIter<Result<http_body::Frame<Bytes>, std::io::Error>, 2>,
        >,
    >;
    let body: Failing = StreamBody::new(futures_util::stream::iter(frames));
    let service = service_fn(|request: Request<InjectedBody<Failing>>| async move {
        let mut body = request.into_body();
        let first = body.frame().await.expect("a frame").expect("data");
        let mut data = first.into_data().expect("data");
        use bytes::Buf;
        assert_eq!(data.copy_to_bytes(data.remaining()), STREAM);
        let error = body.frame().await.expect("a frame").expect_err("gone");
        assert_eq!(error.to_string(), "gone");
        Ok::<_, Infallible>(Response::new(()))
    });
    let request = Request::post(CHAT).body(body).unwrap();
    layer.layer(service).oneshot(request).await.unwrap();
    assert_eq!(missed(&capture), 0.0);
}
