//! The seam between the courier, which decides when, and a transport, which knows how.

use std::fmt;
use std::time::{Duration, Instant};

use super::Batch;
use crate::error::Error;

/// Carries one batch to one destination, once.
///
/// It runs on the courier's thread (or, in manual mode, on that of the caller), inside OpenTelemetry's suppressed
/// scope, so an instrumented client below it records nothing. A panic is contained and counted.
pub trait Transport: Send + 'static {
    /// Tries to deliver, and answers by `deadline` at the latest. When to try again is not its business.
    fn send(&mut self, batch: &Batch, deadline: Instant) -> Sent;

    /// How a [forked child](crate::Builder::manual) makes one like it, with connections of its own; asked for once, at set-up.
    /// By default it cannot, and what the child records is counted as dropped.
    ///
    /// In the child this one is neither used nor dropped: its sockets are the parent's.
    fn remake(&self) -> Option<Remake> {
        None
    }
}

/// Makes a [`Transport`] in a forked child. It takes no lock that another thread of the parent may have held.
pub type Remake = Box<dyn Fn() -> Result<Box<dyn Transport>, Error> + Send + Sync>;

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, batch: &Batch, deadline: Instant) -> Sent {
        (**self).send(batch, deadline)
    }

    fn remake(&self) -> Option<Remake> {
        (**self).remake()
    }
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// The destination took it, all but `rejected` items (OTLP's partial success).
    Delivered {
        /// Items the destination refused for good.
        rejected: u64,
        /// What it said about that, or a warning about what it took.
        message: Option<String>,
    },
    /// Not now; the same batch may succeed later.
    Retry {
        /// How long the destination asked to be left alone; taken for 100 ms at least, and for five minutes at most.
        after: Option<Duration>,
        /// What happened, for people.
        why: String,
    },
    /// Never; the batch is dropped and counted.
    Refused {
        /// What happened, for people.
        why: String,
    },
}

impl Sent {
    /// Taken whole, and nothing said about it.
    pub const DELIVERED: Self = Self::Delivered {
        rejected: 0,
        message: None,
    };

    /// Not now, for the reason given.
    pub fn retry(why: impl fmt::Display) -> Self {
        Self::Retry {
            after: None,
            why: why.to_string(),
        }
    }

    /// Never, for the reason given.
    pub fn refused(why: impl fmt::Display) -> Self {
        Self::Refused {
            why: why.to_string(),
        }
    }
}
