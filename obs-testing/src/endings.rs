//! Every ending of an instrumented tower service that speaks HTTP, driven by hand: no runtime, no socket, no sleeping.
//!
//! The driver wraps a scripted service with the layer under test and takes it through each [`Ending`]. After each it
//! holds: the service behaved as it does bare (status, frames, trailers, errors, size hints, panics), the in-flight
//! gauge is at 0 (and was at 1 in between), there is one more duration point and one record with the right outcome and
//! `error.type`, and nothing of the service is left in memory.
//!
//! ```
//! use obs_testing::endings::{Ending, Endings};
//! use obs_testing::Capture;
//! # use obs_core::{Descriptor, Scope, StatsLevel, otel::trace::SpanKind};
//! # static SCOPE: Scope = Scope { name: "docs", version: "1", schema_url: "" };
//! # static MY_SERVER: Descriptor = Descriptor {
//! #     name: "my.server", span_kind: SpanKind::Server, scope: &SCOPE, labels: &[], method: None, errors: &[],
//! #     duration: None, stages: &[], measures: &[], quantities: &[], in_flight: None,
//! #     span_name: |_, name| name.push_str("serve"),
//! # };
//! # fn my_layer<S>(_: &obs_core::Telemetry, inner: S) -> S { inner }
//!
//! // Switched off, a layer must change nothing and record nothing, however the exchange ends.
//! let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
//! Endings::of(&MY_SERVER).check_untouched(&capture, |inner| my_layer(capture.telemetry(), inner));
//!
//! // Switched on, each ending leaves exactly one of everything (this one records nothing, and is found out).
//! let capture = Capture::new();
//! let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
//!     Endings::of(&MY_SERVER)
//!         .without(Ending::PanicInBody)
//!         .check(&capture, |inner| my_layer(capture.telemetry(), inner));
//! }));
//! assert!(found.is_err());
//! ```
//!
//! # What is expected
//!
//! By the conventions for HTTP servers, unless told otherwise ([`Endings::expecting`]):
//!
//! | ending | outcome | `error.type` |
//! |---|---|---|
//! | [`Answered`](Ending::Answered), [`KnownLength`](Ending::KnownLength), [`Trailers`](Ending::Trailers), [`EmptyBody`](Ending::EmptyBody) | answered | – |
//! | [`ErrorStatus`](Ending::ErrorStatus) | failed | `500` |
//! | [`ServiceError`](Ending::ServiceError) | failed | `service_error` |
//! | [`BodyError`](Ending::BodyError) | failed | `body_error` |
//! | [`PanicInCall`](Ending::PanicInCall), [`Panic`](Ending::Panic), [`PanicInBody`](Ending::PanicInBody) | panicked | `panic` |
//! | [`DroppedUnpolled`](Ending::DroppedUnpolled), [`DroppedPending`](Ending::DroppedPending), [`BodyDroppedUnpolled`](Ending::BodyDroppedUnpolled), [`DroppedMidBody`](Ending::DroppedMidBody) | cancelled | `cancelled` |
//! | [`TimedOut`](Ending::TimedOut), [`TimedOutMidBody`](Ending::TimedOutMidBody) (with [`Endings::with_deadline`]) | timed out | `timeout` |

mod check;
mod drive;
mod scripted;

pub use scripted::{Scripted, ScriptedBody, ScriptedError, ScriptedFuture};

use crate::capture::Capture;
use http::{Request, Response};
use http_body::Body;
use obs_core::{Descriptor, End};
use std::time::Duration;
use tower_service::Service;

/// A way for an exchange to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// Status 200 and a body of unknown length, read to its end.
    Answered,
    /// Status 200 and a body of known length, not asked again after its last byte, as hyper does.
    KnownLength,
    /// Status 200, a body, trailers; not asked again after them.
    Trailers,
    /// Status 200 and a body that is over before it begins; it is not polled.
    EmptyBody,
    /// Status 500 with a body.
    ErrorStatus,
    /// The service returns an error in the place of an answer.
    ServiceError,
    /// The body fails after its first frame.
    BodyError,
    /// `call` panics, and the panic is caught.
    PanicInCall,
    /// The service's future panics in its second poll, and the panic is caught.
    Panic,
    /// The body panics after its first frame, and the panic is caught.
    PanicInBody,
    /// The future is dropped before it was polled.
    DroppedUnpolled,
    /// The future is dropped while it is pending.
    DroppedPending,
    /// The body is dropped before it was polled.
    BodyDroppedUnpolled,
    /// The body is dropped after its first frame.
    DroppedMidBody,
    /// The deadline passes, and the pending future is dropped.
    TimedOut,
    /// The deadline passes, and the body is dropped after its first frame.
    TimedOutMidBody,
}

