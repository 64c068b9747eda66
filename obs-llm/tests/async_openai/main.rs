//! async-openai's own client, with the adapter's layer in its stack, against servers on loopback that answer what they are told to.

mod bytes;
mod chat;
mod content;
mod crowd;
mod endings;
mod once;
mod others;
mod server;
mod support;
