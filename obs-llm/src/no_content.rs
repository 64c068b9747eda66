//! Without the feature `content` nothing of what is said is kept, and nothing can ask for it.

use crate::bill::CountTokens;
use crate::call::LlmCall;
use crate::estimate::ChatOverhead;
#[cfg(any(feature = "client", feature = "stream"))]
use crate::wire::Framing;
#[cfg(any(feature = "client", feature = "stream"))]
use crate::wire::Wire;
use obs_core::{Key, Outcome, Set};

#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) in_flight_bytes: usize,
}

impl Capture {
    pub(crate) const fn from_environment() -> Self {
        Self { in_flight_bytes: 0 }
    }
}

#[derive(Debug)]
pub(crate) struct Pool;

impl Pool {
    pub(crate) const fn new(_: usize) -> Self {
        Self
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) enum Gathered {}

#[derive(Debug)]
pub(crate) enum Finished {}

impl Finished {
    pub(crate) fn input_tokens(
        &self,
        _: &str,
        _: ChatOverhead,
        _: &dyn CountTokens,
    ) -> Option<u64> {
        match *self {}
    }
}

pub(crate) const fn begin(_: &Capture, _: &'static Pool, _: bool) -> Option<Gathered> {
    None
}

impl Gathered {
    pub(crate) fn finish(self) -> Option<Finished> {
        match self {}
    }

    pub(crate) fn say(&mut self, _: Key, _: Set<'_>) {
        match *self {}
    }

    #[cfg(any(feature = "client", feature = "stream"))]
    pub(crate) fn read(&mut self, _: Wire, _: Framing, _: &[u8]) {
        match *self {}
    }

    #[cfg(feature = "client")]
    pub(crate) fn keep_request(&mut self, _: Wire) -> Keeping {
        match *self {}
    }
}

impl LlmCall {
    pub(crate) fn record_content(&mut self, _: Option<Finished>, _: Outcome) {}
}

#[cfg(feature = "client")]
#[derive(Clone, Debug)]
pub(crate) enum Keeping {}

#[cfg(feature = "client")]
impl Keeping {
    pub(crate) fn restart(&self) {
        match *self {}
    }

    pub(crate) fn push(&self, _: &[u8], _: usize) {
        match *self {}
    }
}