impl Ending {
    /// Each of them.
    pub const ALL: &[Self] = &[
        Self::Answered,
        Self::KnownLength,
        Self::Trailers,
        Self::EmptyBody,
        Self::ErrorStatus,
        Self::ServiceError,
        Self::BodyError,
        Self::PanicInCall,
        Self::Panic,
        Self::PanicInBody,
        Self::DroppedUnpolled,
        Self::DroppedPending,
        Self::BodyDroppedUnpolled,
        Self::DroppedMidBody,
        Self::TimedOut,
        Self::TimedOutMidBody,
    ];

    /// Whether it takes a deadline known to the layer.
    const fn needs_deadline(self) -> bool {
        matches!(self, Self::TimedOut | Self::TimedOutMidBody)
    }

    const fn usual(self) -> (End, Option<&'static str>) {
        match self {
            Self::Answered | Self::KnownLength | Self::Trailers | Self::EmptyBody => {
                (End::Answered, None)
            }
            Self::ErrorStatus => (End::Failed, Some("500")),
            Self::ServiceError => (End::Failed, Some("service_error")),
            Self::BodyError => (End::Failed, Some("body_error")),
            Self::PanicInCall | Self::Panic | Self::PanicInBody => (End::Panicked, Some("panic")),
            Self::DroppedUnpolled
            | Self::DroppedPending
            | Self::BodyDroppedUnpolled
            | Self::DroppedMidBody => (End::Cancelled, Some("cancelled")),
            Self::TimedOut | Self::TimedOutMidBody => (End::TimedOut, Some("timeout")),
        }
    }
}

/// The driver: which endings, and what is expected of them.
#[derive(Clone, Debug)]
#[must_use = "nothing is driven before `check`"]
pub struct Endings {
    descriptor: &'static Descriptor,
    request: fn() -> Request<ScriptedBody>,
    without: Vec<Ending>,
    expected: Vec<(Ending, End, Option<&'static str>)>,
    deadline: Option<Duration>,
    errors_only: bool,
    bodies_apart: bool,
}

impl Endings {
    /// The endings of operations of this kind; it names the metrics to look at.
    pub fn of(descriptor: &'static Descriptor) -> Self {
        Self {
            descriptor,
            request: || Request::new(ScriptedBody::empty()),
            without: Vec::new(),
            expected: Vec::new(),
            deadline: None,
            errors_only: false,
            bodies_apart: false,
        }
    }

    /// The request to send, instead of `GET /`.
    pub fn with_request(mut self, request: fn() -> Request<ScriptedBody>) -> Self {
        self.request = request;
        self
    }

    /// Leaves an ending out.
    pub fn without(mut self, ending: Ending) -> Self {
        self.without.push(ending);
        self
    }

    /// What an ending is to be recorded as, where it is not the usual: see the [module](self).
    pub fn expecting(mut self, ending: Ending, end: End, error_type: Option<&'static str>) -> Self {
        self.expected.push((ending, end, error_type));
        self
    }

    /// The deadline that the layer under test was told. Without one, the endings that need it are left out.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The head decision leaves everything out and errors are kept late: only they are expected as records, each with
    /// its reason. Metrics count everything all the same.
    pub fn with_errors_only(mut self) -> Self {
        self.errors_only = true;
        self
    }

    /// The exchange is over with its head (an answer to HEAD, an upgrade): while a body is driven nothing is in flight.
    pub fn with_bodies_apart(mut self) -> Self {
        self.bodies_apart = true;
        self
    }

    /// Drives each ending, with a service wrapped afresh.
    ///
    /// # Panics
    ///
    /// If an ending is not recorded as it should be, or the service does not behave as it does bare.
    #[track_caller]
    pub fn check<S, R>(&self, capture: &Capture, wrap: impl Fn(Scripted) -> S)
    where
        S: Service<Request<ScriptedBody>, Response = Response<R>>,
        R: Body,
    {
        capture.clear();
        for ending in self.chosen() {
            check::recorded(self, ending, capture, &wrap);
        }
    }

    /// Drives each ending through a layer that is switched off: nothing may be recorded, and the service must behave as
    /// it does bare.
    ///
    /// # Panics
    ///
    /// If something is recorded, or the service does not behave as it does bare.
    #[track_caller]
    pub fn check_untouched<S, R>(&self, capture: &Capture, wrap: impl Fn(Scripted) -> S)
    where
        S: Service<Request<ScriptedBody>, Response = Response<R>>,
        R: Body,
    {
        capture.clear();
        for ending in self.chosen() {
            check::untouched(self, ending, capture, &wrap);
        }
    }

    fn chosen(&self) -> impl Iterator<Item = Ending> {
        Ending::ALL
            .iter()
            .copied()
            .filter(|ending| !self.without.contains(ending))
            .filter(|ending| self.deadline.is_some() || !ending.needs_deadline())
    }

    fn expected(&self, ending: Ending) -> (End, Option<&'static str>) {
        let told = self.expected.iter().rev().find(|(of, ..)| *of == ending);
        told.map_or(ending.usual(), |(_, end, error)| (*end, *error))
    }
}
