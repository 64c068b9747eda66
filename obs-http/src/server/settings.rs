//! What a layer was told, as plain data behind one reference.

use super::outside::Outside;
use crate::exchange::settings::Common;
use crate::forwarded::{Forwarded, Original};
use crate::head::RequestHead;
use crate::peer;
use obs_core::Trust;
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::Allow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) common: Common,
    pub(crate) trust: TrustRule,
    /// Where it is not the W3C's formats that are read.
    pub(crate) propagator: Option<&'static Propagator>,
    pub(crate) baggage: Option<Allow>,
    /// Whether a request is looked at before anything else: there is a filter, proxies are believed, or somebody outside
    /// may be in the way.
    pub(crate) looks_ahead: Flag,
    pub(crate) outside: Outside,
    pub(crate) forwarded: Option<Forwarded>,
    pub(crate) route: Option<Arc<RouteRule>>,
    pub(crate) addresses: bool,
}

/// One that changes while it is read.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    #[inline(always)]
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

impl Clone for Flag {
    fn clone(&self) -> Self {
        Self(AtomicBool::new(self.get()))
    }
}

pub(crate) type RouteRule = dyn for<'a> Fn(RequestHead<'a>) -> Option<&'a str> + Send + Sync;

pub(crate) type ByRule = dyn Fn(RequestHead<'_>) -> Trust + Send + Sync;

#[derive(Clone)]
pub(crate) enum TrustRule {
    Always(Trust),
    By(Arc<ByRule>),
}

impl Settings {
    /// Once everything is set.
    pub(crate) fn looking_ahead(self) -> Self {
        self.look_ahead();
        self
    }

    fn look_ahead(&self) {
        let always = self.filter.is_some() || self.forwarded.is_some();
        self.looks_ahead.set(always || self.outside.is_watched());
    }

    /// Whether somebody outside makes a span of the request, and whether that is to be asked again in the first poll.
    pub(crate) fn look_outside(&self) -> bool {
        let again = self.outside.look(self.kind);
        self.look_ahead();
        again
    }
}

/// What functions decide; where one panics, what is safe: a stranger, observed, on no route, from no
/// proxy.
impl Settings {
    pub(crate) fn trust(&self, head: RequestHead<'_>) -> Trust {
        match &self.trust {
            TrustRule::Always(trust) => *trust,
            TrustRule::By(rule) => self.trust_by(rule.as_ref(), head),
        }
    }

    /// Apart, as is [`route`](Self::route): what catches takes room on the stack of whoever it is put in line with.
    #[inline(never)]
    fn trust_by(&self, rule: &ByRule, head: RequestHead<'_>) -> Trust {
        self.kind.contain(Trust::LinkOnly, || rule(head))
    }

    /// What believed proxies say.
    pub(crate) fn original<'a>(&self, head: RequestHead<'a>) -> Option<Original<'a>> {
        let forwarded = self.forwarded.as_ref()?;
        let peer = peer::find(head.extensions).map(|peer| peer.ip());
        let believed = self.kind.contain(false, || forwarded.is_believed(peer));
        believed.then(|| forwarded.read(head.headers))
    }

    #[inline(never)]
    pub(crate) fn route<'a>(&self, rule: &RouteRule, head: RequestHead<'a>) -> Option<&'a str> {
        self.kind.contain(None, || rule(head))
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
