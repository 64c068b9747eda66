//! What tests of instrumented services need.
//!
//! - [`Capture`]: a telemetry of the test's own and what it recorded, without globals.
//! - [`endings`]: the driver that takes an instrumented tower service through every ending (feature `tower`).
//! - [`receiver`]: a small OTLP/HTTP receiver on loopback, with faults to script. It decodes with the official protobuf
//!   definitions, so that an encoder is never checked against itself.
//! - [`tree`]: spans as a text tree, for inline snapshots ([`assert_tree`]).
//! - [`metrics`]: looking up received points, quantiles, sums by attribute.
//! - [`eventually`]: waiting for a condition with a deadline.
//!
//! ```
//! use obs_core::{Descriptor, InFlight, Labels, Outcome, Parent, Scope, Telemetry, otel::trace::SpanKind};
//! use obs_testing::{Capture, assert_tree};
//!
//! static SCOPE: Scope = Scope { name: "coffee", version: "1.0.0", schema_url: "" };
//! static BREW: Descriptor = Descriptor {
//!     name: "brew",
//!     span_kind: SpanKind::Internal,
//!     scope: &SCOPE,
//!     labels: &[],
//!     method: None,
//!     errors: &[],
//!     duration: None,
//!     stages: &[],
//!     measures: &[],
//!     quantities: &[],
//!     in_flight: Some(InFlight { name: "brews", unit: "{brew}", description: "Cups on their way.", labels: 0 }),
//!     span_name: |_, name| name.push_str("brew"),
//! };
//!
//! /// The code under test: it is handed a telemetry, as in production.
//! fn serve(telemetry: &Telemetry, has_beans: bool) {
//!     let brew = telemetry.kind(&BREW).start(Labels::NONE, Parent::Current);
//!     if has_beans {
//!         brew.end(Outcome::ANSWERED);
//!     }
//! }
//!
//! let capture = Capture::new();
//! serve(capture.telemetry(), true);
//! serve(capture.telemetry(), false);
//! assert_eq!(capture.in_flight("brews"), 0);
//! assert_eq!(capture.records()[1].outcome, Outcome::CANCELLED);
//! assert_tree(capture.tree(), r#"
//!     trace 1
//!       brew [internal]
//!     trace 2
//!       brew [internal] error
//! "#);
//! ```
//!
//! Nothing here starts a runtime, sets a global, or leaves the loopback interface. Without the `receiver` feature the
//! crate brings neither protobuf nor a socket.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attr;
mod capture;
#[cfg(feature = "tower")]
pub mod endings;
pub mod metrics;
#[cfg(feature = "receiver")]
pub mod receiver;
pub mod tree;
mod wait;

pub use attr::AttrValue;
pub use capture::{Capture, CaptureBuilder, CapturedRecord};
#[cfg(feature = "tower")]
pub use endings::{Ending, Endings};
pub use obs_core::ManualClock;
#[cfg(feature = "receiver")]
pub use receiver::Receiver;
pub use tree::{Kind, SpanStatus, SpanTree, TreeEvent, TreeLink, TreeSpan, assert_tree};
pub use wait::eventually;
