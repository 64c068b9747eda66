//! async-openai's own client, with the adapter's layer in its stack, against servers on loopback that answer what they are told to.

mod chat;
mod endings;
mod server;
mod support;
