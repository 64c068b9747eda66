//! Structured events on their way to the collector, bounded in bytes.

use crate::log_event::LogEvent;
use crate::sync::lock_std;
use std::sync::Mutex;

#[derive(Debug)]
pub(crate) struct LogQueue {
    inner: Mutex<Inner>,
    cap: usize,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<LogEvent>,
    bytes: usize,
}

impl LogQueue {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            inner: Mutex::default(),
            cap,
        }
    }

    /// Says whether there was room.
    pub(crate) fn push(&self, event: LogEvent) -> bool {
        let bytes = event.bytes();
        let mut inner = lock_std(&self.inner);
        let room = inner.bytes + bytes <= self.cap;
        if room {
            inner.bytes += bytes;
            inner.events.push(event);
        }
        room
    }

    pub(crate) fn take(&self) -> Vec<LogEvent> {
        let mut inner = lock_std(&self.inner);
        inner.bytes = 0;
        std::mem::take(&mut inner.events)
    }
}
