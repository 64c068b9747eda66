//! Where telemetry goes, and where the front reads it back.

use crate::{failure::Failure, front, local::Local};
use obs_core::{
    Builder, Telemetry, courier::Destinations, semconv::resource::SERVICE_NAME,
    setup::environment::Environment,
};
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

    /// Where the other services are to send their telemetry to, if they cannot find out by themselves.
    pub(crate) fn endpoint(&self) -> Option<String> {
        match self {
            Self::Received(receiver) => Some(receiver.endpoint()),
            Self::Sent(_) => None,
        }
    }

    /// Whether what the other services sent can be read back here.
    pub(crate) fn sees_all(&self) -> bool {
        matches!(self, Self::Received(_))
    }

    pub(crate) fn spans(&self) -> Vec<Seen> {
        match self {
            Self::Received(receiver) => {
                let spans = receiver.spans().into_iter();
                let seen = spans.map(|span| Seen {
                    service: span
                        .resource_attr(SERVICE_NAME)
                        .map(|name| name.to_string())
                        .unwrap_or_default(),
                    span: span.into(),
                });
                seen.collect()
            }
            Self::Sent(local) => {
                let spans = local.spans().into_iter();
                let seen = spans.map(|span| Seen {
                    service: front::NAME.to_owned(),
                    span,
                });
                seen.collect()
            }
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
            Self::Sent(_) => {
                "as seen by a subscriber in the front's process, on its way out; the other services' parts are where all were sent"
            }
        }
    }
}

/// A span and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) service: String,
    pub(crate) span: TreeSpan,
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
