//! What can be sent again, and what a policy can see of an answer.

use crate::echo::{EchoClient, say};
use crate::retries::retrying;
use crate::rig::{Step, Unavailable, attempts, calls, family, serve, status};
use bytes::Bytes;
use http_body_util::{BodyExt, Channel as ChannelBody, Full};
use obs_rpc::client::{ReplayBody, ReplayLayer};
use obs_testing::Capture;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http;
use tonic::{Code, Request};
use tower::retry::RetryLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

/// `tower::retry` decides at the head. What a server says after its messages comes when the decision is made.
#[tokio::test]
async fn a_status_in_trailers_comes_too_late_for_a_retry_and_is_the_calls_status() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, []).await;
    let mut client = retrying!(&capture, channel, 5);
    let response = client
        .server_stream(Request::new(say("then fail 14", 1)))
        .await;
    let mut messages = response.expect("a head").into_inner();
    messages.message().await.expect("one").expect("one");
    let failed = messages.message().await.expect_err("then it fails");
    assert_eq!(failed.code(), Code::Unavailable);
    let (call, attempts, _) = family(&capture, 1).await;
    assert_eq!(
        (status(&call), status(&attempts[0])),
        ("UNAVAILABLE", "UNAVAILABLE")
    );
    assert_eq!(call.error_type(), Some("UNAVAILABLE"));
}

#[tokio::test]
async fn a_server_stream_that_is_refused_before_it_begins_is_tried_again() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Fail(Code::Unavailable)]).await;
    let mut client = retrying!(&capture, channel, 5);
    let response = client.server_stream(Request::new(say("", 3))).await;
    let messages = response.expect("a head").into_inner();
    assert_eq!(messages.collect::<Vec<_>>().await.len(), 3);
    let (call, attempts, _) = family(&capture, 2).await;
    assert_eq!(status(&call), "OK");
    assert_eq!(
        attempts[1].attr("obs.rpc.response.messages"),
        Some(&3.into()),
        "{}",
        capture.tree()
    );
}

#[tokio::test]
async fn a_stream_of_requests_that_is_not_there_at_once_is_sent_once() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Fail(Code::Unavailable)]).await;
    let mut client = retrying!(&capture, channel, 5);
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    sender.send(say("one", 0)).await.expect("room");
    let messages = ReceiverStream::new(receiver);
    let failed = client.client_stream(Request::new(messages)).await;
    assert_eq!(failed.expect_err("as scripted").code(), Code::Unavailable);
    let (call, _, _) = family(&capture, 1).await;
    assert_eq!(status(&call), "UNAVAILABLE");
    drop(sender);
}

#[tokio::test]
async fn a_stream_of_requests_that_is_there_at_once_is_sent_again_as_a_whole() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Fail(Code::Unavailable)]).await;
    let mut client = retrying!(&capture, channel, 5);
    let messages = tokio_stream::iter([say("one", 0), say("two", 0)]);
    let counted = client.client_stream(Request::new(messages)).await;
    assert_eq!(counted.expect("answered").into_inner().count, 2);
    let (_, attempts, _) = family(&capture, 2).await;
    for attempt in attempts.iter().skip(1) {
        assert_eq!(attempt.attr("obs.rpc.request.messages"), Some(&2.into()));
    }
}

#[tokio::test]
async fn a_stream_is_passed_on_as_it_comes_although_its_beginning_was_read() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, []).await;
    let mut client = retrying!(&capture, channel, 5);
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    sender.send(say("one", 0)).await.expect("room");
    let response = client
        .bidi(Request::new(ReceiverStream::new(receiver)))
        .await;
    let mut answers = response.expect("a head").into_inner();
    for text in ["one", "two", "three"] {
        let answer = answers.message().await.expect("answered").expect("one");
        assert_eq!(answer.text, text);
        let next = if text == "one" { "two" } else { "three" };
        sender.send(say(next, 0)).await.expect("room");
    }
    drop(sender);
    while answers.message().await.expect("answered").is_some() {}
    let (call, attempts, _) = family(&capture, 1).await;
    assert_eq!(status(&call), "OK");
    assert_eq!(
        attempts[0].attr("obs.rpc.request.messages"),
        Some(&4.into())
    );
}

