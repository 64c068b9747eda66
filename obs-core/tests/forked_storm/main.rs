//! Forks while other threads are in the middle of everything. They start and end threads all the time, beside which no other
//! test can fork: so these have a process of their own.
#![cfg(all(unix, feature = "otlp"))]

#[path = "../forked/child.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod child;
#[path = "../courier/collector.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod collector;
#[path = "../forked/everything.rs"]
mod everything;
#[path = "../forked/received.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod received;
#[path = "../support/support.rs"]
mod support;

mod storm;
