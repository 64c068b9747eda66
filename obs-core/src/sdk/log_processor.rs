//! The user's log records, as a log processor gets them.

use super::source::Source;
use super::{FLUSH, SignalCounts};
use crate::encode::sdk::{Named, write_log};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use std::time::Duration;

/// Takes the log records of a logger provider to the telemetry's destinations: encoded on the thread that emits them, bounded
/// in bytes, counted to the last. [`Telemetry::log_processor`](crate::Telemetry::log_processor) makes it.
///
/// A record's target is the name of its scope, as in the SDK's own exporters. Nothing is taken in a suppressed context. It
/// never waits for delivery. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct CourierLogProcessor(pub(super) Source);

impl CourierLogProcessor {
    /// What became of the records it was given.
    pub fn counts(&self) -> SignalCounts {
        self.0.counts()
    }
}

impl LogProcessor for CourierLogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        // The SDK's logger asks before it calls: a processor of the user's may call us on its own.
        if crate::thread::sees_otel() && Context::is_current_telemetry_suppressed() {
            return;
        }
        let record = &*record;
        let by = self.0.looking();
        let seen = by.and_then(|by| by.scope(scope));
        let of = Named {
            scope: seen.as_ref().unwrap_or(scope),
            target: record.target().map(|target| &**target),
        };
        self.0
            .take(of, |buffer, limit| write_log(buffer, record, by, limit));
    }

    /// Waits until everything emitted before has been delivered, five seconds at most: what it says otherwise is how much is
    /// still pending, and how much was lost.
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
