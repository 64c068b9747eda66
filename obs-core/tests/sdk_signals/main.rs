//! What an OpenTelemetry SDK of the user's recorded, through our processors: encoded as its own exporters would, bounded,
//! and counted to the last.
#![cfg(feature = "sdk")]

mod accounts;
mod any;
#[cfg(unix)]
mod forked;
#[cfg(feature = "http-client")]
mod http_client;
mod logs;
mod metrics;
mod queues;
mod redacted;
mod shutdown;
mod spans;
mod support;
