//! Logs: events of `tracing` and records of `log`, as lines of JSON and as OpenTelemetry log records, both with the ids of the
//! operation they belong to.
//!
//! # Quick start
//!
//! ```
//! use obs_core::{Telemetry, logs::LogLayer};
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use obs_core::otel::trace::TracerProvider;
//! use tracing_subscriber::layer::SubscriberExt;
//! use tracing_subscriber::util::SubscriberInitExt;
//!
//! let telemetry = Telemetry::builder().with_service_name("shop").manual().build()?;
//! # let provider = SdkTracerProvider::builder().build();
//! tracing_subscriber::registry()
//!     // If `tracing` spans become OpenTelemetry spans: on either side of ours.
//!     .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("shop")))
//!     .with(LogLayer::new(&telemetry))
//!     .init();
//!
//! tracing::info!(items = 3, "cart filled");
//! # Ok::<(), obs_core::Error>(())
//! ```
//!
//! ```json
//! {"timestamp":"2026-01-01T00:00:00.000000000Z","level":"INFO","target":"shop","message":"cart filled","fields":{"items":3}}
//! ```
//!
//! # What a line says
//!
//! | member | what | when |
//! |---|---|---|
//! | `timestamp` | RFC 3339, UTC, nanoseconds | always |
//! | `level`, `target` | as `tracing` has them | always |
//! | `trace_id`, `span_id`, `trace_flags` | lower-case hex; the flags tell the head decision | something is current |
//! | `session.id`, `gen_ai.conversation.id`, `user.id` | of the operation | it has them |
//! | `message` | text | there is one |
//! | `fields` | numbers as numbers, truth values as such, all else as text; of an error also `<name>.sources`, a list | there are any |
//! | `spans` | `name` and `fields` of the `tracing` spans around it, the outermost first | [on request](LogLayer::with_span_fields) |
//! | `code.file.path`, `code.line.number` | its place in the source | [on request](LogLayer::with_location) |
//! | `thread.name` | | [on request](LogLayer::with_thread) |
//! | `obs.log.cut_fields` | how many fields had no room | there were any |
//!
//! It is one line of valid JSON whatever was logged, and shown in a terminal it is text: controls, line separators, and the
//! characters that turn the direction of writing are escaped, and read back as they were. Numbers that JSON has not
//! (`NaN`, those beyond 64 bits) are text. Several fields of one name are all written.
//!
//! A log record says the same in OpenTelemetry's model: severity numbers, the message as the body, fields as attributes,
//! the target as the scope; the name of the event where it was given one (`name: "…"`), and `exception.message` beside a field
//! that is an error. Of several fields of one name it has the last: keys of attributes are unique there.
//!
//! # Whose ids
//!
//! Those of what is current: our operation, or an OpenTelemetry span that lies deeper, such as one that tracing-opentelemetry
//! made of a `tracing` span. That crate tells of its spans by activating their context, which it does unless told
//! otherwise; switched off, its spans are not seen here.
//!
//! # Floods, slow writers, loops
//!
//! - [`Flood`]: each call site has a budget, 100 events a second and 1,000 of level `ERROR` unless told otherwise. What is held
//!   back is counted, and told in a line of its own (`obs.log.held_back`) when the site speaks again, or any other, or
//!   at the next collection.
//! - [`NonBlocking`]: a writer with a thread of its own and a bound in bytes. Any other writer is called by whoever logs,
//!   who waits for it. What a writer does not take is counted, and told as `obs.log.lost`.
//! - What is logged while an event is handled (by a value that is formatted, by a writer) is counted and nothing else. What is
//!   logged while telemetry is delivered, by our exporter or by others' in OpenTelemetry's suppressed scope, makes
//!   lines but no log records. A transport that works on threads of its own has to be filtered by its targets.
//! - Panics of values and writers are contained.
//! - Beside `console-subscriber`, tokio tells of its insides as events of `tracing`. The console needs them, so no filter may
//!   stand over all layers; give this one its own: `LogLayer::new(&telemetry).with_filter(LevelFilter::INFO)`.
//!
//! All counts are in [`EngineCounts`](crate::EngineCounts) and on the metrics page, as `obs.telemetry.dropped`.
//!
//! # What it costs
//!
//! A line allocates nothing in steady state, unless fields of spans are told or it is longer than 16 KiB; a log record allocates
//! its attributes. Where nobody takes log records none are made.
//!
//! # What it never records
//!
//! Anything that was not logged: no environment, no arguments, no backtraces, no paths of sources unless asked for. What is
//! logged is written as it is, unless there is a [redactor](crate::redact).

#[cfg(feature = "log")]
mod bridge;
mod core;
mod escape;
mod fields;
mod flood;
mod json;
mod layer;
mod limits;
mod otlp;
mod redacted;
mod site;
mod time;
mod told;
mod writer;

#[cfg(feature = "log")]
pub use bridge::LogBridge;
pub use flood::Flood;
pub use layer::LogLayer;
pub use limits::Limits;
pub use writer::{Lines, NonBlocking};
