//! Where telemetry goes, and where this program reads it back.

use crate::{failure::Failure, local::Local};
use obs_core::{Builder, Telemetry, courier::Destinations, setup::environment::Environment};
use obs_testing::{Receiver, TreeSpan, metrics::PointSet};
use std::fmt;

/// A receiver of this program's own, or somebody else's with a look aside.
#[derive(Debug)]
pub(crate) enum Source {
    /// Read back from what came in through its socket.
    Received(Receiver),
    /// Read back from what leaves for there.
    Sent(Local),
}

impl Source {
    /// The environment's destination, if it names one.
    pub(crate) fn choose(
        environment: &Environment,
        builder: Builder,
    ) -> Result<(Builder, Self), Failure> {
        if environment.names_an_endpoint() {
            let local = Local::default();
            let builder = builder.with_otlp().with_subscriber(local.clone());
            return Ok((builder, Self::Sent(local)));
        }
        let receiver = Receiver::start()?;
        receiver.retain_at_most(64 << 20);
        let builder = builder.with_otlp_to(Destinations::below(&receiver.endpoint()));
        Ok((builder, Self::Received(receiver)))
    }

    pub(crate) fn spans(&self) -> Vec<TreeSpan> {
        match self {
            Self::Received(receiver) => receiver.spans().into_iter().map(Into::into).collect(),
            Self::Sent(local) => local.spans(),
        }
    }

    pub(crate) fn points(&self, telemetry: &Telemetry) -> PointSet {
        match self {
            Self::Received(receiver) => receiver.points(),
            Self::Sent(_) => crate::local::points(telemetry),
        }
    }

    /// How this program knows what it prints.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Received(_) => "as received",
            Self::Sent(_) => "as seen by a subscriber in this program, on its way out",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received(receiver) => {
                write!(f, "a receiver of its own at {}", receiver.endpoint())
            }
            Self::Sent(_) => f.write_str("where OTEL_EXPORTER_OTLP_* says"),
        }
    }
}
