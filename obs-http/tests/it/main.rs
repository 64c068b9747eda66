//! The server layer from outside: driven by hand, and over real sockets.
#![allow(
    clippy::manual_async_fn,
    reason = "an async fn cannot be `#[track_caller]`"
)]

/// For what only our own recorder does: keep what ended badly although the head decision left it out.
macro_rules! ours_only {
    ($($tests:item)*) => { $($tests)* };
}
pub(crate) use ours_only;

mod attributes;
#[cfg(feature = "axum")]
mod axum_routes;
mod contained;
#[cfg(feature = "control")]
mod control;
mod endings;
mod flood;
mod forwarded;
mod front_page;
mod http1;
mod http2;
mod identity;
mod outgoing;
mod page;
mod propagators;
mod redaction;
mod spawned;
mod support;
