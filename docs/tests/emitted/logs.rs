//! Events of `tracing`, with everything that may be said beside them.

use obs_core::logs::{Flood, Limits, LogLayer};
use obs_core::{Labels, Outcome, Parent, Session, Telemetry};
use obs_http::HTTP_SERVER;
use std::io::{self, Write};
use std::time::Duration;
use tracing_subscriber::prelude::*;

/// Takes nothing.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn run(telemetry: &Telemetry) {
    let layer = LogLayer::new(telemetry)
        .with_lines(|| Full)
        .with_location(true)
        .with_thread(true)
        .with_limits(Limits::default().with_fields(2))
        .with_flood(Flood::new(1, Duration::from_secs(600)).with_errors(1));
    let mut operation = telemetry
        .kind(&HTTP_SERVER)
        .start(Labels::NONE, Parent::Root);
    if let Some(mut operation) = operation.active() {
        operation.set_session(Session::new("session").with_user("user"));
    }
    let entered = operation.enter();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for _ in 0..3 {
            tracing::info!(test.a = 1, test.b = 2, test.c = 3, "too much");
        }
        let error: &(dyn std::error::Error + 'static) = &std::fmt::Error;
        tracing::error!(test.error = error, "it failed");
        // What was held back and lost is told with the next collection.
        telemetry
            .collect(crate::driver::PATIENCE)
            .expect("collected");
    });
    entered.leave();
    operation.end(Outcome::ANSWERED);
}
