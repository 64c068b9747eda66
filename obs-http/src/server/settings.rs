//! What a layer was told, as plain data behind one reference.

use crate::exchange::settings::Common;
use crate::head::RequestHead;
use obs_core::Trust;
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::Allow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) common: Common,
    pub(crate) trust: TrustRule,
    /// Where it is not the W3C's formats that are read.
    pub(crate) propagator: Option<&'static Propagator>,
    pub(crate) baggage: Option<Allow>,
    pub(crate) route: Option<Arc<RouteRule>>,
    pub(crate) addresses: bool,
}

pub(crate) type RouteRule = dyn for<'a> Fn(RequestHead<'a>) -> Option<&'a str> + Send + Sync;

#[derive(Clone)]
pub(crate) enum TrustRule {
    Always(Trust),
    By(Arc<dyn Fn(RequestHead<'_>) -> Trust + Send + Sync>),
}

impl TrustRule {
    pub(crate) fn of(&self, head: RequestHead<'_>) -> Trust {
        match self {
            Self::Always(trust) => *trust,
            Self::By(rule) => rule(head),
        }
    }
}

impl Deref for Settings {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl DerefMut for Settings {
    fn deref_mut(&mut self) -> &mut Common {
        &mut self.common
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("common", &self.common)
            .finish_non_exhaustive()
    }
}
