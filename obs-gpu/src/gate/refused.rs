//! Why work was not let through.

use super::GateState;
use crate::device::DeviceId;
use crate::health::{Cause, Evidence, HealthReport, HealthState};
use std::fmt;
use std::sync::Arc;

/// A device takes no new work, and why. Whoever answers the request makes of it what its protocol has: `503` of HTTP, `UNAVAILABLE` of
/// gRPC. When the device is back nobody knows, so there is nothing for `Retry-After`.
#[derive(Clone, Debug)]
pub struct GpuRefused {
    device: DeviceId,
    gate: GateState,
    report: Option<Arc<HealthReport>>,
    held: Option<Arc<str>>,
}

impl GpuRefused {
    pub(super) fn new(
        device: DeviceId,
        gate: GateState,
        report: Option<Arc<HealthReport>>,
        held: Option<Arc<str>>,
    ) -> Self {
        Self {
            device,
            gate,
            report,
            held,
        }
    }

    /// Which device.
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// What its gate was: never [`Serving`](GateState::Serving).
    pub fn gate(&self) -> GateState {
        self.gate
    }

    /// How it was by then, or became in between.
    pub fn health(&self) -> HealthState {
        self.report.as_ref().map_or(HealthState::Ok, |of| of.state)
    }

    /// What that was by.
    pub fn cause(&self) -> Option<Cause> {
        self.evidence().map(|evidence| evidence.cause)
    }

    /// The weightiest evidence of it.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.report.as_ref()?.evidence.first()
    }

    /// Why an operator holds it, where one does: then that is the reason, whatever its health.
    pub fn held(&self) -> Option<&str> {
        self.held.as_deref()
    }
}

impl fmt::Display for GpuRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.device, self.gate)?;
        match (&self.held, self.evidence()) {
            (Some(why), _) => write!(f, ", held by an operator: {why}"),
            (None, Some(evidence)) => write!(f, ": {evidence}"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for GpuRefused {}
