//! Without threads: devices are read inside collections.

use super::events::EventWatch;
use super::finder::Finder;
use super::group::Reader;
use super::{READS, Shared, WAITS};
use crate::lock::lock;
use std::sync::Arc;
use std::time::Duration;

/// What threads would do.
#[derive(Debug, Default)]
pub(super) struct Manual {
    pub(super) finder: Option<Finder>,
    pub(super) readers: Vec<Reader>,
    pub(super) events: Vec<EventWatch>,
}

/// Events of one device that are taken at once.
const EVENTS: usize = 64;

impl Shared {
    /// Does what is due, one device after another, as long as there is time. Those for which there was none come first the next
    /// time. A call that does not come back holds up the collection: nobody is there who could go on without it.
    pub(crate) fn round_here(self: &Arc<Self>) {
        let Some(manual) = &self.manual else {
            return;
        };
        if self.is_over() {
            return;
        }
        let began = self.telemetry.now();
        let budget = self.telemetry.observable_deadline().mul_f64(0.75);
        let is_time = || self.telemetry.between(began, self.telemetry.now()) < budget;
        // Out of the lock: devices that are found are put there.
        let mut mine = std::mem::take(&mut *lock(manual));
        if let Some(finder) = &mut mine.finder {
            self.contain(Duration::ZERO, || finder.turn(self));
        }
        let found = std::mem::take(&mut *lock(manual));
        mine.readers.extend(found.readers);
        mine.events.extend(found.events);
        mine.readers
            .retain(|reader| reader.group.goes_on(READS, false));
        mine.events
            .retain(|watch| watch.group.goes_on(WAITS, false));
        let mut done = 0;
        for reader in &mut mine.readers {
            if !is_time() {
                break;
            }
            self.contain(Duration::ZERO, || reader.turn(self));
            done += 1;
        }
        mine.readers.rotate_left(done);
        for watch in &mut mine.events {
            for _ in 0..EVENTS {
                let event = |watch: &mut EventWatch| watch.turn_here(self);
                if !is_time() || !self.contain(false, || event(watch)) {
                    break;
                }
            }
        }
        *lock(manual) = mine;
    }
}
