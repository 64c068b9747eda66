//! The `tracing` span that stands for an operation (feature `tracing`): see [`crate::tracing_span`].
//!
//! What a subscriber does is code of users, and here it is called where the service itself called nothing: whatever it throws
//! is caught and counted, and the exchange goes on.

use super::carried::{Said, Which};
use crate::tracing_span::{CALL, CLIENT, SERVER, TARGET};
use http::StatusCode;
use obs_core::otel::trace::{SpanId, TraceId};
use obs_core::semconv::http::{
    ERROR_TYPE, REQUEST_METHOD, RESPONSE_STATUS_CODE, ROUTE, URL_PATH, URL_TEMPLATE,
};
use obs_core::semconv::network::SERVER_ADDRESS;
use obs_core::{Active, Kind, Lure, Operation, Outcome, SPAN_ID_FIELD, TRACE_ID_FIELD};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use tracing::field::Empty;
use tracing::{Level, Span};

/// Whether a layer makes spans, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpanSetting(Option<Arc<Spans>>);

/// The spans of one layer and its clones.
#[derive(Debug)]
struct Spans {
    level: Level,
    /// What becomes of them: [`UNKNOWN`], [`APART`] or [`TWICE`].
    fate: AtomicU8,
    /// How many there were.
    made: AtomicU64,
}

/// No span has been made yet.
const UNKNOWN: u8 = 0;
/// Nobody makes spans of OpenTelemetry of them.
const APART: u8 = 1;
/// Somebody does: there are none any more.
const TWICE: u8 = 2;

const WARNING: &str = "a layer of the tracing subscriber makes OpenTelemetry spans of the spans that with_tracing_span asks \
    for: each request would be recorded twice, so none are made any more. Put \
    with_filter(filter_fn(obs_http::tracing_span::is_foreign)) on that layer";

impl SpanSetting {
    pub(crate) fn at(level: Level) -> Self {
        Self(Some(Arc::new(Spans {
            level,
            fate: AtomicU8::new(UNKNOWN),
            made: AtomicU64::new(0),
        })))
    }

    #[inline(always)]
    pub(crate) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The span of an operation, where it is recorded and the subscriber wants it.
    pub(crate) fn open(&self, operation: &mut Operation, said: &Said<'_>) -> OperationSpan {
        let opened = self.0.as_ref().zip(operation.active());
        OperationSpan(opened.and_then(|(spans, mut active)| spans.open(&mut active, said)))
    }
}

impl Spans {
    fn open(&self, active: &mut Active<'_>, said: &Said<'_>) -> Option<Box<Held>> {
        let kind = active.kind();
        let span = self.make(kind, active, said)?;
        Some(Box::new(Held { span, kind }))
    }

    fn make(&self, kind: &'static Kind, active: &mut Active<'_>, said: &Said<'_>) -> Option<Span> {
        let fate = self.fate.load(Ordering::Relaxed);
        if fate == TWICE {
            return None;
        }
        let ids = active.trace_parent();
        let mut lure = None;
        // Fields are asked for only where the span is wanted.
        let begin = || {
            let before = self.made.fetch_add(1, Ordering::Relaxed);
            // Afterwards now and then: a subscriber can change. The lure allocates.
            if fate == UNKNOWN || before.is_power_of_two() {
                lure = Some(Lure::lay());
            }
            ids.trace_id
        };
        let span = kind.contain(Span::none(), || {
            span_of(self.level, begin, ids.span_id, said)
        });
        let fate = match lure {
            None => APART,
            Some(Some(lure)) => match lure.is_taken() {
                true => TWICE,
                false => APART,
            },
            Some(None) => UNKNOWN,
        };
        if span.is_disabled() {
            return None;
        }
        match fate {
            APART => {
                // What another thread found out meanwhile stands.
                let relaxed = Ordering::Relaxed;
                let _ = self.fate.compare_exchange(UNKNOWN, APART, relaxed, relaxed);
                return Some(span);
            }
            TWICE => {
                self.fate.store(TWICE, Ordering::Relaxed);
                kind.warn(WARNING);
            }
            // The thread is at its end.
            _ => {}
        }
        // Unseen: it was made in a suppressed context.
        kind.contain((), || drop(span));
        None
    }
}

