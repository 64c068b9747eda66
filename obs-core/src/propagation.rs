//! What travels between processes: the caller's place in its trace, what other systems want carried, and baggage.
//!
//! [`Propagator`] reads and writes it, in the W3C's formats or by any propagator of the OpenTelemetry ecosystem. What a
//! listener may believe of it is decided afterwards, in [`trust`](crate::trust).
//!
//! A carrier (headers, metadata, a message's properties) hands over *all* values of a name, in their order, and matches
//! names without regard to case: two `traceparent` make an invalid one, two `tracestate` or `baggage` are joined.

pub mod baggage;
mod hex;
#[doc(hidden)]
pub mod hosts;
pub mod ot;
#[doc(hidden)]
pub mod percent;
pub mod traceparent;
pub mod tracestate;

use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};

use crate::contain::contain;
use crate::operation::Active;

use self::baggage::{BAGGAGE, Baggage};
use self::traceparent::{LEN, Reject, TRACEPARENT};
use self::tracestate::{Invalid, TRACESTATE, TraceState};

pub use self::traceparent::TraceParent;

/// What came in with a request, or goes out with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// The caller's place in its trace.
    pub parent: Option<TraceParent>,
    /// What other tracing systems want carried. Only ever beside a parent.
    pub tracestate: Option<TraceState>,
    /// The application's own.
    pub baggage: Baggage,
    /// What was not taken over, to be counted.
    pub dropped: Dropped,
}

/// What of a carrier broke the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// There was a `traceparent`, and it was not believed.
    pub traceparent: Option<Reject>,
    /// There was a `tracestate`, and it was dropped as a whole.
    pub tracestate: Option<Invalid>,
    /// How many baggage members were dropped.
    pub baggage: usize,
}

impl Remote {
    /// Whether nothing came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parent.is_none() && self.baggage.is_empty()
    }

    /// The parent as a remote span context of OpenTelemetry's API.
    #[must_use]
    pub fn span_context(&self) -> Option<SpanContext> {
        let tracestate = || {
            self.tracestate
                .as_ref()
                .map(TraceState::to_otel)
                .unwrap_or_default()
        };
        self.parent
            .map(|parent| parent.to_span_context(tracestate()))
    }
}

/// Reads the W3C's headers from all of their values.
#[inline]
pub fn extract<'a>(
    traceparent: impl IntoIterator<Item = &'a [u8]>,
    tracestate: impl IntoIterator<Item = &'a [u8]>,
    baggage: impl IntoIterator<Item = &'a [u8]>,
) -> Remote {
    let mut remote = Remote::default();
    match extract_parent(traceparent) {
        Some(Ok(parent)) => {
            remote.parent = Some(parent);
            match TraceState::from_headers(tracestate) {
                Ok(tracestate) => remote.tracestate = tracestate,
                Err(invalid) => remote.dropped.tracestate = Some(invalid),
            }
        }
        // Without a parent a tracestate means nothing.
        Some(Err(reject)) => remote.dropped.traceparent = Some(reject),
        None => {}
    }
    (remote.baggage, remote.dropped.baggage) = Baggage::from_headers(baggage);
    remote
}

/// Reads `traceparent` alone from all of its values; `None` if there is none.
#[inline]
pub fn extract_parent<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Option<Result<TraceParent, Reject>> {
    let mut values = values.into_iter();
    let first = values.next()?;
    Some(if values.next().is_some() {
        Err(Reject::Duplicate)
    } else {
        traceparent::parse(first)
    })
}

/// Writes the W3C's headers: names in lower case, and only what there is to send.
#[inline]
pub fn inject(
    parent: Option<&TraceParent>,
    tracestate: Option<&TraceState>,
    baggage: &Baggage,
    mut set: impl FnMut(&'static str, &str),
) {
    if let Some(parent) = parent {
        let mut text = [0; LEN];
        traceparent::write(parent, &mut text);
        set(TRACEPARENT, std::str::from_utf8(&text).unwrap_or_default());
        if let Some(tracestate) = tracestate {
            set(TRACESTATE, tracestate.as_str());
        }
    }
    if !baggage.is_empty() {
        set(BAGGAGE, baggage.as_str());
    }
}

/// Which formats a service reads and writes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Propagator {
    /// `traceparent`, `tracestate` and `baggage`.
    #[default]
    W3c,
    /// `traceparent` and `tracestate`.
    TraceContext,
    /// `baggage`.
    Baggage,
    /// Nothing is read, nothing is written.
    None,
    /// Any propagator of the OpenTelemetry ecosystem (B3, X-Ray, Jaeger, a composite). It allocates as it likes.
    Custom(Arc<dyn TextMapPropagator + Send + Sync>),
}

