//! Operations that start, report events and end exactly once.
//!
//! A service adds a layer of a domain crate (`obs-http`, …); this crate is what all of them stand on: it records an
//! operation as one flat record, adds its numbers to cells of the thread it ends on, keeps or drops it at its end,
//! and encodes what is kept straight to OTLP from a thread of its own.
//!
//! ```
//! use obs_core::otel::trace::SpanKind;
//! use obs_core::{DURATION_BOUNDS, Descriptor, Error, Histogram, Labels, Outcome, Parent, Scope, Telemetry};
//! use std::time::Duration;
//!
//! static SCOPE: Scope = Scope { name: "coffee", version: "1.0.0", schema_url: "" };
//! static BREW: Descriptor = Descriptor {
//!     name: "brew",
//!     span_kind: SpanKind::Internal,
//!     scope: &SCOPE,
//!     labels: &[],
//!     method: None,
//!     errors: &[],
//!     duration: Some(Histogram {
//!         name: "brew.duration",
//!         unit: "s",
//!         description: "How long a cup took.",
//!         bounds: DURATION_BOUNDS,
//!     }),
//!     stages: &[],
//!     measures: &[],
//!     quantities: &[],
//!     in_flight: None,
//!     span_name: |_, name| name.push_str("brew"),
//! };
//!
//! fn main() -> Result<(), Error> {
//!     // `with_otlp()` exports its spans and metrics; `manual()` does without threads.
//!     let telemetry = Telemetry::builder().manual().build()?;
//!     let brew = telemetry.kind(&BREW);
//!     brew.start(Labels::NONE, Parent::Current).end(Outcome::ANSWERED);
//!     // Whatever becomes of one, it ends once: this one is cancelled.
//!     drop(brew.start(Labels::NONE, Parent::Current));
//!
//!     let page = telemetry.prometheus();
//!     assert!(page.contains("brew_duration_seconds_count 2"), "{page}");
//!     telemetry.shutdown(Duration::from_secs(5))
//! }
//! ```
//!
//! A [`Telemetry`] is set up by its [`Builder`] in code, and by the `OTEL_*` variables of its process: which of them are
//! honoured, and how, is [one table](setup::environment#the-variables).
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod aggregation;
mod ambient;
mod annotate;
mod attached;
mod attributes;
mod clock;
mod contain;
mod context;
pub mod courier;
pub mod current;
mod descriptor;
pub mod encode;
mod engine;
mod error;
mod event;
mod foreign;
mod fork;
mod handle;
pub mod ids;
mod instrument;
mod label;
mod level;
mod log_event;
#[cfg(feature = "tracing")]
pub mod logs;
#[cfg(all(loom, test))]
mod loom_models;
pub mod metrics;
#[cfg(feature = "metrics")]
pub mod metrics_facade;
mod moment;
mod operation;
mod outcome;
mod parent;
#[cfg(feature = "process")]
pub mod process;
pub mod propagation;
mod quiet;
mod record;
mod recorder;
pub mod redact;
#[cfg(feature = "tokio")]
pub mod runtime;
pub mod sampling;
mod scope;
#[cfg(feature = "sdk")]
pub mod sdk;
pub mod semconv;
mod session;
pub mod setup;
mod shared;
mod side;
mod subscriber;
mod sync;
mod thread;
mod timeline;
pub mod trust;
mod view;
mod witness;

pub use opentelemetry as otel;

pub use aggregation::{ExponentialHistogram, HistogramAggregation};
pub use annotate::{Annotator, Milestone};
pub use attributes::{Key, Set, Value};
pub use clock::{Clock, ManualClock};
pub use context::{ContextMode, Entered};
pub use descriptor::{
    DURATION_BOUNDS, Descriptor, Histogram, InFlight, Measure, Quantity, SIZE_BOUNDS, Scope, Stage,
};
pub use engine::counts::EngineCounts;
pub use engine::diagnostics::{Diagnostic, Problem};
pub use engine::instruments::{
    BoundCounter, BoundFloatCounter, BoundGauge, BoundHistogram, BoundTally, BoundUpDownCounter,
    Counter, FloatCounter, Gauge, Instrument, Tally, UpDownCounter, ValueHistogram,
};
pub use engine::kind::Kind;
pub use engine::kind::passages::Passages;
pub use engine::lent::{MethodLevel, RaiseRule};
pub use engine::sources::PointSource;
pub use error::Error;
pub use event::Event;
#[doc(hidden)]
pub use foreign::{Lure, OPERATION_SPAN, SPAN_ID_FIELD, TRACE_ID_FIELD};
#[doc(hidden)]
pub use fork::{PerProcess, notice as notice_fork};
pub use handle::OpRef;
pub use instrument::{Instrumented, Within};
pub use label::{Label, LabelId, LabelValue, Labels, OTHER, Values};
pub use level::StatsLevel;
pub use log_event::{Body, LogEvent, Severity};
pub use moment::Moment;
pub use operation::{Active, Operation};
pub use outcome::{End, ErrorType, Outcome};
pub use parent::Parent;
pub use record::{Record, RecordEvent, RecordLink, RecordValue};
pub use recorder::{Provider, Recorder};
pub use session::Session;
pub use setup::{Book, Books, Builder, Delivery, KeepPolicy, Reader, ShutdownGuard, Telemetry};
pub use subscriber::{Records, Subscriber};
pub use trust::Trust;
pub use view::View;
pub use witness::SessionWitness;
