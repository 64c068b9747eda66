//! What a server's layer was told.

use crate::CallHead;
use crate::call::settings::Common;
use obs_core::Trust;
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::Allow;
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) common: Common,
    pub(crate) trust: TrustRule,
    /// Where it is not the W3C's formats that are read.
    pub(crate) propagator: Option<&'static Propagator>,
    pub(crate) baggage: Option<Allow>,
    pub(crate) addresses: bool,
}

pub(crate) type ByRule = dyn Fn(CallHead<'_>) -> Trust + Send + Sync;

#[derive(Clone)]
pub(crate) enum TrustRule {
    Always(Trust),
    By(Arc<ByRule>),
}

impl Settings {
    pub(crate) fn trust(&self, head: CallHead<'_>) -> Trust {
        match &self.trust {
            TrustRule::Always(trust) => *trust,
            // Where it panics, what is safe: a stranger.
            TrustRule::By(rule) => self.common.kind.contain(Trust::LinkOnly, || rule(head)),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("common", &self.common)
            .finish_non_exhaustive()
    }
}
