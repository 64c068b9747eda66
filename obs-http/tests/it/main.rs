//! The server layer from outside: driven by hand, and over real sockets.
#![allow(
    clippy::manual_async_fn,
    reason = "an async fn cannot be `#[track_caller]`"
)]

mod attributes;
#[cfg(feature = "axum")]
mod axum_routes;
mod endings;
mod http1;
mod http2;
mod identity;
mod redaction;
mod spawned;
mod support;
