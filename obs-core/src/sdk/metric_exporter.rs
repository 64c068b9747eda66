//! The user's instruments, as a periodic reader exports them.

use super::source::Losses;
use super::{FLUSH, SignalCounts};
use crate::courier::time::within;
use crate::courier::{Couriers, Signal};
use crate::encode::BODY_LIMIT;
use crate::encode::sdk::encode_metrics;
use crate::engine::Engine;
use crate::engine::fold::Preference;
use crate::fork::PerProcess;
use crate::setup::Telemetry;
use crate::sync::lock_std;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Takes the metrics of a meter provider to the telemetry's destinations, for the SDK's `PeriodicReader`.
/// [`Telemetry::metric_exporter`](crate::Telemetry::metric_exporter) makes it.
///
/// An export is over when its points are queued, not when they are delivered; what becomes of them is in the telemetry's
/// accounts. It fails if points were dropped. Clones are handles to the same.
///
/// The reader brings a thread of its own, whatever mode the telemetry is in, and its interval is its own
/// (`OTEL_METRIC_EXPORT_INTERVAL`, a minute by default). It puts no bound on its callbacks: one that does not return stops
/// it, and one that panics ends it; [`Telemetry::observe`](crate::Telemetry::observe) does neither.
#[derive(Clone, Debug)]
pub struct CourierMetricExporter {
    shared: Arc<Shared>,
    temporality: Temporality,
}

#[derive(Debug)]
struct Shared {
    engine: &'static Engine,
    couriers: Couriers,
    losses: Losses,
    counted: PerProcess<Mutex<SignalCounts>>,
    shut_down: AtomicBool,
}

impl CourierMetricExporter {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        let couriers = telemetry.couriers();
        let temporality = match telemetry.engine().config.temporality {
            Preference::Cumulative => Temporality::Cumulative,
            Preference::Delta => Temporality::Delta,
            Preference::LowMemory => Temporality::LowMemory,
        };
        Self {
            shared: Arc::new(Shared {
                engine: telemetry.engine(),
                losses: Losses::new(couriers.clone(), Signal::Metrics),
                couriers,
                counted: PerProcess::default(),
                shut_down: AtomicBool::new(false),
            }),
            temporality,
        }
    }

    /// Whether points count from the start or from the last export; by default as those of the telemetry's own metrics do:
    /// [`Builder::with_temporality`](crate::Builder::with_temporality), else
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, else from the start.
    #[must_use]
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.temporality = temporality;
        self
    }

    /// What became of the points it was given. None of them waits here.
    pub fn counts(&self) -> SignalCounts {
        *lock_std(&self.shared.counted)
    }

    fn flush(&self, timeout: Duration) -> OTelSdkResult {
        let couriers = &self.shared.couriers;
        let flushed = couriers.flush(Some(Signal::Metrics), within(timeout), &couriers.lost());
        flushed.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }
}

impl Shared {
    fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        if !self.couriers.take(Signal::Metrics) {
            return Ok(());
        }
        let closed = self.shut_down.load(Ordering::SeqCst) || self.engine.is_closed();
        let by = self.engine.looking_at_sdk();
        let mut refused = 0;
        let limit = self.couriers.body_limit(BODY_LIMIT);
        let encoded = encode_metrics(metrics, by, limit, &mut |body, points| {
            if !closed && !self.couriers.push(Signal::Metrics, body, points) {
                refused += points;
            }
        });
        let after_shutdown = if closed {
            encoded.points - encoded.too_large
        } else {
            0
        };
        let too_large = encoded.too_large;
        self.count(SignalCounts {
            created: encoded.points,
            handed_over: encoded.points - too_large - after_shutdown,
            too_large,
            after_shutdown,
            waiting: 0,
        });
        if closed {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        if too_large + refused > 0 {
            return Err(OTelSdkError::InternalFailure(format!(
                "of {} points {too_large} were too large for a request, and {refused} found no room or came after shutdown",
                encoded.points
            )));
        }
        Ok(())
    }

    fn count(&self, now: SignalCounts) {
        self.engine.counts.of_sdk(Signal::Metrics).add(&now);
        lock_std(&self.counted).add(&now);
    }
}

impl PushMetricExporter for CourierMetricExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.shared.export(metrics)
    }

    /// Waits until everything exported before has been delivered, five seconds at most: what it says otherwise is how much is
    /// still pending, and how much was lost.
    fn force_flush(&self) -> OTelSdkResult {
        self.flush(FLUSH)
    }

    /// Takes nothing more, and delivers what there is within `timeout`. The telemetry goes on: others use it.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if self.shared.shut_down.swap(true, Ordering::SeqCst) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        let flushed = self.flush(timeout);
        self.shared.losses.tell(flushed, &self.counts())
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}
