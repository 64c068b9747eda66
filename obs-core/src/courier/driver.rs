//! Runs a transport: inside OpenTelemetry's suppressed scope, and with its panics contained.

use crate::contain::{contain, let_go};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use opentelemetry::Context;

use super::ledger::Outcome;
use super::{Batch, Sent, Transport};

/// The right to send. There is one per courier, so attempts never overlap.
///
/// Empty only while it is dropped.
pub(super) struct Driver(Option<Box<dyn Transport>>);

impl Driver {
    pub(super) fn new(transport: impl Transport) -> Self {
        Self(Some(Box::new(transport)))
    }

    pub(super) fn send(&mut self, batch: &Batch, deadline: Instant) -> Outcome {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            // Without it, an instrumented client would make telemetry out of every delivery of telemetry.
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            self.0
                .as_mut()
                .map(|transport| transport.send(batch, deadline))
        }));
        match attempt {
            Ok(Some(sent)) => Outcome::Sent(sent),
            Ok(None) => Outcome::Sent(Sent::refused("the transport is gone")),
            Err(payload) => {
                let text = text_of(&*payload);
                let_go(payload);
                Outcome::Panicked(text)
            }
        }
    }
}

/// A client says goodbye when it is dropped, and says so in its logs.
impl Drop for Driver {
    fn drop(&mut self) {
        let transport = self.0.take();
        contain(|| {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            drop(transport);
        });
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
