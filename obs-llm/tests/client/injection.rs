//! A report of tokens is asked for in the name of who forgot to, and nothing else is changed.

use crate::support::Frames;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, StreamBody};
use obs_llm::Llm;
use obs_llm::client::{INJECTION_LIMIT, InjectedBody, UsageInjectionLayer};
use obs_testing::{AttrValue, Capture};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tower::retry::{Policy, RetryLayer};
use tower::util::service_fn;
use tower::{Layer, Service, ServiceExt};

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
}

#[tokio::test]
async fn signatures_of_other_clouds_do_not_break() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let signed = [
        ("authorization", "aws4-hmac-sha256 Credential=x"),
        ("authorization", "TC3-HMAC-SHA256 Credential=x, Signature=y"),
        ("authorization", "HMAC-SHA256 SignedHeaders=x&Signature=y"),
        ("authorization", "OAuth oauth_body_hash=\"x\""),
        (
            "authorization",
            "bce-auth-v1/key/2026-11-26T00:00:00Z/1800//x",
        ),
        ("x-ms-content-sha256", "x"),
        ("x-content-sha512", "x"),
        ("x-signature", "x"),
        ("x-acs-signature-nonce", "x"),
    ];
    for header in signed {
        let (_, sent, _) = send(&layer, request(CHAT, STREAM, &[header])).await;
        assert_eq!(sent, STREAM, "{header:?}");
    }
    let urls =
        ["?X-Amz-Date=x&X-Amz-Signature=y", "?sv=x&sig=y"].map(|query| [CHAT, query].concat());
    for url in &urls {
        let (_, sent, _) = send(&layer, request(url, STREAM, &[])).await;
        assert_eq!(sent, STREAM, "{url}");
    }
    let counted = (signed.len() + urls.len()) as f64;
    assert_eq!(missed(&capture), counted);
    for key in ["Bearer x", "bearer x", "Basic eA==", "sk-x", "ApiKey x"] {
        let header = ("authorization", key);
        let url = [CHAT, "?api-version=x&key=y"].concat();
        let (_, sent, _) = send(&layer, request(&url, STREAM, &[header])).await;
        assert_eq!(sent, ASKED, "{key}");
    }
    assert_eq!(missed(&capture), counted);
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
async fn a_frame_that_is_longer_than_is_held_is_not_copied() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let long = Bytes::from(vec![b'y'; 4 * INJECTION_LIMIT]);
    let frames = [Bytes::from("{"), long.clone(), Bytes::from("}")];
    let frames = frames.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let service = service_fn(|request: Request<InjectedBody<_>>| async {
        let mut body = request.into_body();
        let mut frames = Vec::new();
        assert_eq!(body.size_hint().lower(), 1 + 4 * INJECTION_LIMIT as u64);
        while let Some(frame) = body.frame().await {
            assert!(!body.is_end_stream());
            frames.push(frame?.into_data().expect("data"));
        }
        let pieces = [&b"{"[..], &long, b"}"];
        assert!(frames.iter().map(bytes::Buf::chunk).eq(pieces));
        assert_eq!(bytes::Buf::chunk(&frames[1]).as_ptr(), long.as_ptr());
        Ok::<_, Infallible>(Response::new(()))
    });
    let request = Request::post(CHAT).body(body).unwrap();
    layer.layer(service).oneshot(request).await.unwrap();
    assert_eq!(missed(&capture), 1.0);
}

#[tokio::test]
async fn an_error_in_the_middle_is_an_error_after_what_came_before_it() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let frames = [
        Ok(Frame::data(Bytes::from(STREAM))),
        Err(std::io::Error::other("gone")),
    ];
    type Failing = StreamBody<
        futures_util::stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, std::io::Error>, 2>>,
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

/// A request for a stream that comes in pieces, and then in trailers, from who may take a while.
fn sending() -> (
    http_body_util::channel::Sender<Bytes, Infallible>,
    Request<Channel<Bytes, Infallible>>,
) {
    let (writes, body) = Channel::new(4);
    (writes, Request::post(CHAT).body(body).unwrap())
}

#[tokio::test]
async fn trailers_follow_what_was_rewritten() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let (mut writes, request) = sending();
    let service = service_fn(|request: Request<InjectedBody<_>>| async move {
        let body = request.into_body().collect().await?;
        let trailers = body.trailers().cloned().expect("trailers");
        assert_eq!(trailers.get("x-sum").unwrap(), "1");
        assert_eq!(body.to_bytes(), ASKED);
        Ok::<_, Infallible>(Response::new(()))
    });
    writes.send_data(Bytes::from(STREAM)).await.unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", header::HeaderValue::from_static("1"));
    writes.send_trailers(trailers).await.unwrap();
    drop(writes);
    layer.layer(service).oneshot(request).await.unwrap();
    assert_eq!(missed(&capture), 0.0);
}

