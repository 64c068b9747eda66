//! Waiting for what is in flight.

use super::GpuGate;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Ready once a gate is closed to new work and no pass is out. Of one that opens again meanwhile it waits until it is closed again.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Drained {
    gate: GpuGate,
    key: Option<u64>,
}

impl Drained {
    pub(super) fn new(gate: GpuGate) -> Self {
        Self { gate, key: None }
    }
}

impl Future for Drained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.gate.0.word.poll_empty(&mut this.key, cx.waker())
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.gate.0.word.give_up(key);
        }
    }
}
