//! The adapter of genai, through genai's own providers, against a server on loopback.

mod answers;
mod aside;
#[cfg(feature = "content")]
mod content;
mod endings;
mod formats;
mod options;
#[path = "../support/record.rs"]
mod record;
#[path = "../support/scripted.rs"]
mod scripted;
mod server;
mod support;
