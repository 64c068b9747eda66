//! Who is told what was read and what happened.

use super::gpu::Gpu;
use crate::quantity::Tier;
use crate::reading::Readings;
use crate::source::{Event, SourceError};
use obs_core::Moment;
use std::fmt;

/// Is told of devices as it happens, on the thread that saw it: of what was read and of events on a thread of that device, of
/// one that does not answer on the watchdog's. So nothing here may take long, or others are told late. One that panics is contained
/// and counted.
pub trait GpuListener: fmt::Debug + Send + Sync + 'static {
    /// It is in the driver's list, for the first time or again.
    fn found(&self, gpu: &Gpu, at: Moment) {
        let _ = (gpu, at);
    }

    /// It is no longer in the driver's list.
    fn gone(&self, gpu: &Gpu, at: Moment) {
        let _ = (gpu, at);
    }

    /// What belongs to a tier was read; the rest of the readings is as it was before.
    fn read(&self, gpu: &Gpu, at: Moment, tier: Tier, readings: &Readings) {
        let _ = (gpu, at, tier, readings);
    }

    /// It reported something by itself.
    fn event(&self, gpu: &Gpu, at: Moment, event: Event) {
        let _ = (gpu, at, event);
    }

    /// It should have been read, and the driver gave another answer than that it is gone. Told each time.
    fn failed(&self, gpu: &Gpu, at: Moment, error: SourceError) {
        let _ = (gpu, at, error);
    }

    /// The driver says that it is gone, with this code. Told once, until it is back.
    fn lost(&self, gpu: &Gpu, at: Moment, code: i32) {
        let _ = (gpu, at, code);
    }

    /// It can be read again after it was lost, or what it counts began anew: somebody reset it.
    fn returned(&self, gpu: &Gpu, at: Moment) {
        let _ = (gpu, at);
    }

    /// A call of the driver's, which began at `since`, is not back at the deadline.
    fn not_answering(&self, gpu: &Gpu, at: Moment, since: Moment, call: &'static str) {
        let _ = (gpu, at, since, call);
    }

    /// It is back.
    fn answering(&self, gpu: &Gpu, at: Moment) {
        let _ = (gpu, at);
    }
}
