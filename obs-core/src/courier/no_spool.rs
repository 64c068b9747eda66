//! What [`spool`](super::spool) is without the feature: nothing is ever on disk.

use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use super::outbox::{Shared, State};
use super::{Error, Settings};

/// Where a batch is on disk: nowhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {}

/// Who works at the disk: nobody.
pub(super) enum Keeper {}

impl Keeper {
    pub(super) fn new(_: &Settings) -> Option<Self> {
        None
    }
}

impl Shared {
    pub(super) fn start_disk(self: &Arc<Self>) -> Result<(), Error> {
        Ok(())
    }

    pub(super) fn pump<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        _: Instant,
    ) -> (MutexGuard<'a, State>, Option<Instant>) {
        (state, None)
    }

    pub(super) fn wake_disk(&self, _: &State) {}

    pub(super) fn sending_ends(&self, _: &State, deadline: Instant) -> Instant {
        deadline
    }

    pub(super) fn rests(&self, _: &State) -> bool {
        false
    }

    pub(super) fn begin_to_keep(&self, _: &mut State) {}

    pub(super) fn keeping_ends(deadline: Instant) -> Instant {
        deadline
    }

    pub(super) fn keep<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        _: Instant,
    ) -> MutexGuard<'a, State> {
        state
    }
}
