//! The client's layer from outside.

mod attempts;
mod attributes;
mod connections;
mod endings;
mod failing_servers;
mod failures;
mod http1;
mod http2;
mod injection;
mod others;
mod tls;

use crate::support::{PATIENCE, until};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use obs_core::End;
use obs_http::HttpClientLayer;
use obs_http::client::HttpClient;
use obs_testing::{Capture, CapturedRecord};
use std::net::SocketAddr;
use tower::{Layer, Service};

pub(crate) const DURATION: &str = "http.client.request.duration";
pub(crate) const HEAD_DURATION: &str = "obs.http.client.head.duration";
pub(crate) const ACTIVE: &str = "http.client.active_requests";

pub(crate) type Ask = Request<Empty<Bytes>>;
pub(crate) type Hyper = Client<HttpConnector, Empty<Bytes>>;

pub(crate) fn hyper(http2: bool) -> Hyper {
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http()
}

pub(crate) fn layer(capture: &Capture) -> HttpClientLayer {
    HttpClientLayer::new(capture.telemetry())
}

pub(crate) fn observed(capture: &Capture, http2: bool) -> HttpClient<Hyper> {
    layer(capture).layer(hyper(http2))
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Ask {
    let request = Request::get(format!("http://{address}{path}"));
    request.body(Empty::new()).expect("a request")
}

/// Sends, and reads the answer to its end. `Err` says which part failed.
pub(crate) async fn fetch<S, B, R>(
    mut client: S,
    request: Request<B>,
) -> Result<Bytes, &'static str>
where
    S: Service<Request<B>, Response = http::Response<R>>,
    R: http_body::Body,
{
    let fetched = async {
        std::future::poll_fn(|cx| client.poll_ready(cx))
            .await
            .map_err(|_| "ready")?;
        let response = client.call(request).await.map_err(|_| "head")?;
        let body = response.into_body().collect().await.map_err(|_| "body")?;
        Ok(body.to_bytes())
    };
    tokio::time::timeout(PATIENCE, fetched)
        .await
        .expect("an answer or an error")
}

/// Lets the tasks of this runtime run, until none has anything left to do: connections are back in their pool.
pub(crate) async fn idle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// Waits until as many requests are under way.
#[track_caller]
pub(crate) fn running(capture: &Capture, requests: i64) -> impl Future<Output = ()> {
    until("the request", move || capture.in_flight(ACTIVE) == requests)
}

/// The record of the only exchange. One record, one point, nobody in flight.
#[track_caller]
pub(crate) fn over(
    capture: &Capture,
    end: End,
    error: Option<&'static str>,
) -> impl Future<Output = CapturedRecord> {
    let caller = std::panic::Location::caller();
    async move {
        until("the end", || capture.count(DURATION) > 0).await;
        assert_eq!(capture.count(DURATION), 1, "durations ({caller})");
        assert_eq!(capture.in_flight(ACTIVE), 0, "in flight ({caller})");
        let mut records = capture.records();
        assert_eq!(records.len(), 1, "records ({caller}): {records:#?}");
        let record = records.remove(0);
        assert_eq!(
            (record.outcome.end(), record.error_type()),
            (end, error),
            "how it ended ({caller}): {record:#?}"
        );
        record
    }
}
