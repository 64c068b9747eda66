//! async-openai's own client, with the adapter's layer in its stack, against servers on loopback that answer what they are told to.

mod bytes;
mod chat;
mod content;
mod crowd;
mod endings;
mod once;
mod others;
#[path = "../support/record.rs"]
mod record;
#[path = "../support/scripted.rs"]
mod scripted;
mod server;
mod support;
