//! What the processors of all signals have in common: an intake, and how it is flushed and shut down.

use super::SignalCounts;
use super::intake::Intake;
use crate::courier::time::within;
use crate::courier::{Couriers, Signal};
use crate::encode::ResourceBytes;
use crate::encode::sdk::{Named, resource_bytes};
use crate::engine::Engine;
use crate::engine::intakes::Waiting;
use crate::redact::Looking;
use crate::setup::Telemetry;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The way of one processor's items. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Source(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// None where nobody wants the signal.
    intake: Option<Arc<Intake>>,
    losses: Losses,
    shut_down: AtomicBool,
}

impl Source {
    pub(super) fn new(telemetry: &Telemetry, signal: Signal) -> Self {
        let couriers = telemetry.couriers();
        let resource = telemetry.resource();
        let losses = Losses::new(couriers.clone(), signal);
        if signal == Signal::Traces && !couriers.is_empty() {
            warn_of_recorder(telemetry.engine(), "span_processor");
        }
        let intake = resource.filter(|_| couriers.take(signal)).map(|resource| {
            let resource = ResourceBytes::new(resource.iter(), resource.schema_url());
            Intake::new(telemetry.engine(), couriers, signal, resource)
        });
        Self(Arc::new(Shared {
            intake,
            losses,
            shut_down: AtomicBool::new(false),
        }))
    }

    /// Where items go, if anybody wants them.
    pub(super) fn intake(&self) -> Option<&Intake> {
        self.0.intake.as_deref()
    }

    /// Whoever has to see its texts before they wait, if anybody has to.
    #[inline]
    pub(super) fn looking(&self) -> Option<Looking<'_>> {
        self.intake()?.engine().looking_at_sdk()
    }

    /// Encodes one item and leaves it with the intake; `write` says whether it fits into so many bytes.
    #[inline]
    pub(super) fn take(
        &self,
        of: Named<'_>,
        write: impl FnOnce(&mut crate::encode::Buffer, usize) -> bool,
    ) {
        let Some(intake) = self.intake() else { return };
        super::scratch::with(|buffer| {
            let fits = write(buffer, intake.limit());
            intake.take(of, fits.then(|| buffer.as_slice()));
        });
    }

    pub(super) fn counts(&self) -> SignalCounts {
        self.intake().map(Intake::counts).unwrap_or_default()
    }

    pub(super) fn set_resource(&self, resource: &Resource) {
        if let Some(intake) = self.intake() {
            intake.set_resource(resource_bytes(resource, self.looking()));
        }
    }

    pub(super) fn flush(&self, timeout: Duration) -> OTelSdkResult {
        let Some(intake) = self.intake() else {
            return Ok(());
        };
        let lost_before = intake.couriers().lost();
        intake.hand_over();
        let flushed =
            { intake.couriers() }.flush(Some(intake.signal()), within(timeout), &lost_before);
        flushed.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }

    /// Takes nothing more, delivers what there is, and leaves the telemetry as it is: others use it.
    pub(super) fn shut_down(&self, timeout: Duration) -> OTelSdkResult {
        if self.0.shut_down.swap(true, Ordering::SeqCst) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        if let Some(intake) = self.intake() {
            intake.close();
        }
        let flushed = self.flush(timeout);
        self.0.losses.tell(flushed, &self.counts())
    }
}

/// Spans that nobody takes must not be so without a word.
#[cold]
pub(super) fn warn_of_recorder(engine: &Engine, whose: &str) {
    if engine.config.recorder.is_sdk() {
        engine.diagnostics.warn(format!(
            "`{whose}` exports no spans: those of this telemetry are recorded and exported by a tracer provider \
             (`Recorder::Sdk`); use one of another telemetry"
        ));
    }
}

/// What was lost of a signal since somebody began to use it.
#[derive(Debug)]
pub(super) struct Losses {
    couriers: Couriers,
    signal: Signal,
    before: u64,
}

impl Losses {
    pub(super) fn new(couriers: Couriers, signal: Signal) -> Self {
        let mut losses = Self {
            couriers,
            signal,
            before: 0,
        };
        losses.before = losses.dropped();
        losses
    }

    fn dropped(&self) -> u64 {
        self.couriers.accounts().of(self.signal).dropped.total()
    }

    /// The answer of a shutdown: never `Ok` after a loss.
    pub(super) fn tell(&self, flushed: OTelSdkResult, counts: &SignalCounts) -> OTelSdkResult {
        let lost = self.dropped().saturating_sub(self.before);
        if flushed.is_ok() && lost == 0 && counts.dropped() == 0 {
            return Ok(());
        }
        let signal = self.signal;
        let mut said = match flushed {
            Err(error) => format!("{error}; "),
            Ok(()) => String::new(),
        };
        said.push_str(&format!(
            "{signal}: {lost} lost on the way since this began, of all sources; of its own {} too large, {} after shutdown",
            counts.too_large, counts.after_shutdown
        ));
        Err(OTelSdkError::InternalFailure(said))
    }
}
