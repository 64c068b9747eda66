//! What a device reports by itself, waited for on a thread that nothing ends but the end.

use super::Shared;
use super::group::Group;
use crate::calls::Calls;
use crate::source::{GpuEvents, SourceError};
use obs_core::Moment;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Waits for the events of one device. Whatever the driver says, it asks again: at the moment a device is lost, what it reports is
/// worth most.
#[derive(Debug)]
pub(super) struct EventWatch {
    pub(super) group: Arc<Group>,
    calls: Calls,
    _used: Arc<()>,
    open: Option<Box<dyn GpuEvents>>,
    again: Option<Moment>,
    pause: Duration,
    /// It reports nothing.
    silent: bool,
}

impl EventWatch {
    pub(super) fn new(group: &Arc<Group>, calls: Calls, used: Arc<()>) -> Self {
        Self {
            group: group.clone(),
            calls,
            _used: used,
            open: None,
            again: None,
            pause: Duration::ZERO,
            silent: false,
        }
    }

    /// Waits for one event, and says how long there is no use in waiting; `None`: never again.
    pub(super) fn turn(&mut self, shared: &Shared, at_most: Duration) -> Option<Duration> {
        self.wait(shared, at_most).1
    }

    /// Takes one event if there is one, without waiting, and says whether there was.
    pub(super) fn turn_here(&mut self, shared: &Shared) -> bool {
        self.wait(shared, Duration::ZERO).0
    }

    fn wait(&mut self, shared: &Shared, at_most: Duration) -> (bool, Option<Duration>) {
        let now = shared.telemetry.now();
        if self.group.hang.take_return() {
            (self.again, self.pause) = (None, Duration::ZERO);
            // It was lost or reset, and may be another by now: what it did not have then it is asked for once more.
            self.silent = false;
        }
        if let Some(again) = self.again.filter(|again| now < *again) {
            return (false, Some(shared.telemetry.between(now, again)));
        }
        if self.silent {
            return (false, None);
        }
        let gpu = &self.group.gpu;
        let open = match &mut self.open {
            Some(open) => open,
            none => match shared.source.events(gpu.id(), &mut self.calls) {
                Ok(events) => none.insert(events),
                Err(error) => return (false, self.failed(shared, error)),
            },
        };
        match open.wait(at_most, &mut self.calls) {
            Ok(event) => {
                (self.again, self.pause) = (None, Duration::ZERO);
                if let Some(event) = event {
                    let now = shared.stamp();
                    // Told first: somebody may wait for it.
                    shared.tell(|listener| listener.event(gpu, now.at, event));
                    if event.is_of_recovery_action() {
                        self.group.asks.store(true, Ordering::Release);
                        shared.changed.notify_all();
                    }
                    gpu.board(|board| board.take_event(event, now.unix));
                }
                (event.is_some(), Some(Duration::ZERO))
            }
            Err(error) => (false, self.failed(shared, error)),
        }
    }

    fn failed(&mut self, shared: &Shared, error: SourceError) -> Option<Duration> {
        if error == SourceError::Unsupported {
            // A device that reports nothing now will not later, unless it is reset.
            self.silent = true;
            return None;
        }
        let (first, most) = shared.settings.back_off;
        self.pause = (self.pause * 2).clamp(first, most);
        let now = shared.telemetry.now();
        self.again = shared.after(now, self.pause);
        // A set of events that failed may be none any more.
        self.open = None;
        Some(self.pause)
    }
}
