//! Told by a monitor.

use super::{GpuHealth, Input};
use crate::quantity::Tier;
use crate::reading::Readings;
use crate::sampler::{Gpu, GpuListener};
use crate::source::{Event, SourceError};
use obs_core::Moment;

impl GpuListener for GpuHealth {
    fn found(&self, gpu: &Gpu, at: Moment) {
        let info = gpu.info();
        GpuHealth::found(self, &info);
        // One that was in the list, was not, and is: it was reset. One that is new has nothing to take back.
        self.tell(&self.watched(gpu.id()), Input::Returned, at);
    }

    fn gone(&self, gpu: &Gpu, at: Moment) {
        // Parts go when a device is divided anew, which somebody does on purpose.
        match gpu.info().mig {
            Some(_) => self.forget(gpu.id()),
            None => self.vanished(gpu.id(), at),
        }
    }

    fn read(&self, gpu: &Gpu, at: Moment, tier: Tier, readings: &Readings) {
        self.readings(gpu.id(), tier, readings, at);
        // Links are read after the tier: these are those of its turn before.
        if tier == Tier::Second
            && let Some(read) = gpu.links_read_at()
        {
            self.links(gpu.id(), &gpu.links(), read);
        }
    }

    fn event(&self, gpu: &Gpu, at: Moment, event: Event) {
        GpuHealth::event(self, gpu.id(), event, at);
    }

    fn failed(&self, gpu: &Gpu, at: Moment, error: SourceError) {
        // That there is no driver is told of each device, as one that is gone.
        if let SourceError::Failed(_) = error {
            GpuHealth::failed(self, gpu.id(), error, at);
        }
    }

    fn lost(&self, gpu: &Gpu, at: Moment, code: i32) {
        GpuHealth::failed(self, gpu.id(), SourceError::Lost(code), at);
    }

    fn returned(&self, gpu: &Gpu, at: Moment) {
        self.tell(&self.watched(gpu.id()), Input::Returned, at);
    }

    fn not_answering(&self, gpu: &Gpu, at: Moment, since: Moment, _call: &'static str) {
        GpuHealth::not_answering(self, gpu.id(), since, at);
    }
}
