//! What a layer was told, as plain data behind one reference.

use crate::contained;
use crate::forwarded::{Forwarded, Original};
use crate::head::RequestHead;
use crate::methods::Methods;
use crate::peer;
use http::HeaderName;
use obs_core::propagation::baggage::Allow;
use obs_core::{Key, Kind, Trust};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) kind: &'static Kind,
    pub(crate) methods: Methods,
    pub(crate) trust: TrustRule,
    pub(crate) baggage: Option<Allow>,
    /// Whether a request is looked at before anything else: there is a filter, or proxies are believed.
    pub(crate) looks_ahead: bool,
    pub(crate) filter: Option<Arc<FilterRule>>,
    pub(crate) forwarded: Option<Forwarded>,
    pub(crate) route: Option<Arc<RouteRule>>,
    pub(crate) https: bool,
    pub(crate) query: bool,
    pub(crate) addresses: bool,
    pub(crate) request_headers: Vec<(HeaderName, Key)>,
    pub(crate) response_headers: Vec<(HeaderName, Key)>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) current_in_body: bool,
}

pub(crate) type FilterRule = dyn Fn(RequestHead<'_>) -> bool + Send + Sync;
pub(crate) type RouteRule = dyn for<'a> Fn(RequestHead<'a>) -> Option<&'a str> + Send + Sync;

pub(crate) type ByRule = dyn Fn(RequestHead<'_>) -> Trust + Send + Sync;

#[derive(Clone)]
pub(crate) enum TrustRule {
    Always(Trust),
    By(Arc<ByRule>),
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
        contained::or(self.kind, Trust::LinkOnly, || rule(head))
    }

    pub(crate) fn observes(&self, head: RequestHead<'_>) -> bool {
        match &self.filter {
            Some(filter) => contained::or(self.kind, true, || filter(head)),
            None => true,
        }
    }

    /// What believed proxies say.
    pub(crate) fn original<'a>(&self, head: RequestHead<'a>) -> Option<Original<'a>> {
        let forwarded = self.forwarded.as_ref()?;
        let peer = peer::find(head.extensions).map(|peer| peer.ip());
        let believed = contained::or(self.kind, false, || forwarded.is_believed(peer));
        believed.then(|| forwarded.read(head.headers))
    }

    #[inline(never)]
    pub(crate) fn route<'a>(&self, rule: &RouteRule, head: RequestHead<'a>) -> Option<&'a str> {
        contained::or(self.kind, None, || rule(head))
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("filtered", &self.filter.is_some())
            .field("https", &self.https)
            .field("request_headers", &self.request_headers)
            .field("response_headers", &self.response_headers)
            .finish_non_exhaustive()
    }
}
