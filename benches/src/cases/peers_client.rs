//! What people put around reqwest: its middleware, with the request sent nowhere on either side.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Extensions, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_tracing::TracingMiddleware;

use super::{peers_layers::subscribe, sdk::Sdk};
use crate::harness::pair::Pair;

/// Where the network would be.
struct Answers;

#[async_trait::async_trait]
impl Middleware for Answers {
    async fn handle(
        &self,
        _: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        Ok(Response::new(Bytes::from_static(br#"{"id":"llama-3-8b"}"#)).into())
    }
}

/// reqwest-tracing's middleware with tracing-opentelemetry, whose spans it names fields for. Its features for OpenTelemetry end at
/// 0.32 (0.7.1), so it writes no `traceparent` here; and it has no metrics, and ends with the head of the answer.
pub(crate) fn reqwest_tracing() -> Pair {
    let sdk = Sdk::install();
    subscribe(&sdk);
    let client = || ClientBuilder::new(reqwest::Client::new());
    let bare = client().with(Answers).build();
    let with = client()
        .with(TracingMiddleware::default())
        .with(Answers)
        .build();
    let pair = Pair::new(
        move || {
            std::hint::black_box(ask(&bare));
        },
        move || {
            std::hint::black_box(ask(&with));
        },
    );
    sdk.hold(pair, None)
}

fn ask(client: &ClientWithMiddleware) -> u16 {
    let mut context = Context::from_waker(Waker::noop());
    let request = client.get("http://models.example.com:8080/v1/models/llama-3-8b");
    let mut answer = pin!(request.send());
    loop {
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut context) {
            return answer.expect("it always answers").status().as_u16();
        }
    }
}
