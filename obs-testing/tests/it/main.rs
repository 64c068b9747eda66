//! The crate from outside: real sockets, the official messages, the official exporter; captures, and a driver that
//! finds what is wrong.
#![cfg(feature = "receiver")]

mod capture;
mod client;
#[cfg(feature = "tower")]
mod endings;
mod faults;
mod http;
mod messages;
mod points;
mod sdk;
mod tree;
