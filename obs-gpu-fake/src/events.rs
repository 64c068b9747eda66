//! What devices report by themselves.

use crate::script::ALL;
use crate::world::World;
use std::collections::VecDeque;

pub(crate) const XID: u64 = 0x8;
pub(crate) const RECOVERY: u64 = 0x8000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) slot: usize,
    /// One bit of `nvmlEventType…`.
    pub(crate) kind: u64,
    pub(crate) data: u64,
    pub(crate) gpu_instance: u32,
    pub(crate) compute_instance: u32,
}

impl Event {
    pub(crate) fn new(slot: usize, kind: u64, data: u64) -> Self {
        Self {
            slot,
            kind,
            data,
            gpu_instance: ALL,
            compute_instance: ALL,
        }
    }
}

/// Who wants to know what, and what they have not asked for yet.
#[derive(Debug, Default)]
pub(crate) struct EventSet {
    /// Devices with the bits that were registered.
    pub(crate) registered: Vec<(usize, u64)>,
    pub(crate) queue: VecDeque<Event>,
}

/// Events that a set keeps. A driver keeps some, too; nobody says how many.
const KEPT: usize = 1024;

impl World {
    /// Hands an event to all who have registered for it by now.
    pub(crate) fn happens(&mut self, event: Event) {
        for set in self.sets.values_mut() {
            let wants =
                |&(slot, kinds): &(usize, u64)| slot == event.slot && kinds & event.kind != 0;
            if set.registered.iter().any(wants) && set.queue.len() < KEPT {
                set.queue.push_back(event);
            }
        }
    }
}
