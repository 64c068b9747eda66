//! Tower layers that make HTTP servers and clients observable: one span, its metrics, and every ending, by the
//! OpenTelemetry conventions for HTTP (v1.44.0). This page is about servers; [`client`] is about the other side.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use obs_core::Telemetry;
//! use obs_http::HttpServerLayer;
//! use std::time::Duration;
//! use tokio::signal::unix::{SignalKind, signal};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let telemetry = Telemetry::builder().with_otlp().build()?;
//!     let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));
//!     let app = Router::new()
//!         .route("/items/{id}", get(|| async { "an item" }))
//!         .layer(HttpServerLayer::new(&telemetry));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!
//!     let mut terminate = signal(SignalKind::terminate())?;
//!     let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
//!     let stop = async move {
//!         tokio::select! {
//!             _ = terminate.recv() => {}
//!             _ = tokio::signal::ctrl_c() => {}
//!         }
//!         drop(stopping);
//!     };
//!     // A client that never finishes its request is not waited for until somebody kills the process.
//!     let late = async { drop(stopped.await); tokio::time::sleep(Duration::from_secs(5)).await };
//!     tokio::select! {
//!         served = axum::serve(listener, app).with_graceful_shutdown(stop).into_future() => served?,
//!         () = late => {}
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The guard delivers what is left when `main` returns, and only then: a process that SIGTERM ends takes its last spans and
//! the metrics of its last minute with it, so a signal has to end the server and not the process.
//!
//! Any service that takes an [`http::Request`] and answers with an [`http::Response`] can be wrapped: hyper, tonic, axum,
//! warp. The feature `axum` finds route templates, peers and, in nested routers, whole paths by itself; functions that are
//! given the request see what such a router left of its target. Elsewhere see [`HttpServerLayer::with_route`] and
//! [`PeerAddress`].
//!
//! In tests nothing is global and nothing goes over the network:
//!
//! ```
//! use obs_http::HttpServerLayer;
//! use obs_testing::{Capture, assert_tree};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let capture = Capture::new();
//! let service = HttpServerLayer::new(capture.telemetry())
//!     .with_route(|head| head.uri.path().starts_with("/items/").then_some("/items/{id}"))
//!     .layer(service_fn(|_: http::Request<String>| async {
//!         Ok::<_, std::convert::Infallible>(http::Response::new("an item".to_owned()))
//!     }));
//!
//! let request = http::Request::get("/items/7?token=hunter2").body(String::new());
//! let response = service.oneshot(request.unwrap()).await.unwrap();
//! http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
//!
//! assert_tree(capture.tree(), r#"
//!     trace 1
//!       GET /items/{id} [server]
//!         - http.request.body.size: 0
//!         - http.request.method: "GET"
//!         - http.response.body.size: 7
//!         - http.response.status_code: 200
//!         - http.route: "/items/{id}"
//!         - network.protocol.version: "1.1"
//!         - url.path: "/items/7"
//!         - url.query: "token=REDACTED"
//!         - url.scheme: "http"
//! "#);
//! assert_eq!(capture.count("http.server.request.duration"), 1);
//! # }
//! ```
//!
//! # What it emits
//!
//! A **span** of kind server, from the request's head to the end of the response's body, named `{method} {route}`, with
//! `HTTP` in the place of a method that is not known. Its status is an error where the outcome is one, and unset
//! otherwise. It carries:
//!
//! | attribute | when | stability |
//! |---|---|---|
//! | `http.request.method` | always; `_OTHER` unless known | stable |
//! | `http.request.method_original` | the method is not known | stable |
//! | `http.route` | a route matched | stable |
//! | `http.response.status_code` | there was an answer | stable |
//! | `error.type` | the outcome is an error: see below | stable |
//! | `url.scheme`, `url.path` | always; the scheme from [proxies](HttpServerLayer::with_forwarded) if they are believed | stable |
//! | `url.query` | there is one ([`with_query`](HttpServerLayer::with_query)); secrets are redacted | stable |
//! | `server.address`, `server.port` | [proxies](HttpServerLayer::with_forwarded), the target or `host` say | stable |
//! | `network.protocol.version` | always | stable |
//! | `network.peer.address`, `network.peer.port` | the peer is known ([`with_addresses`](HttpServerLayer::with_addresses)) | stable |
//! | `client.address` | the same: the peer's, or what [proxies](HttpServerLayer::with_forwarded) say | stable |
//! | `client.port` | proxies say it | stable |
//! | `user_agent.original` | the request says | stable |
//! | `http.request.header.<name>`, `http.response.header.<name>` | asked for ([`with_request_headers`](HttpServerLayer::with_request_headers), [`with_response_headers`](HttpServerLayer::with_response_headers)) | stable |
//! | `http.request.body.size` | its length is announced | development |
//! | `http.response.body.size` | the body ended or failed, and the answer was none to HEAD and no 304 | development |
//! | `session.id`, `user.id`, other entries of the caller's baggage | allowed by name, from a trusted caller ([`with_baggage`](HttpServerLayer::with_baggage)) | development |
//! | `obs.keep.reason`, `obs.trace.partial` | it was kept although the head decision left it out | ours |
//!
//! At [`Detailed`](obs_core::StatsLevel::Detailed) it has span events too: [`server`] lists the points, and says which are
//! exact. The router of `control`, behind the feature of that name, changes levels at run time.
//!
//! **Metrics**, which do not depend on sampling:
//!
//! | metric | unit | kind | attributes | stability |
//! |---|---|---|---|---|
//! | `http.server.request.duration` | s | histogram | all of the list below | stable |
//! | `obs.http.server.head.duration` | s | histogram, until the response's head, so that streams hide nothing | the same | ours |
//! | `http.server.active_requests` | {request} | in-flight gauge | `http.request.method`, `url.scheme` | development |
//! | `http.server.request.body.size`, `http.server.response.body.size` | By | histograms, if [asked for](obs_core::Builder::with_measures) | the same as the duration | development |
//!
//! Attributes of metrics: `http.request.method`, `http.route`, `http.response.status_code`, `url.scheme`,
//! `network.protocol.version`, `error.type`. Each comes from a closed or capped set.
//!
//! # How an exchange ends
//!
//! Exactly once, whatever happens:
//!
//! | what happens | outcome | `error.type` |
//! |---|---|---|
//! | the body is sent to its end, or there is none to send (HEAD, CONNECT with 2xx, 101, 204, 304) | answered | – |
//! | the same with a status of 5xx | failed | the status code |
//! | the service returns an error | failed | `service_error` |
//! | the body fails | failed | `body_error` |
//! | the client goes away, a stream is reset, a layer outside gives up | cancelled | `cancelled` |
//! | the same after the [deadline](HttpServerLayer::with_deadline) | timed out | `timeout` |
//! | the service or its body panics | panicked | `panic` |
//!
//! [`Classify`] changes what counts as an error. It and the other functions that a layer is given may panic: that is caught
//! and [counted](obs_core::EngineCounts::panics), and the request is observed, on no route, from a stranger, and ends as its
//! status says.
//!
//! # Beside other layers
//!
//! A layer of another library that observes the same requests, left in place, records each of them twice. What can be seen of
//! that is said, once per telemetry, by [`Telemetry::warnings`](obs_core::Telemetry::warnings) and to
//! [`with_diagnostics`](obs_core::Builder::with_diagnostics):
//!
//! | where its span is | how it is seen | silenced by |
//! |---|---|---|
//! | outside: opentelemetry-instrumentation-tower; tower-http's `TraceLayer` and its like, with tracing-opentelemetry | it is current in OpenTelemetry's context where one of the first 128 requests comes in or is polled first | [`with_duplicate_warning(false)`](HttpServerLayer::with_duplicate_warning) |
//! | inside, of kind server, directly beneath ours or under the same parent | by `obs_core::sdk::ServerSpanWatch` (feature `sdk`) among the processors of its provider | leaving that away |
//!
//! Outside no kind of span can be asked for, so a span that is there on purpose is spoken of too. Not seen are: what
//! tracing-opentelemetry makes with activation of contexts off, outside; what other tracers than OpenTelemetry's make; what
//! is inside, without that processor or where it is not of kind server (`TraceLayer` unless it says `otel.kind`); what comes
//! after the first 128 requests; metrics. A layer of ours in a layer of ours makes a child, and nothing is said.
//!
//! For lines of `tracing` no other layer is needed: with the feature `tracing`, `with_tracing_span` opens a span per operation
//! with its ids, the route and the status, which is never exported a second time (the module `tracing_span`).
//!
//! # What it never records
//!
//! Bodies. Headers that were not asked for, and those whose names speak of secrets (of authorisation, cookies, keys,
//! tokens, sessions, signatures) even if they were. Values of such keys in queries ([`redact_query`]), also in those of
//! addresses that are values there (`next=/reset%3Ftoken%3D…`), in parameters of paths (`;jsessionid=…`), and in the URLs of
//! headers that were asked for (`referer`, `location`). Baggage that was not allowed by name
//! ([`with_baggage`](HttpServerLayer::with_baggage)), or comes from a stranger. User and password of a target. Error texts. Paths, queries and addresses as attributes of metrics. What the service records itself, in
//! attributes and logs, is shown to its [redactor](obs_core::redact), if it has one.
//!
//! # What it costs
//!
//! `cargo run --release -p obs-benches -- table http` measures it on your machine, beside its peers. Switched off it is
//! one branch.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod classify;
pub mod client;
#[cfg(feature = "control")]
pub mod control;
mod descriptor;
mod exchange;
mod forwarded;
mod head;
mod headers;
mod methods;
pub mod page;
mod peer;
mod redact;
mod route;
pub mod server;
mod target;
#[cfg(feature = "tracing")]
pub mod tracing_span;

pub use classify::{Classify, ServerClassify};
pub use client::HttpClientLayer;
pub use descriptor::client::{HTTP_CALL, HTTP_CLIENT};
pub use descriptor::{BODY_ERROR, HTTP_SERVER, SERVICE_ERROR};
pub use forwarded::{Client, Forwarded, Original};
pub use head::RequestHead;
pub use obs_core;
#[cfg(feature = "listener")]
pub use page::MetricsListener;
pub use page::MetricsPage;
pub use peer::PeerAddress;
pub use redact::redact_query;
pub use route::Route;
pub use server::HttpServerLayer;
