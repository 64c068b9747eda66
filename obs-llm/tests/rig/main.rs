//! The layer around rig's models, through rig's own providers, against a server on loopback.

mod agent;
mod answers;
mod aside;
mod client;
#[cfg(feature = "content")]
mod content;
mod endings;
mod formats;
mod others;
#[path = "../support/record.rs"]
mod record;
#[path = "../support/scripted.rs"]
mod scripted;
#[path = "../genai/server.rs"]
mod server;
mod support;
