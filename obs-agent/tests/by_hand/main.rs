//! Loops of agents that are written by hand over client libraries, which know nothing of agents: runs of an agent and its tools around,
//! and obs-llm's adapters beneath.

#[path = "../rig/answers.rs"]
#[allow(dead_code, reason = "it is another test's, too")]
mod answers;
mod async_openai;
mod endings;
mod genai;
#[path = "../rig/outline.rs"]
#[allow(dead_code, reason = "it is another test's, too")]
mod outline;
#[path = "../../../obs-llm/tests/support/scripted.rs"]
mod scripted;
#[allow(dead_code, unused_imports, reason = "it is another crate's, too")]
#[path = "../../../obs-llm/tests/genai/server.rs"]
mod server;
mod support;
