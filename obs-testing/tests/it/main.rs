//! The crate from outside: real sockets, the official messages, the official exporter.
#![cfg(feature = "receiver")]

mod client;
mod faults;
mod http;
mod messages;
mod points;
mod sdk;
mod tree;