/// Each level is a call site of its own, and so is each side.
fn span_of(
    level: Level,
    begin: impl FnOnce() -> TraceId,
    span_id: SpanId,
    said: &Said<'_>,
) -> Span {
    macro_rules! at {
        ($level:expr) => {
            match said.which {
                Which::Server => tracing::span!(
                    target: TARGET,
                    $level,
                    SERVER,
                    { TRACE_ID_FIELD } = %begin(),
                    { SPAN_ID_FIELD } = %span_id,
                    { REQUEST_METHOD.as_str() } = said.method,
                    { ROUTE.as_str() } = said.route,
                    { URL_PATH.as_str() } = said.path,
                    { RESPONSE_STATUS_CODE.as_str() } = Empty,
                    { ERROR_TYPE.as_str() } = Empty,
                ),
                Which::Client => at!($level, CLIENT),
                Which::Call => at!($level, CALL),
            }
        };
        ($level:expr, $name:expr) => {
            tracing::span!(
                target: TARGET,
                $level,
                $name,
                { TRACE_ID_FIELD } = %begin(),
                { SPAN_ID_FIELD } = %span_id,
                { REQUEST_METHOD.as_str() } = said.method,
                { SERVER_ADDRESS.as_str() } = said.host,
                { URL_TEMPLATE.as_str() } = said.route,
                { URL_PATH.as_str() } = said.path,
                { RESPONSE_STATUS_CODE.as_str() } = Empty,
                { ERROR_TYPE.as_str() } = Empty,
            )
        };
    }
    match level {
        Level::ERROR => at!(Level::ERROR),
        Level::WARN => at!(Level::WARN),
        Level::INFO => at!(Level::INFO),
        Level::DEBUG => at!(Level::DEBUG),
        Level::TRACE => at!(Level::TRACE),
    }
}

/// The span of an operation, while that is under way.
#[derive(Debug)]
pub(crate) struct OperationSpan(Option<Box<Held>>);

#[derive(Debug)]
struct Held {
    span: Span,
    kind: &'static Kind,
}

impl OperationSpan {
    pub(crate) const NONE: Self = Self(None);

    #[inline(always)]
    pub(crate) const fn is_some(&self) -> bool {
        self.0.is_some()
    }

    #[inline(always)]
    pub(crate) fn enter(&self) -> EnteredSpan<'_> {
        EnteredSpan(match &self.0 {
            Some(held) => held.enter(),
            None => None,
        })
    }

    /// There is an answer.
    #[inline(always)]
    pub(crate) fn answered(&self, status: StatusCode) {
        if let Some(held) = &self.0 {
            held.record(RESPONSE_STATUS_CODE.as_str(), &status.as_u16());
        }
    }

    /// Closes it.
    #[cold]
    #[inline(never)]
    pub(crate) fn end(&mut self, outcome: Outcome) {
        if let Some(held) = self.0.take() {
            held.end(outcome);
        }
    }
}

impl Held {
    #[inline(never)]
    fn enter(&self) -> Option<&Self> {
        let entered = self.kind.contain(false, || {
            self.span
                .with_subscriber(|(id, subscriber)| subscriber.enter(id));
            true
        });
        if !entered {
            // The registry has entered it before a layer threw.
            self.exit();
        }
        entered.then_some(self)
    }

    #[inline(never)]
    fn exit(&self) {
        self.kind.contain((), || {
            self.span
                .with_subscriber(|(id, subscriber)| subscriber.exit(id));
        });
    }

    #[inline(never)]
    fn record(&self, field: &'static str, value: &dyn tracing::Value) {
        self.kind.contain((), || {
            self.span.record(field, value);
        });
    }

    #[inline(never)]
    fn end(self, outcome: Outcome) {
        if let Some(error) = self.kind.error_text(outcome.error()) {
            self.record(ERROR_TYPE.as_str(), &error);
        }
        let Self { span, kind } = self;
        kind.contain((), || drop(span));
    }
}

/// The span is entered while this lives.
#[must_use]
pub(crate) struct EnteredSpan<'a>(Option<&'a Held>);

impl EnteredSpan<'_> {
    #[inline(always)]
    pub(crate) fn leave(self) {
        drop(self);
    }
}

impl Drop for EnteredSpan<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(held) = self.0 {
            held.exit();
        }
    }
}
