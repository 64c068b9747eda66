//! Real forks: in manual mode a child is whole, with ids, numbers and connections of its own; beside threads that are not its
//! own it is inert, and never hangs.
#![cfg(all(unix, feature = "otlp"))]

#[path = "../courier/collector.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod collector;
#[path = "../support/support.rs"]
mod support;

mod child;
mod everything;
mod ids;
mod inert;
mod others;
mod received;
mod sessions;
mod sources;
mod whole;
