//! Retries and redirects: one call, and a client's span for each attempt.

use super::{Ask, fetch, get, hyper, layer};
use crate::support::server::{Protocol, Server, serve};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use obs_core::End;
use obs_http::HttpClientLayer;
use obs_testing::{Capture, CapturedRecord, assert_tree};
use std::convert::Infallible;
use std::future::Ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tower::retry::{Policy, RetryLayer};
use tower::{Layer, ServiceBuilder, service_fn};
use tower_http::follow_redirect::FollowRedirectLayer;

/// Busy `times` times, and then answers.
async fn busy(times: u32) -> Server {
    let left = Arc::new(AtomicU32::new(times));
    let app = service_fn(move |_: Request<Incoming>| {
        let busy = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        let mut response = Response::new(Full::new(Bytes::from_static(b"said")));
        if busy.is_ok() {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        async { Ok::<_, Infallible>(response) }
    });
    serve(Protocol::Http1, app).await
}

/// `/0` says see `/1`, which says see `/2`, which answers.
async fn elsewhere() -> Server {
    let app = service_fn(|request: Request<Incoming>| async move {
        let (status, next) = match request.uri().path() {
            "/0" => (StatusCode::FOUND, "/1"),
            "/1" => (StatusCode::FOUND, "/2"),
            _ => (StatusCode::OK, ""),
        };
        let response = Response::builder().status(status).header("location", next);
        Ok::<_, Infallible>(
            response
                .body(Full::new(Bytes::from_static(b"body")))
                .expect("one"),
        )
    });
    serve(Protocol::Http1, app).await
}

/// Sends again what was answered by 503, as often as it says.
#[derive(Clone)]
struct Again(u32);

impl<B, E> Policy<Ask, Response<B>, E> for Again {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Ask, result: &mut Result<Response<B>, E>) -> Option<Ready<()>> {
        let busy = match result {
            Ok(response) => response.status() == StatusCode::SERVICE_UNAVAILABLE,
            Err(_) => true,
        };
        if !busy {
            return None;
        }
        self.0 = self.0.checked_sub(1)?;
        Some(std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Ask) -> Option<Ask> {
        let mut clone = Request::new(Empty::new());
        *clone.uri_mut() = request.uri().clone();
        Some(clone)
    }
}

fn calls(capture: &Capture) -> HttpClientLayer {
    HttpClientLayer::calls(capture.telemetry())
}

/// The call, and its attempts in their order.
#[track_caller]
fn family(capture: &Capture) -> (CapturedRecord, Vec<CapturedRecord>) {
    let (calls, attempts): (Vec<_>, Vec<_>) = capture
        .records()
        .into_iter()
        .partition(|record| record.descriptor == "http.call");
    let [call]: [_; 1] = calls.try_into().expect("one call");
    for attempt in &attempts {
        assert_eq!(attempt.trace_id, call.trace_id);
        assert_eq!(attempt.parent_span_id, Some(call.span_id));
    }
    (call, attempts)
}

#[tokio::test]
async fn retries_are_attempts_under_one_call() {
    let capture = crate::support::capture();
    let server = busy(2).await;
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .layer(RetryLayer::new(Again(5)))
        .layer(layer(&capture))
        .service(hyper(false));
    let answer = fetch(client, get(server.address, "/")).await;
    assert_eq!(answer.expect("an answer"), "said");
    let (call, attempts) = family(&capture);
    assert_eq!(
        (call.outcome.end(), call.error_type()),
        (End::Answered, None)
    );
    assert_eq!(call.attr("obs.http.call.attempts"), Some(&3.into()));
    let seen: Vec<_> = attempts
        .iter()
        .map(|record| {
            let resend = record.attr("http.request.resend_count").cloned();
            (resend, record.error_type().map(str::to_owned))
        })
        .collect();
    let busy = || Some("503".to_owned());
    assert_eq!(
        seen,
        [
            (None, busy()),
            (Some(1.into()), busy()),
            (Some(2.into()), None)
        ]
    );
    assert_eq!(capture.count("obs.http.call.duration"), 1);
    assert_eq!(capture.count(super::DURATION), 3);
    assert_eq!(capture.in_flight(super::ACTIVE), 0);
}

#[tokio::test]
async fn a_call_and_its_attempts_as_a_tree() {
    let capture = crate::support::capture();
    let left = Arc::new(AtomicU32::new(1));
    let sends = service_fn(move |_: Ask| {
        let mut response = Response::new(Full::new(Bytes::from_static(b"said")));
        if left.swap(0, Ordering::Relaxed) > 0 {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        async { Ok::<_, Infallible>(response) }
    });
    let client = ServiceBuilder::new()
        .layer(calls(&capture).with_template(|_| Some("/items/{id}")))
        .layer(RetryLayer::new(Again(5)))
        .layer(layer(&capture))
        .service(sends);
    let request = Request::get("http://shop:8080/items/7").body(Empty::new());
    fetch(client, request.expect("a request"))
        .await
        .expect("an answer");
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          GET /items/{id} [internal]
            - http.request.body.size: 0
            - http.request.method: "GET"
            - http.response.body.size: 4
            - http.response.status_code: 200
            - network.protocol.version: "1.1"
            - obs.http.call.attempts: 2
            - server.address: "shop"
            - server.port: 8080
            - url.full: "http://shop:8080/items/7"
            - url.template: "/items/{id}"
            GET [client]
              - http.request.body.size: 0
              - http.request.method: "GET"
              - http.request.resend_count: 1
              - http.response.body.size: 4
              - http.response.status_code: 200
              - network.protocol.version: "1.1"
              - server.address: "shop"
              - server.port: 8080
              - url.full: "http://shop:8080/items/7"
            GET [client] error
              - error.type: "503"
              - http.request.body.size: 0
              - http.request.method: "GET"
              - http.response.status_code: 503
              - network.protocol.version: "1.1"
              - server.address: "shop"
              - server.port: 8080
              - url.full: "http://shop:8080/items/7"
        "#,
    );
}

#[tokio::test]
async fn a_call_that_gives_up_ends_as_its_last_attempt() {
    let capture = crate::support::capture();
    let server = busy(9).await;
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .layer(RetryLayer::new(Again(1)))
        .layer(layer(&capture))
        .service(hyper(false));
    fetch(client, get(server.address, "/"))
        .await
        .expect("an answer");
    let (call, attempts) = family(&capture);
    assert_eq!(call.error_type(), Some("503"));
    assert_eq!(attempts.len(), 2);
    let nobody = super::failing_servers::nobody().await;
    let capture = crate::support::capture();
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .layer(RetryLayer::new(Again(2)))
        .layer(layer(&capture))
        .service(hyper(false));
    assert_eq!(fetch(client, get(nobody, "/")).await, Err("head"));
    let (call, attempts) = family(&capture);
    assert_eq!(call.error_type(), Some("connection_refused"));
    assert_eq!(call.attr("obs.http.call.attempts"), Some(&3.into()));
    assert_eq!(attempts.len(), 3);
}

#[tokio::test]
async fn redirects_are_attempts_under_one_call() {
    let capture = crate::support::capture();
    let server = elsewhere().await;
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .layer(FollowRedirectLayer::new())
        .layer(layer(&capture))
        .service(hyper(false));
    fetch(client, get(server.address, "/0"))
        .await
        .expect("an answer");
    let (call, attempts) = family(&capture);
    let at = |path: &str| format!("http://{}{path}", server.address);
    // What was asked for first, whatever became of it.
    assert_eq!(call.text("url.full"), Some(at("/0").as_str()));
    assert_eq!(call.error_type(), None);
    let seen: Vec<_> = attempts
        .iter()
        .map(|record| {
            let resend = record.attr("http.request.resend_count").cloned();
            let url = record.text("url.full").expect("a URL").to_owned();
            (url, resend, record.error_type().map(str::to_owned))
        })
        .collect();
    let expect = [
        (at("/0"), None, None),
        (at("/1"), Some(1.into()), None),
        (at("/2"), Some(2.into()), None),
    ];
    assert_eq!(seen, expect);
}

#[tokio::test]
async fn each_attempt_is_the_parent_of_what_it_reaches() {
    let capture = crate::support::capture();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sees = seen.clone();
    let left = Arc::new(AtomicU32::new(1));
    let app = service_fn(move |request: Request<Incoming>| {
        let parents = request.headers().get_all("traceparent").iter();
        let parents: Vec<_> = parents
            .map(|value| value.to_str().expect("text")[36..52].to_owned())
            .collect();
        sees.lock().expect("nobody panics").push(parents.join(","));
        let mut response = Response::new(Full::new(Bytes::new()));
        if left.swap(0, Ordering::Relaxed) > 0 {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        async { Ok::<_, Infallible>(response) }
    });
    let server = serve(Protocol::Http1, app).await;
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .layer(RetryLayer::new(Again(5)))
        .layer(layer(&capture))
        .service(hyper(false));
    fetch(client, get(server.address, "/"))
        .await
        .expect("an answer");
    let (_, attempts) = family(&capture);
    let spans: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.span_id.to_string())
        .collect();
    assert_eq!(*seen.lock().expect("nobody panics"), spans);
}

#[tokio::test]
async fn attempts_without_a_call_have_no_count_and_a_call_without_attempts_is_one() {
    let capture = crate::support::capture();
    let server = busy(1).await;
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new(Again(5)))
        .layer(layer(&capture))
        .service(hyper(false));
    fetch(client, get(server.address, "/"))
        .await
        .expect("an answer");
    let records = capture.records();
    assert_eq!(records.len(), 2);
    assert!(
        records
            .iter()
            .all(|record| record.attr("http.request.resend_count").is_none())
    );
    let capture = crate::support::capture();
    let client = calls(&capture).layer(hyper(false));
    fetch(client, get(server.address, "/"))
        .await
        .expect("an answer");
    let record = capture.record();
    assert_eq!(record.descriptor, "http.call");
    assert_eq!(record.attr("obs.http.call.attempts"), None);
}

/// Two calls at once count each their own.
#[tokio::test]
async fn calls_side_by_side_do_not_count_each_others_attempts() {
    let capture = crate::support::capture();
    let (one, other) = (busy(1).await, busy(2).await);
    let client = || {
        ServiceBuilder::new()
            .layer(calls(&capture))
            .layer(RetryLayer::new(Again(5)))
            .layer(layer(&capture))
            .service(hyper(false))
    };
    let (a, b) = tokio::join!(
        fetch(client(), get(one.address, "/")),
        fetch(client(), get(other.address, "/"))
    );
    a.and(b).expect("answers");
    let mut attempts: Vec<_> = capture
        .records()
        .iter()
        .filter(|record| record.descriptor == "http.call")
        .map(|record| format!("{:?}", record.attr("obs.http.call.attempts")))
        .collect();
    attempts.sort();
    assert_eq!(attempts, ["Some(Int(2))", "Some(Int(3))"]);
}
