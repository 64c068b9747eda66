//! The client's side: a layer around a service that sends HTTP requests.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::{BodyExt, Empty};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use obs_core::Telemetry;
//! use obs_http::client::{HttpClientLayer, Injection};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let knowledge = listener.local_addr()?;
//! # tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(|| async { "an item" })).await });
//! let telemetry = Telemetry::builder().build()?;
//! let client = ServiceBuilder::new()
//!     .layer(HttpClientLayer::new(&telemetry).with_injection(Injection::inside().and_to(["api.example.com"])))
//!     .service(Client::builder(TokioExecutor::new()).build_http());
//!
//! let request = http::Request::get(format!("http://{knowledge}/items/7")).body(Empty::<Bytes>::new())?;
//! let response = client.oneshot(request).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "an item");
//! # Ok(())
//! # }
//! ```
//!
//! Any service that takes an [`http::Request`] and answers with an [`http::Response`] can be wrapped: hyper-util's
//! client, hyper's `SendRequest` behind a `service_fn`, a stack of tower's layers over them. reqwest's client takes
//! requests of its own; with the feature `reqwest`, `Reqwest` makes it such a service (with its redirects switched off:
//! see [below](#what-a-request-carries)). The layer stands **next to
//! what sends**: a retry or a redirect outside of it makes one span per attempt, as the conventions want it.
//!
//! # What it emits
//!
//! A **span** of kind client, from the call to the end of the response's body, named `{method} {url.template}`, or
//! `{method}` where no template is known. It carries:
//!
//! | attribute | when | stability |
//! |---|---|---|
//! | `http.request.method`, `http.request.method_original` | as on the server | stable |
//! | `server.address`, `server.port` | the target or `host` says | stable |
//! | `url.full` | always; credentials and secrets of the query are `REDACTED` | stable |
//! | `http.response.status_code`, `network.protocol.version` | there was an answer | stable |
//! | `error.type` | the outcome is an error: see below | stable |
//! | `http.request.resend_count` | from the second attempt of a [call](HttpClientLayer::calls) on, or [`Resend`] says | stable |
//! | `network.peer.address`, `network.peer.port` | the response's extensions say: hyper-util's `HttpInfo` (feature `hyper-util`) or [`PeerAddress`](crate::PeerAddress) | stable |
//! | `url.template` | [`UrlTemplate`] or [`with_template`](HttpClientLayer::with_template) says | development |
//! | `user_agent.original`, `url.scheme`, headers | [asked](HttpClientLayer::with_user_agent) [for](HttpClientLayer::with_scheme) | stable |
//! | `http.request.body.size`, `http.response.body.size` | known | development |
//! | `obs.http.connection.reused` | the connector is a [`Connector`]; `true` with [`with_connections`](HttpClientLayer::with_connections) only | ours |
//!
//! **Metrics**, which do not depend on sampling:
//!
//! | metric | unit | kind | attributes | stability |
//! |---|---|---|---|---|
//! | `http.client.request.duration` | s | histogram, until the end of the body | all of the list below | stable |
//! | `obs.http.client.head.duration` | s | histogram, until the response's head | the same | ours |
//! | `obs.http.client.stage.duration` | s | histogram at Detailed, `obs.stage` is `connect`, `dns`, `tcp` or `tls` | the same, and `obs.stage` | ours |
//! | `http.client.active_requests` | {request} | in-flight gauge | `http.request.method`, `server.address`, `server.port` | development |
//! | `http.client.request.body.size`, `http.client.response.body.size` | By | histograms, if [asked for](obs_core::Builder::with_measures) | the same as the duration | development |
//! | `obs.http.call.duration`, `obs.http.call.attempts` | s, {attempt} | histograms of [calls](HttpClientLayer::calls), the second if asked for | the same as the duration | ours |
//!
//! Attributes of metrics: `http.request.method`, `server.address`, `server.port`, `http.response.status_code`,
//! `network.protocol.version`, `error.type`, and `url.template` and `url.scheme` where they are recorded. At most 512
//! hosts and 1,024 templates are told apart; what comes later is `_OTHER` on metrics, and spans still say it.
//! [`with_known_hosts`](HttpClientLayer::with_known_hosts) reserves places. Levels and thresholds per method are per host.
//!
//! # How an exchange ends
//!
//! Exactly once, whatever happens:
//!
//! | what happens | outcome | `error.type` |
//! |---|---|---|
//! | the body is read to its end, or there is none to read (HEAD, 101, 204, 304, CONNECT with 2xx) | answered | – |
//! | the same with a status of 4xx or 5xx; also if the body is then dropped, as retries do | failed | the status code |
//! | the name cannot be resolved | failed | `dns_error` |
//! | nobody listens; there is no way to it | failed | `connection_refused`; `unreachable` |
//! | the certificate is not trusted, the peer refuses the handshake | failed | `tls_error` |
//! | it cannot be connected to for another reason | failed | `connect_error` |
//! | the connection is reset, before the head or in the body | failed | `connection_reset` |
//! | the connection is closed too early | failed | `connection_closed` |
//! | the peer resets the HTTP/2 stream; it says goodbye before it looks at it | failed | `stream_reset`; `goaway` |
//! | the peer does not speak HTTP, or wrongly | failed | `protocol_error` |
//! | a timeout within the service (tower's, tokio's, reqwest's, the system's) | failed | `timeout` |
//! | the request's own body fails | failed | `request_body_error` |
//! | any other error of the service, of the response's body | failed | `service_error`, `body_error` |
//! | the future is dropped before the head | cancelled | `cancelled` |
//! | the body is dropped before its end: whoever has the head may have seen enough | cancelled | – |
//! | either after the [deadline](HttpClientLayer::with_deadline) | timed out | `timeout` |
//! | the service or its body panics | panicked | `panic` |
//!
//! Why an error happened is read off its chain of sources: kinds of `std::io::Error`, and the texts of hyper, hyper-util,
//! h2, tower, tokio, reqwest and rustls, which are constants there. What is not known is `service_error`. [`Classify`]
//! changes it; where a layer inside makes errors boxed (tower's `Timeout`, `Buffer`), there is [`BoxedClassify`].
//!
//! [`Classify`]: crate::Classify
//!
//! # Event points
//!
//! At [`Detailed`](obs_core::StatsLevel::Detailed) they are span events. HTTP/1 and HTTP/2 are alike unless noted.
//!
//! | event | what it is here | hyper-util | reqwest | other services |
//! |---|---|---|---|---|
//! | `rpc_start` | the span's start: the service is called | exact | exact | exact |
//! | `client_conn_start`, `client_conn_finish` | the outermost [`Connector`] is called, and is done: TCP and TLS, not HTTP/2's preface | exact | exact | absent, unless their connector is wrapped |
//! | `dns_start`, `dns_finish` | a resolver within [`ConnectorLayer::dns`] is called, and is done | exact | absent: its resolvers are of a trait of its own | absent |
//! | `tcp_start` | the addresses are there; for a literal address, the connector within [`ConnectorLayer::tcp`] is called | derived: all addresses that are tried are one dial | absent | absent |
//! | `tcp_finish` | that connector is done | exact | absent | absent |
//! | `tls_start`, `tls_finish` | from `tcp_finish` to `client_conn_finish`, for `https` and if it succeeds | derived | absent: it does not say where to | absent |
//! | `response_head` | the response's head is there, recorded at Base too | exact | exact; of the last response if it follows redirects | exact |
//! | `read_start` | the first poll of the response's body | exact | exact | exact |
//! | `stream_recv` | its first data frame is there | exact | exact | exact |
//! | `read_finish` | its last frame is there | exact | exact | exact |
//! | `rpc_finish` | the span's end: the body ended, failed or was dropped | exact | exact | exact |
//! | `write_*`, `wait_read_*`, `encode_*`, `decode_*` | sending is the inner client's, which is given the request's body untouched | absent | absent | absent |
//!
//! Whose connection it is: hyper-util dials within the request's own future, so the operation that dials is the one that
//! is polled, and gets the stamps. While it dials it also watches its pool. If a connection becomes free first, the
//! request takes that one and the dial goes on in a task of its own, where nobody is current: the operation keeps its
//! `client_conn_start`, has no `client_conn_finish`, and says `obs.http.connection.reused=true`, which is what happened.
//! Over HTTP/2, requests that wait for another's dial reuse its connection. If hyper-util dials twice for one request
//! (the first connection closed before it was used), the first stamp of each event counts. Behind a layer that sends
//! from another task (tower's `Buffer`) nothing of the connection is known. Connections themselves pass untouched, with
//! their socket options, `Connected` and pool.
//!
//! # Attempts under one call
//!
//! ```
//! # use obs_core::Telemetry;
//! # use obs_http::client::HttpClientLayer;
//! # use tower::ServiceBuilder;
//! # use tower_http::follow_redirect::FollowRedirectLayer;
//! # fn stack(telemetry: &Telemetry) {
//! let stack = ServiceBuilder::new()
//!     .layer(HttpClientLayer::calls(telemetry))   // one span for what was asked for
//!     .layer(FollowRedirectLayer::new())          // or tower's retry, or both
//!     .layer(HttpClientLayer::new(telemetry));    // one per attempt, with http.request.resend_count
//! # }
//! ```
//!
//! The call is a span of kind internal, because the conventions allow no second client span around the attempts; it has
//! `url.full` as it was asked for first, the last status, and `obs.http.call.attempts`. Attempts that start in another
//! task are not counted; neither are redirects and retries that a client does by itself (reqwest's, and hyper-util's for
//! a request that its connection had not begun): those are within one span. A request that a layer between the two sends on its own account (for a token) counts as an attempt.
//!
//! # What a request carries
//!
//! `traceparent`, `tracestate` and `baggage` of the new span, or what the telemetry's
//! [propagator](obs_core::Builder::with_propagator) writes, at every level but Disabled, whether or not the trace is
//! sampled; to whom, and what becomes of a `traceparent` that stands there already, see [`Injection`]. **By default
//! nothing is written to hosts outside.**
//!
//! The layer sees the request that it hands on, and no more: a service inside that follows redirects by itself repeats
//! the headers to wherever it is led, to hosts that are not permitted too. reqwest does by default: build it with
//! `redirect::Policy::none()`, and let a layer outside of this one follow, whose every request is looked at.
//!
//! # What it never records
//!
//! Bodies. Headers that were not asked for, and those that carry secrets even if they were. User and password of the
//! URL, values of secret keys in its query. Paths and error texts as attributes of metrics.

mod classify;
mod connector;
mod failure;
mod injection;
mod layer;
#[cfg(feature = "reqwest")]
mod reqwest;
mod service;
mod settings;
mod side;
mod url;

pub use self::classify::{BoxedClassify, ClientClassify};
pub use self::connector::{ConnectFuture, Connector, ConnectorLayer};
pub use self::injection::Injection;
pub use self::layer::HttpClientLayer;
#[cfg(feature = "reqwest")]
pub use self::reqwest::Reqwest;
pub use self::service::HttpClient;

use crate::exchange::{body, future};

/// The template that a request's URL was made from, put into its extensions by whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlTemplate(pub &'static str);

/// How often a request was sent before, put into its extensions by whoever retries by hand. Layers that retry need not:
/// within [`HttpClientLayer::calls`] attempts are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend(pub u32);

/// The future of an observed request's answer. Dropped before it is ready, the exchange is cancelled.
pub type ResponseFuture<F, C = ClientClassify> = future::ResponseFuture<F, side::Asking<C>>;

/// The body of an answer to an observed request: passed through untouched.
pub type ResponseBody<B, C = ClientClassify> = body::ResponseBody<B, side::Asked<C>>;
