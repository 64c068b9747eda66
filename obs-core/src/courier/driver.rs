//! Runs a transport: inside OpenTelemetry's suppressed scope, and with its panics contained.

use crate::contain::let_go;
use crate::quiet::Apart;
use crate::thread;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use opentelemetry::Context;

use super::ledger::Outcome;
use super::{Batch, Transport};

/// The right to send. There is one per courier, so attempts never overlap.
pub(super) struct Driver(Box<dyn Transport>);

impl Driver {
    pub(super) fn new(transport: impl Transport) -> Self {
        Self(Box::new(transport))
    }

    pub(super) fn send(&mut self, batch: &Batch, deadline: Instant) -> Outcome {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            // Without it, an instrumented client would make telemetry out of every delivery of telemetry.
            let _apart = Apart::enter();
            let _suppressed = thread::sees_otel().then(Context::enter_telemetry_suppressed_scope);
            self.0.send(batch, deadline)
        }));
        match attempt {
            Ok(sent) => Outcome::Sent(sent),
            Err(payload) => {
                let text = text_of(&*payload);
                let_go(payload);
                Outcome::Panicked(text)
            }
        }
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
