//! rig's agents, for real, against a server on loopback that does what it is told to.

mod answers;
mod aside;
#[path = "../../../obs-llm/tests/rig/client.rs"]
mod client;
mod content;
mod emitted;
mod endings;
mod others;
mod outline;
#[path = "../../../obs-llm/tests/support/scripted.rs"]
mod scripted;
#[allow(unused_imports, reason = "it is another crate's, too")]
#[path = "../../../obs-llm/tests/genai/server.rs"]
mod server;
mod support;
mod told;
mod trees;
mod within;
