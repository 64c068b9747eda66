//! Spans of servers beneath an operation of ours that is one: recorded by another layer inside.

use crate::engine::Engine;
use crate::{attached, context};
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How many spans are looked at: what it takes to look is a copy of the span.
const LOOKS: u32 = 128;

/// A processor for the provider whose spans are the user's own: it says, once per telemetry
/// ([`Telemetry::warnings`](crate::Telemetry::warnings)), that a span of kind server is started directly beneath an
/// operation of kind server, or, while that operation is current, beside it under the same parent. Mostly it is of a layer
/// that observes the same requests, so that each is recorded twice.
///
/// It exports nothing and changes nothing. Of the spans that are started inside of such operations it looks at the first 128,
/// and costs one branch from then on. Spans that the provider's sampler leaves out are not seen. Whoever means it leaves the
/// processor away.
///
/// ```
/// use obs_core::sdk::ServerSpanWatch;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder()
///     .with_span_processor(ServerSpanWatch::default())
///     .build();
/// ```
#[derive(Debug)]
pub struct ServerSpanWatch {
    left: AtomicU32,
}

impl Default for ServerSpanWatch {
    fn default() -> Self {
        Self {
            left: AtomicU32::new(LOOKS),
        }
    }
}

/// The operation around.
struct Around {
    engine: &'static Engine,
    scope: &'static str,
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: SpanId,
}

impl Around {
    /// The operation that the span is started in: polled here, or, where the span is only written down at its end, the one
    /// that it was made beneath.
    fn of(parent: &Context) -> Option<Self> {
        Self::polled().or_else(|| Self::behind(parent))
    }

    fn behind(parent: &Context) -> Option<Self> {
        let identity = attached::find_in(parent)?.identity();
        let descriptor = identity.descriptor?;
        (descriptor.span_kind == SpanKind::Server).then(|| Self {
            engine: identity.engine,
            scope: descriptor.scope.name,
            trace_id: identity.trace_id.into(),
            span_id: identity.span_id.into(),
            // Of those beside it nothing is known here.
            parent_id: identity.span_id.into(),
        })
    }

    fn polled() -> Option<Self> {
        context::peek(|current| {
            let live = current?;
            let descriptor = live.kind.descriptor;
            (descriptor.span_kind == SpanKind::Server).then(|| Self {
                engine: live.kind.engine,
                scope: descriptor.scope.name,
                trace_id: live.trace_id.into(),
                span_id: live.span_id.into(),
                parent_id: live.parent_id.into(),
            })
        })
    }

    /// Whether a span is of the same request. One of the same scope is an operation's own.
    fn is_doubled_by(&self, span: &SpanData) -> bool {
        span.span_kind == SpanKind::Server
            && span.instrumentation_scope.name() != self.scope
            && span.span_context.trace_id() == self.trace_id
            && [self.span_id, self.parent_id].contains(&span.parent_span_id)
    }

    #[cold]
    fn warn(&self, span: &SpanData) {
        let (theirs, ours) = (span.instrumentation_scope.name(), self.scope);
        self.engine.diagnostics.warn(format!(
            "a span of kind server of {theirs} is started inside of one of {ours}: if it is of a layer that observes the same \
             requests, each is recorded twice, and one of the layers is to be taken away; if it is meant, take ServerSpanWatch \
             off the provider"
        ));
    }
}

impl SpanProcessor for ServerSpanWatch {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return;
        }
        let Some(around) = Around::of(parent) else {
            return;
        };
        self.left.store(left - 1, Ordering::Relaxed);
        if let Some(span) = span.exported_data()
            && around.is_doubled_by(&span)
        {
            around.warn(&span);
        }
    }

    fn on_end(&self, _span: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
