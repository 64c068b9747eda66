//! The user's spans, as a span processor gets them.

use super::source::Source;
use super::{FLUSH, SignalCounts};
use crate::encode::sdk::{Named, write_span};
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use std::time::Duration;

/// Takes the spans of a tracer provider to the telemetry's destinations: encoded on the thread that ends them, bounded in
/// bytes, counted to the last. [`Telemetry::span_processor`](crate::Telemetry::span_processor) makes it.
///
/// Only sampled spans are exported. It never waits for delivery. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct CourierSpanProcessor(pub(super) Source);

impl CourierSpanProcessor {
    /// What became of the spans it was given.
    pub fn counts(&self) -> SignalCounts {
        self.0.counts()
    }
}

impl SpanProcessor for CourierSpanProcessor {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if let Some(by) = self.0.looking() {
            by.span(&mut span);
        }
        let of = Named {
            scope: &span.instrumentation_scope,
            target: None,
        };
        self.0
            .take(of, |buffer, limit| write_span(buffer, &span, limit));
    }

    /// Waits until everything that ended before has been delivered, five seconds at most: what it says otherwise is how much
    /// is still pending, and how much was lost.
    fn force_flush(&self) -> OTelSdkResult {
        self.0.flush(FLUSH)
    }

    /// Takes nothing more, and delivers what there is within `timeout`. The telemetry goes on: others use it.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shut_down(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
