//! The `tracing` span of an operation: in a real subscriber, beside spans of an SDK, through every ending.

mod endings;
mod exported;
mod fields;
mod lines;
mod panics;
mod seen;
mod world;