#[tokio::test]
async fn nothing_is_sent_before_all_is_there_and_nothing_if_it_is_given_up() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let sent = Arc::new(Mutex::new(0));
    let counts = sent.clone();
    let mut service = layer.layer(service_fn(move |_: Request<InjectedBody<_>>| {
        *counts.lock().unwrap() += 1;
        std::future::ready(Ok::<_, Infallible>(Response::new(())))
    }));
    for gives_up in [true, false] {
        let (mut writes, request) = sending();
        let mut future = Box::pin(service.ready().await.unwrap().call(request));
        writes.send_data(Bytes::from(&STREAM[..5])).await.unwrap();
        assert!(futures_util::poll!(&mut future).is_pending());
        assert_eq!(*sent.lock().unwrap(), 0);
        if gives_up {
            drop(future);
            // Who writes it learns of it.
            let rest = writes.send_data(Bytes::from(&STREAM[5..])).await;
            rest.expect_err("nobody reads it");
            continue;
        }
        writes.send_data(Bytes::from(&STREAM[5..])).await.unwrap();
        drop(writes);
        future.await.unwrap();
        assert_eq!(*sent.lock().unwrap(), 1);
    }
    assert_eq!(missed(&capture), 0.0);
}

/// Ready for one request at a time, as a service with a limit is: a clone is ready for none.
#[derive(Debug, Default)]
struct OneAtATime(bool);

impl Clone for OneAtATime {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl<B> Service<Request<B>> for OneAtATime {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.0),
            "it is called without being ready"
        );
        std::future::ready(Ok(Response::new(())))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let mut service = layer.layer(OneAtATime::default());
    let mut open = Vec::new();
    for url in [CHAT, "https://example.com/", CHAT] {
        let request = request(url, STREAM, &[]);
        let ready = ServiceExt::<Request<Frames>>::ready(&mut service);
        open.push(ready.await.unwrap().call(request));
    }
    for future in open {
        future.await.unwrap();
    }
}

/// Sends once more, whatever was answered.
#[derive(Clone)]
struct Once(bool);

impl<R, E> Policy<Request<InjectedBody<Frames>>, R, E> for Once {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<InjectedBody<Frames>>,
        _: &mut Result<R, E>,
    ) -> Option<Self::Future> {
        (!std::mem::replace(&mut self.0, true)).then(|| std::future::ready(()))
    }

    fn clone_request(
        &mut self,
        request: &Request<InjectedBody<Frames>>,
    ) -> Option<Request<InjectedBody<Frames>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_retry_within_sends_what_was_rewritten() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let sent = Arc::new(Mutex::new(Vec::new()));
    let arrived = sent.clone();
    let service = service_fn(move |request: Request<InjectedBody<Frames>>| {
        let arrived = arrived.clone();
        async move {
            let body = request.into_body().collect().await?.to_bytes();
            arrived.lock().unwrap().push(body);
            Ok::<_, Infallible>(Response::new(()))
        }
    });
    let service = layer.layer(RetryLayer::new(Once(false)).layer(service));
    for (url, expect) in [(CHAT, ASKED), ("https://example.com/", STREAM)] {
        let sends = service.clone().oneshot(request(url, STREAM, &[]));
        sends.await.unwrap();
        assert_eq!(*sent.lock().unwrap(), [expect, expect]);
        sent.lock().unwrap().clear();
    }
}

/// What says how long it is, and would never give it.
struct Long(u64);

impl Body for Long {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

#[tokio::test]
async fn what_is_known_to_be_too_long_is_not_waited_for() {
    let capture = Capture::new();
    let layer = UsageInjectionLayer::of(&Llm::new(capture.telemetry()));
    let most = INJECTION_LIMIT as u64;
    for (length, waits) in [(most, true), (most + 1, false)] {
        let service = service_fn(|_: Request<InjectedBody<Long>>| {
            std::future::ready(Ok::<_, Infallible>(Response::new(())))
        });
        let request = Request::post(CHAT).body(Long(length)).unwrap();
        let mut future = Box::pin(layer.layer(service).oneshot(request));
        let polled = futures_util::poll!(&mut future);
        assert_eq!(polled.is_pending(), waits, "{length}");
    }
    assert_eq!(missed(&capture), 1.0);
}
