//! From a request to an answer: who asks, whom it goes to, and who is asked instead.

use crate::drain::{Drained, is_stream};
use crate::headers::to_client;
use crate::keys::Keys;
use crate::meter::{Meter, Why};
use crate::refusal::Refusal;
use crate::upstream::{Asks, Upstream};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use axum::routing::{get, post};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt;
use tower::timeout::error::Elapsed;

/// So much of a request is held, because it may have to be sent twice; a larger one is refused.
const LARGEST: usize = 32 << 20;
/// So much is read of an answer that is passed over, and for so long: it says why, and its connection is good for the next.
const EXCUSE: (usize, Duration) = (64 << 10, Duration::from_secs(1));
/// Which upstream answered.
const ANSWERED_BY: HeaderName = HeaderName::from_static("x-gateway-upstream");

/// What each request has at hand.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) keys: Keys,
    /// By the place of the key.
    pub(crate) askers: Vec<Asker>,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) drain_bytes: u64,
}

/// Somebody with a key, and a client of each upstream in that name.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) meter: Arc<Meter>,
    pub(crate) clients: Vec<Asks>,
}

/// The interface.
pub(crate) fn routes(gateway: Arc<Gateway>) -> Router {
    let no_method = || async { Refusal::NoMethod.response() };
    Router::new()
        .route("/v1/chat/completions", post(pass))
        .route("/v1/completions", post(pass))
        .route("/v1/embeddings", post(pass))
        .route("/v1/responses", post(pass))
        .route("/v1/models", get(pass))
        .route("/v1/models/{model}", get(pass))
        .method_not_allowed_fallback(no_method)
        .fallback(|| async { Refusal::NoRoute.response() })
        .with_state(gateway)
}

async fn pass(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some(place) = gateway.keys.place(&parts.headers) else {
        return Refusal::NoKey.response();
    };
    let body = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Refusal::TooLarge.response(),
        Err(_) => return Refusal::Broken.response(),
    };
    let asker = &gateway.askers[place];
    asker.meter.request();
    gateway.ask(asker, &parts, &body).await
}

impl Gateway {
    /// One upstream after the other, until one has an answer. If none has, the last that said something is passed on.
    async fn ask(&self, asker: &Asker, parts: &Parts, body: &Bytes) -> Response<Body> {
        let root = PathAndQuery::from_static("/");
        let path = parts.uri.path_and_query().unwrap_or(&root);
        let asked = (&parts.method, path, &parts.headers);
        let mut said = None;
        let mut left = self.upstreams.len();
        for (upstream, client) in self.upstreams.iter().zip(&asker.clients) {
            left -= 1;
            let Ok(request) = upstream.request(asked, body.clone()) else {
                return Refusal::NoRoute.response();
            };
            let why = match client.clone().oneshot(request).await {
                Ok(answer) => match why_not(answer.status()) {
                    Some(why) if left > 0 => {
                        said = Some(excuse(answer, upstream).await);
                        why
                    }
                    _ => return self.answer(answer, upstream),
                },
                Err(error) if error.is::<Elapsed>() => Why::Slow,
                Err(_) => Why::Unreachable,
            };
            if left > 0 {
                upstream.failovers.count(why);
            }
        }
        said.unwrap_or_else(|| Refusal::NoUpstream.response())
    }

    /// From here on bytes go out, and nobody else is asked.
    fn answer(&self, answer: Response<Body>, upstream: &Upstream) -> Response<Body> {
        let drains = self.drain_bytes > 0 && is_stream(answer.headers());
        let answer = signed(answer, upstream);
        match drains {
            true => answer.map(|body| Body::new(Drained::new(body, self.drain_bytes))),
            false => answer,
        }
    }
}

/// Why the other is to be asked instead of the one with this status.
fn why_not(status: StatusCode) -> Option<Why> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(Why::Overloaded),
        _ if status.is_server_error() => Some(Why::Failed),
        _ => None,
    }
}

/// An answer that is passed over, whole: the call behind it ends as the failure that it is, and not as cancelled.
async fn excuse(answer: Response<Body>, upstream: &Upstream) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let (most, long) = EXCUSE;
    let body = timeout(long, Limited::new(body, most).collect()).await;
    let body = match body {
        Ok(Ok(body)) => Body::from(body.to_bytes()),
        // What it said is not known; that it refused, and for how long, is.
        _ => {
            let mut refused = Response::from_parts(parts, Body::empty());
            for of_body in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING] {
                refused.headers_mut().remove(of_body);
            }
            return signed(refused, upstream);
        }
    };
    signed(Response::from_parts(parts, body), upstream)
}

/// With the headers of the answer itself, and the name of who gave it.
fn signed(mut answer: Response<Body>, upstream: &Upstream) -> Response<Body> {
    *answer.headers_mut() = to_client(answer.headers());
    if let Ok(name) = HeaderValue::from_str(upstream.provider.as_str()) {
        answer.headers_mut().insert(ANSWERED_BY, name);
    }
    // It is said anew on the next connection.
    *answer.version_mut() = axum::http::Version::HTTP_11;
    answer
}
