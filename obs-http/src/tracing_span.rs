//! The `tracing` span that a layer opens for each operation, on request (feature `tracing`).
//!
//! For those who read `tracing`: lines of formatters and filters by span, as tower-http's `TraceLayer` gives them.
//!
//! ```
//! use obs_http::{HttpServerLayer, tracing_span};
//! use tracing::Level;
//! use tracing_subscriber::filter::filter_fn;
//! use tracing_subscriber::prelude::*;
//! # use obs_core::Telemetry;
//! # use opentelemetry_sdk::trace::SdkTracerProvider;
//! # use obs_core::otel::trace::TracerProvider;
//! # fn main() -> Result<(), obs_core::Error> {
//! # let telemetry = Telemetry::builder().manual().build()?;
//! # let tracer = SdkTracerProvider::builder().build().tracer("shop");
//!
//! tracing_subscriber::registry()
//!     .with(tracing_subscriber::fmt::layer())
//!     // Only if `tracing` spans become OpenTelemetry spans: all but these.
//!     .with(
//!         tracing_opentelemetry::layer()
//!             .with_tracer(tracer)
//!             .with_filter(filter_fn(tracing_span::is_foreign)),
//!     )
//!     .init();
//!
//! let layer = HttpServerLayer::new(&telemetry).with_tracing_span(Level::INFO);
//! # let _ = layer;
//! # Ok(())
//! # }
//! ```
//!
//! # What it is
//!
//! One span per operation, with the target [`TARGET`] and the name [`SERVER`], [`CLIENT`] or [`CALL`]. It is entered whenever
//! the operation is current: around the call of the inner service, each poll of its future and of the body (on both sides,
//! whatever `with_current_in_body` says), and the destructor of a future that is given up. It closes when the operation
//! ends, once, however that is. An operation that is not recorded has none.
//!
//! | field | when |
//! |---|---|
//! | `trace_id`, `span_id` | always; the operation's, in hex |
//! | `http.request.method` | always; `_OTHER` unless known |
//! | `http.route` (servers), `url.template` (clients) | there is one |
//! | `url.path` | always, without the query |
//! | `server.address` (clients) | always, without credentials; empty if unknown |
//! | `http.response.status_code` | recorded with the answer's head |
//! | `error.type` | recorded at the end, if the outcome is an error |
//!
//! Where a subscriber does not want it, that is found out by one check, and nothing else happens. For a layer that makes spans, a
//! function given to `with_route` or `with_template` is asked a second time.
//!
//! # What it costs
//!
//! Without the feature nothing. With it, a layer that makes no spans has one more word to carry and one more thing to ask.
//! `cargo run --release -p obs-benches --features span -- table http/base-dropped` measures both, and what a span costs
//! (`peer/tower-http-registry` is tower-http's); without `--features span` it is the table of a build without.
//!
//! # It is never exported twice
//!
//! The operation is exported by its telemetry. tracing-opentelemetry would make a second span of this one, with ids of its
//! own, which takes the place of the operation as the parent of everything beneath. [`is_foreign`] as the filter of that
//! layer leaves these spans out; users' spans beneath are children of the operation then, with activation of contexts (the
//! default) and without.
//!
//! If the filter is forgotten, that is noticed: whoever makes a span of OpenTelemetry keeps its context, and
//! [`Telemetry::warnings`](obs_core::Telemetry::warnings) says so once. From then on the layer makes no such span:
//! a line without its fields is seen at once, a trace with every request in it twice is not. It looks when the first span is
//! made, and again at the 2nd, 3rd, 5th, 9th, 17th and so on: a subscriber that is changed while it runs is noticed late.
//!
//! # What it does not do
//!
//! Filtered, the span tells tracing-opentelemetry nothing: `Span::current().context()` is empty in it, and a task that was
//! spawned `in_current_span()` is in no trace of OpenTelemetry's. What is part of the operation elsewhere is wrapped by
//! [`current::wrap`](obs_core::current::wrap), which may stand around the other. Where contexts are not activated and a
//! `tracing` span of the user's is open *around* the layer, spans beneath the operation are children of that span:
//! tracing-opentelemetry looks there first.
//!
//! # Subscribers that panic
//!
//! They are contained and [counted](obs_core::EngineCounts::panics): a service that logs nothing must not fail because it
//! is observed.

use tracing::Metadata;

/// The target of all of them, for filters: `RUST_LOG=info,obs::operation=off`.
pub const TARGET: &str = obs_core::OPERATION_SPAN;
/// The name of a server's.
pub const SERVER: &str = "http.server";
/// The name of a client's.
pub const CLIENT: &str = "http.client";
/// The name of the one around all attempts of a client.
pub const CALL: &str = "http.call";

/// Whether a span is not one of these: for `filter_fn` on a layer that exports spans. Events all are.
#[must_use]
pub fn is_foreign(metadata: &Metadata<'_>) -> bool {
    metadata.target() != TARGET
}
