//! The same exchanges as in `main.rs`, where a provider of the service's records their spans: by the name of this test
//! (`support::over_sdk`). What is not here has nothing to do with spans.
#![allow(
    clippy::manual_async_fn,
    reason = "an async fn cannot be `#[track_caller]`"
)]

/// A provider does not record what it may not export, so nothing can be kept late: nothing of that is here.
macro_rules! ours_only {
    ($($tests:item)*) => {};
}
pub(crate) use ours_only;

mod attributes;
#[cfg(feature = "axum")]
mod axum_routes;
mod contained;
mod endings;
mod forwarded;
mod http1;
mod http2;
mod identity;
mod outgoing;
mod propagators;
mod redaction;
mod spawned;
mod support;