/// What of a request arrives inside, and what of its clone where there is one.
async fn replayed<B>(body: B, max_bytes: usize) -> (Bytes, Option<Bytes>)
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<tonic::codegen::StdError>,
{
    let service = service_fn(|request: http::Request<ReplayBody>| async {
        let again = ReplayBody::clone_request(&request);
        assert_eq!(again.is_some(), request.body().is_whole());
        let arrived = request.into_body().collect().await.expect("a body");
        let again = match again {
            Some(again) => {
                assert_eq!(again.method(), http::Method::POST);
                assert_eq!(again.headers()["te"], "trailers");
                assert_eq!(again.extensions().get(), Some(&7_u8));
                let arrived = again.into_body().collect().await.expect("a body");
                Some(arrived.to_bytes())
            }
            None => None,
        };
        Ok::<_, Infallible>((arrived.to_bytes(), again))
    });
    let request = http::Request::post("/test.Echo/Unary")
        .header("te", "trailers")
        .extension(7_u8)
        .body(body);
    let layered = ReplayLayer::new(max_bytes).layer(service);
    let replayed = layered.oneshot(request.expect("a request")).await;
    replayed.expect("infallible")
}

#[tokio::test]
async fn a_body_that_is_longer_than_the_bound_is_sent_once_and_whole() {
    let body = || Full::new(Bytes::from_static(b"0123456789"));
    let whole = Bytes::from_static(b"0123456789");
    assert_eq!(
        replayed(body(), 10).await,
        (whole.clone(), Some(whole.clone()))
    );
    assert_eq!(replayed(body(), 9).await, (whole, None));
}

#[tokio::test]
async fn a_body_that_never_ends_is_read_to_the_bound_and_no_further() {
    /// Frames without a byte in them, as many as are asked for.
    struct Endless(Arc<AtomicUsize>);

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::new()))))
        }
    }

    let counted = Arc::new(AtomicUsize::new(0));
    let body = Endless(counted.clone());
    let service = service_fn(|request: http::Request<ReplayBody>| async move {
        Ok::<_, Infallible>(request.body().is_whole())
    });
    let layered = ReplayLayer::new(100).layer(service);
    let whole = layered.oneshot(http::Request::new(body)).await;
    assert!(!whole.expect("infallible"));
    assert_eq!(counted.load(Ordering::Relaxed), 101);
}

#[tokio::test]
async fn a_body_that_comes_later_is_sent_once_and_whole() {
    let (mut sender, body) = ChannelBody::<Bytes, Infallible>::new(4);
    let comes = tokio::spawn(replayed(body, 1024));
    for part in ["a", "b", "c"] {
        tokio::task::yield_now().await;
        let sent = sender.send_data(Bytes::from_static(part.as_bytes())).await;
        sent.expect("it is read");
    }
    drop(sender);
    let (arrived, again) = comes.await.expect("no panic");
    assert_eq!((&arrived[..], again), (&b"abc"[..], None));
}

#[tokio::test]
async fn a_body_that_breaks_breaks_inside_too() {
    let parts = [
        Ok(http_body::Frame::data(Bytes::from_static(b"a"))),
        Err(tonic::Status::data_loss("gone")),
    ];
    let body = http_body_util::StreamBody::new(tokio_stream::iter(parts));
    let service = service_fn(|request: http::Request<ReplayBody>| async move {
        assert!(ReplayBody::clone_request(&request).is_none());
        Ok::<_, Infallible>(request.into_body().collect().await)
    });
    let layered = ReplayLayer::new(100).layer(service);
    let arrived = layered.oneshot(http::Request::new(body)).await;
    let error = arrived.expect("infallible").expect_err("it broke");
    assert_eq!(error.code(), Code::DataLoss);
}
