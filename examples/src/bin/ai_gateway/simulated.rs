//! A server of models that is only played, on loopback: it says so in its name and in whatever it answers. What it does is asked
//! for by the model's name, so that whoever tests a gateway can have any ending.
//!
//! | model | what it does |
//! |---|---|
//! | `sim` | answers |
//! | `sim-slow` | answers, 40 ms before each chunk |
//! | `sim-busy` | the first of the two says 429 |
//! | `sim-failing` | the first says 503 |
//! | `sim-down` | both say 503 |
//! | `sim-cut` | streams, and breaks the connection in the middle |
//! | `sim-short` | streams, and ends in the middle as if that were the end |
//! | `sim-error` | streams, and says in the middle that it cannot go on |
//! | any other | 404 |
//!
//! `GET /simulated` tells how many streams it began, how many came to their end, and how many were left by their reader.

mod answers;
mod asked;
mod events;

use crate::Result;
use answers::Answers;
use asked::Asked;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use events::stream;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    First,
    Second,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

/// What became of its streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    begun: AtomicU64,
    over: AtomicU64,
    left: AtomicU64,
}

#[derive(Clone, Debug)]
struct Model {
    role: Role,
    streams: Arc<Streams>,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::First => "simulated-first",
            Self::Second => "simulated-second",
        }
    }

    /// What it wants to be asked with.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::First => "key-of-the-first",
            Self::Second => "key-of-the-second",
        }
    }
}

impl Simulated {
    pub(crate) async fn start(role: Role) -> Result<Self> {
        let model = Model {
            role,
            streams: Arc::default(),
        };
        let app = Router::new()
            .route("/v1/chat/completions", post(answer))
            .route("/v1/completions", post(answer))
            .route("/v1/embeddings", post(answer))
            .route("/v1/responses", post(answer))
            .route("/v1/models", get(models))
            .route("/simulated", get(streams))
            .with_state(model);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|io| _ = io.set_nodelay(true));
        let serving = tokio::spawn(async move {
            // It has no end of its own.
            _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, serving })
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(model): State<Model>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let role = model.role;
    let authorization = format!("Bearer {}", role.key());
    if headers
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes)
        != Some(authorization.as_bytes())
    {
        return refused(401, "invalid_api_key", "the key is not the gateway's");
    }
    let Some(asked) = Asked::read(uri.path(), &body) else {
        return refused(400, "invalid_request", "the request makes no sense");
    };
    match (asked.model.as_str(), role) {
        ("sim-busy", Role::First) => {
            let mut busy = refused(429, "rate_limit_exceeded", "asked too often");
            let after = HeaderValue::from_static("7");
            busy.headers_mut().insert(header::RETRY_AFTER, after);
            busy
        }
        ("sim-failing", Role::First) | ("sim-down", _) => {
            refused(503, "overloaded", "it cannot answer now")
        }
        (name, _) if !NAMES.contains(&name) => {
            refused(404, "model_not_found", "there is no such model")
        }
        _ => {
            let answers = Answers { role, asked };
            match answers.asked.stream {
                true => stream(answers, model.streams),
                false => json_of(200, &answers.whole()),
            }
        }
    }
}

/// Its models.
const NAMES: [&str; 8] = [
    "sim",
    "sim-slow",
    "sim-busy",
    "sim-failing",
    "sim-down",
    "sim-cut",
    "sim-short",
    "sim-error",
];

async fn models(State(model): State<Model>) -> Response<Body> {
    let owner = model.role.name();
    let models =
        NAMES.map(|name| json!({"id": name, "object": "model", "created": 0, "owned_by": owner}));
    json_of(200, &json!({"object": "list", "data": models}))
}

async fn streams(State(model): State<Model>) -> Response<Body> {
    let streams = &model.streams;
    let [begun, over, left] =
        [&streams.begun, &streams.over, &streams.left].map(|count| count.load(Relaxed));
    json_of(200, &json!({"begun": begun, "over": over, "left": left}))
}

fn refused(status: u16, code: &str, message: &str) -> Response<Body> {
    let message = format!("Simulated: {message}.");
    let error = json!({"message": message, "type": "simulated_error", "param": null, "code": code});
    json_of(status, &json!({ "error": error }))
}

fn json_of(status: u16, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
