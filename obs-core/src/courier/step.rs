//! What became of a look at what is to be sent.

use std::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(super) enum Attempt {
    Made,
    Wait(Option<Instant>),
    /// Someone else has the driver.
    Busy,
    Closed,
}

/// How one courier's turn among several ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turned {
    /// All is sent, or the time is over.
    Over,
    /// Nothing can be sent before this moment, or before somebody else is done.
    Held(Option<Instant>),
}

/// What a manual [step](super::Courier::step) found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// One attempt was made; there may be more to do.
    Sent,
    /// Everything pending is held back, the first until this moment.
    Waiting(Instant),
    /// Nothing is pending.
    Idle,
    /// The courier's thread, or another caller, is at it.
    Busy,
    /// The courier has been shut down.
    Closed,
}
