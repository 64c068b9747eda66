//! Runs a transport: inside OpenTelemetry's suppressed scope, with its panics contained, and by the watch.

use crate::contain::{contain, let_go};
use crate::quiet::Apart;
use crate::redact::Patterns;
use crate::thread;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use opentelemetry::Context;

use super::ledger::Outcome;
use super::time::now;
use super::{Batch, Sent, Signal, Transport};

/// The right to send. There is one per courier, so attempts never overlap.
pub(super) struct Driver {
    /// Empty only while it is dropped.
    transport: Option<Box<dyn Transport>>,
    watch: Option<Watch>,
    /// By signal: the batch that is tried again, told by where its bytes lie, and when it was tried first.
    begun: [Option<(usize, Instant)>; Signal::ALL.len()],
}

/// Is told of a batch that the destination has answered for good: how long that took from the first attempt on, waits
/// between attempts among it, and whether all of it was taken.
pub(crate) type Watch = Box<dyn Fn(Signal, Duration, bool) + Send>;

impl Driver {
    pub(super) fn new(transport: impl Transport) -> Self {
        Self {
            transport: Some(Box::new(transport)),
            watch: None,
            begun: [None; Signal::ALL.len()],
        }
    }

    pub(super) fn set_watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    pub(super) fn send(&mut self, batch: &Batch, deadline: Instant) -> Outcome {
        let first = self.first(batch);
        let outcome = self.attempt(batch, deadline);
        let whole = match &outcome {
            Outcome::Sent(Sent::Delivered { rejected, .. }) => *rejected == 0,
            Outcome::Sent(Sent::Refused { .. }) => false,
            Outcome::Sent(Sent::Retry { .. }) | Outcome::Panicked(_) => return outcome,
        };
        if let Some(begun) = self.begun.get_mut(batch.signal.index()) {
            *begun = None;
        }
        if let Some(watch) = &self.watch {
            watch(batch.signal, now().saturating_duration_since(first), whole);
        }
        outcome
    }

    /// When this batch was first tried. At most one of a signal is tried again at a time: it stays the oldest.
    fn first(&mut self, batch: &Batch) -> Instant {
        let bytes = batch.body.as_ptr().addr();
        let now = now();
        let Some(begun) = self.begun.get_mut(batch.signal.index()) else {
            return now;
        };
        match begun {
            Some((known, first)) if *known == bytes => *first,
            _ => begun.insert((bytes, now)).1,
        }
    }

    fn attempt(&mut self, batch: &Batch, deadline: Instant) -> Outcome {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            // Without it, an instrumented client would make telemetry out of every delivery of telemetry.
            let _apart = Apart::enter();
            let _suppressed = thread::sees_otel().then(Context::enter_telemetry_suppressed_scope);
            self.transport
                .as_mut()
                .map(|transport| transport.send(batch, deadline))
        }));
        match attempt {
            Ok(Some(sent)) => Outcome::Sent(without_secrets(sent)),
            Ok(None) => Outcome::Sent(Sent::refused("the transport is gone")),
            Err(payload) => {
                let text = text_of(&*payload);
                let_go(payload);
                Outcome::Panicked(without_secrets_in(text))
            }
        }
    }
}

/// A client says goodbye when it is dropped, and says so in its logs.
impl Drop for Driver {
    fn drop(&mut self) {
        let transport = self.transport.take();
        contain(|| {
            let _apart = Apart::enter();
            let _suppressed = thread::sees_otel().then(Context::enter_telemetry_suppressed_scope);
            drop(transport);
        });
    }
}

/// What is told of it is printed, and may repeat what was sent.
fn without_secrets(sent: Sent) -> Sent {
    match sent {
        Sent::Delivered { rejected, message } => Sent::Delivered {
            rejected,
            message: message.map(without_secrets_in),
        },
        Sent::Retry { after, why } => Sent::Retry {
            after,
            why: without_secrets_in(why),
        },
        Sent::Refused { why } => Sent::Refused {
            why: without_secrets_in(why),
        },
    }
}

fn without_secrets_in(text: String) -> String {
    Patterns::new().replaced(&text).unwrap_or(text)
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