impl Propagator {
    /// The value of `OTEL_PROPAGATORS`: `tracecontext` and `baggage`, joined by a comma, or `none`.
    ///
    /// # Errors
    /// The name that is not known here.
    pub fn from_env_value(value: &str) -> Result<Self, String> {
        let (mut context, mut baggage) = (false, false);
        for name in value
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            match name.to_ascii_lowercase().as_str() {
                "tracecontext" => context = true,
                "baggage" => baggage = true,
                "none" => return Ok(Self::None),
                _ => return Err(name.to_owned()),
            }
        }
        Ok(match (context, baggage) {
            (true, false) => Self::TraceContext,
            (false, true) => Self::Baggage,
            // Set and empty means not set, by OpenTelemetry's rule for variables.
            (true, true) | (false, false) => Self::W3c,
        })
    }

    /// Reads a carrier. For the W3C's formats a carrier that lends its headers as bytes is faster: [`extract`].
    #[must_use]
    pub fn extract(&self, carrier: &dyn Extractor) -> Remote {
        if let Self::Custom(propagator) = self {
            return from_context(&propagator.extract_with_context(&Context::new(), carrier));
        }
        let all = |name, wanted: bool| {
            let values = if wanted { carrier.get_all(name) } else { None };
            values.unwrap_or_default().into_iter().map(str::as_bytes)
        };
        let (context, baggage) = (self.has_trace_context(), self.has_baggage());
        extract(
            all(TRACEPARENT, context),
            all(TRACESTATE, context),
            all(BAGGAGE, baggage),
        )
    }

    /// Writes what an outgoing call of `operation` carries, name by name. In the W3C's formats it allocates nothing.
    pub fn inject_operation(&self, operation: &mut Active<'_>, mut set: impl FnMut(&str, &str)) {
        match self {
            Self::W3c => operation.inject(set),
            Self::None => {}
            Self::TraceContext | Self::Baggage => operation.inject(|name, value| {
                if self.has_baggage() == (name == BAGGAGE) {
                    set(name, value);
                }
            }),
            Self::Custom(_) => {
                let outgoing = operation.outgoing();
                if contain(|| self.inject(&outgoing, &mut Setter(&mut set))).is_none() {
                    operation.count_panic();
                }
            }
        }
    }

    /// Writes into a carrier what the next process shall read. `outgoing.parent` is the operation that calls it.
    pub fn inject(&self, outgoing: &Remote, carrier: &mut dyn Injector) {
        if let Self::Custom(propagator) = self {
            return propagator.inject_context(&to_context(outgoing), carrier);
        }
        let parent = outgoing
            .parent
            .as_ref()
            .filter(|_| self.has_trace_context());
        let baggage = if self.has_baggage() {
            &outgoing.baggage
        } else {
            &Baggage::EMPTY
        };
        inject(
            parent,
            outgoing.tracestate.as_ref(),
            baggage,
            |name, value| {
                carrier.set(name, value.to_owned());
            },
        );
    }

    /// Whether `traceparent` and `tracestate` are read and written by us.
    #[must_use]
    pub fn has_trace_context(&self) -> bool {
        matches!(self, Self::W3c | Self::TraceContext)
    }

    /// Whether `baggage` is read and written by us.
    #[must_use]
    pub fn has_baggage(&self) -> bool {
        matches!(self, Self::W3c | Self::Baggage)
    }
}

/// What a propagator left in a context.
/// A closure as a carrier.
struct Setter<'a, F>(&'a mut F);

impl<F: FnMut(&str, &str)> Injector for Setter<'_, F> {
    fn set(&mut self, key: &str, value: String) {
        (self.0)(key, &value);
    }
}

fn from_context(context: &Context) -> Remote {
    let span = context.span();
    let span_context = span.span_context();
    let parent = TraceParent::from_span_context(span_context);
    let tracestate = parent.and_then(|_| TraceState::from_otel(span_context.trace_state()));
    let (baggage, dropped) = Baggage::from_otel(context.baggage());
    Remote {
        parent,
        tracestate,
        baggage,
        dropped: Dropped {
            baggage: dropped,
            ..Dropped::default()
        },
    }
}

/// What a propagator looks for in a context.
fn to_context(outgoing: &Remote) -> Context {
    let mut context = Context::new();
    if let Some(span_context) = outgoing.span_context() {
        context = context.with_remote_span_context(span_context);
    }
    if !outgoing.baggage.is_empty() {
        context = context.with_baggage(outgoing.baggage.to_otel());
    }
    context
}

/// Without the optional white space of HTTP lists: spaces and tabs.
fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
