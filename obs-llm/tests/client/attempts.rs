//! Retries and redirects: one call, whose attempts are spans of an HTTP client's layer within it.

use crate::answers::{CHAT, STREAM, layer};
use crate::support::{Frames, request};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use obs_http::HttpClientLayer;
use obs_llm::client::RequestBody;
use obs_testing::{Capture, CapturedRecord};
use std::convert::Infallible;
use std::future::Ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tower::retry::{Policy, RetryLayer};
use tower::util::service_fn;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::follow_redirect::policy::{Action, Attempt};

const URL: &str = "https://api.openai.com/v1/chat/completions";
const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
const DURATION: &str = "gen_ai.client.operation.duration";

type Ask = Request<RequestBody<Frames>>;

/// Sends again what was answered by 503.
#[derive(Clone)]
struct Again;

impl<B, E> Policy<Ask, Response<B>, E> for Again {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Ask, result: &mut Result<Response<B>, E>) -> Option<Ready<()>> {
        let is_busy = |answer: &Response<B>| answer.status() == StatusCode::SERVICE_UNAVAILABLE;
        let busy = result.as_ref().is_ok_and(is_busy);
        busy.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Ask) -> Option<Ask> {
        Some(request.clone())
    }
}

/// The call, and its attempts in their order.
#[track_caller]
fn family(capture: &Capture) -> (CapturedRecord, Vec<CapturedRecord>) {
    let (calls, attempts): (Vec<_>, Vec<_>) = capture
        .records()
        .into_iter()
        .partition(|record| record.name.starts_with("chat"));
    let [call]: [_; 1] = calls.try_into().expect("one call");
    for attempt in &attempts {
        assert_eq!(attempt.name, "POST");
        assert_eq!(attempt.trace_id, call.trace_id);
        assert_eq!(attempt.parent_span_id, Some(call.span_id));
    }
    (call, attempts)
}

fn stream() -> Response<Frames> {
    let head = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
    head.body(Frames::of(STREAM)).expect("a head")
}

/// Each attempt takes 50 ms and reads `pieces` of its request; the last one answers.
async fn retried(capture: &Capture, attempts: u32, pieces: usize) -> (CapturedRecord, usize) {
    let left = Arc::new(AtomicU32::new(attempts - 1));
    let clock = capture.clock().clone();
    let sends = service_fn(move |request: Ask| {
        let busy = left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        let clock = clock.clone();
        async move {
            let mut body = request.into_body();
            let mut sent = Vec::new();
            // An attempt that fails may have sent a part of it.
            let wanted = if busy { pieces } else { usize::MAX };
            while sent.len() < wanted
                && let Some(frame) = body.frame().await
            {
                sent.push(frame?.into_data().expect("data"));
            }
            if !busy {
                assert_eq!(sent.concat(), CHAT.as_bytes());
            }
            clock.advance(Duration::from_millis(50));
            let mut response = stream();
            if busy {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let client = ServiceBuilder::new()
        .layer(layer(capture))
        .layer(RetryLayer::new(Again))
        .layer(HttpClientLayer::new(capture.telemetry()))
        .service(sends);
    let answer = client
        .oneshot(request(URL, CHAT))
        .await
        .expect("infallible");
    let body = answer.into_body().collect().await.expect("infallible");
    assert_eq!(body.to_bytes(), STREAM.concat().as_bytes());
    let (call, attempts) = family(capture);
    (call, attempts.len())
}

#[tokio::test]
async fn retries_are_attempts_of_one_inference() {
    for pieces in 0..3 {
        let capture = Capture::new();
        let (call, attempts) = retried(&capture, 3, pieces).await;
        assert_eq!(attempts, 3);
        assert_eq!(call.error_type(), None);
        assert_eq!(call.text("gen_ai.request.model"), Some("gpt-4o"));
        assert_eq!(capture.count(DURATION), 1);
        assert_eq!(capture.count(FIRST), 1);
        // From before the first attempt.
        let first = call.attr("gen_ai.response.time_to_first_chunk");
        assert_eq!(first, Some(&0.15.into()), "{pieces} pieces");
        assert_eq!(capture.in_flight("obs.llm.client.active_calls"), 0);
    }
}

#[tokio::test]
async fn what_several_attempts_say_is_said_once() {
    let asks = r#"{"model":"a","stop":["x","y"],"messages":[]}"#;
    for pieces in 0..3 {
        let capture = Capture::new();
        let left = Arc::new(AtomicU32::new(2));
        let sends = service_fn(move |request: Ask| {
            let busy = left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
            async move {
                let mut body = request.into_body();
                for _ in 0..if busy { pieces } else { 3 } {
                    body.frame().await.transpose()?;
                }
                let mut response = stream();
                if busy {
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                Ok::<_, Infallible>(response)
            }
        });
        let inner = RetryLayer::new(Again).layer(sends);
        let client = layer(&capture).layer(inner);
        let answer = client
            .oneshot(request(URL, asks))
            .await
            .expect("infallible");
        answer.into_body().collect().await.expect("infallible");
        let stops = capture
            .record()
            .attr("gen_ai.request.stop_sequences")
            .cloned();
        let expect = obs_testing::AttrValue::from(vec!["x", "y"]);
        assert_eq!(stops, Some(expect), "{pieces} pieces");
    }
}

/// Goes where it is told to, with what was sent before.
#[derive(Clone)]
struct Follow;

impl<E> tower_http::follow_redirect::policy::Policy<RequestBody<Frames>, E> for Follow {
    fn redirect(&mut self, _: &Attempt<'_>) -> Result<Action, E> {
        Ok(Action::Follow)
    }

    fn clone_body(&self, body: &RequestBody<Frames>) -> Option<RequestBody<Frames>> {
        Some(body.clone())
    }
}

#[tokio::test]
async fn redirects_are_attempts_of_one_inference() {
    let capture = Capture::new();
    let sends = service_fn(|request: Ask| async move {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await?.to_bytes();
        assert_eq!(body, CHAT, "{path}");
        if path.starts_with("/eu/") {
            return Ok::<_, Infallible>(stream());
        }
        let head = Response::builder().status(StatusCode::TEMPORARY_REDIRECT);
        let head = head.header(header::LOCATION, "/eu/v1/chat/completions");
        Ok(head.body(Frames::default()).expect("a head"))
    });
    let client = ServiceBuilder::new()
        .layer(layer(&capture))
        .layer(FollowRedirectLayer::with_policy(Follow))
        .layer(HttpClientLayer::new(capture.telemetry()))
        .service(sends);
    let answer = client
        .oneshot(request(URL, CHAT))
        .await
        .expect("infallible");
    answer.into_body().collect().await.expect("infallible");
    let (call, attempts) = family(&capture);
    assert_eq!(attempts.len(), 2);
    assert_eq!(call.error_type(), None);
    assert_eq!(call.text("gen_ai.request.model"), Some("gpt-4o"));
    assert_eq!(capture.count(DURATION), 1);
}
