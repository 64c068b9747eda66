//! The service: from the request's head to a started operation.

use super::settings::Settings;
use super::side::Answering;
use super::{ResponseBody, ResponseFuture};
use crate::classify::{Classify, ServerClassify};
use crate::descriptor::{METHOD, REQUEST_SIZE, ROUTE, SCHEME, VERSION};
use crate::exchange::carried::{Carried, Said, Which};
use crate::exchange::future::Asked;
use crate::exchange::span::OperationSpan;
use crate::forwarded::{Client, Original};
use crate::head::RequestHead;
use crate::headers::captured::capture;
use crate::headers::{self, Carrier, Found};
use crate::redact::{may_have_parameters, redact_path};
use crate::target::{scheme, split_host, version};
use crate::{peer, redact, route};
use http::{HeaderMap, Request, Response};
use http_body::Body;
use obs_core::propagation::Remote;
use obs_core::propagation::baggage::{BAGGAGE, Baggage};
use obs_core::propagation::{self, Propagator, TraceParent};
use obs_core::semconv::{http as keys, network};
use obs_core::{Active, Event, Kind, LabelId, Labels, Operation, Parent, Trust};
use std::task::{Context, Poll};
use tower_service::Service;

/// An observed service.
#[derive(Clone, Debug)]
pub struct HttpServer<S, C = ServerClassify> {
    pub(crate) inner: S,
    pub(crate) kind: &'static Kind,
    pub(crate) settings: &'static Settings,
    pub(crate) classify: C,
}

impl<S, C> HttpServer<S, C> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, C, B, R> Service<Request<B>> for HttpServer<S, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    C: Classify<S::Error> + Clone,
    B: Body,
    R: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Where nothing looks at the request it is moved once less.
        if self.kind.is_disabled() {
            let inner = self.inner.call(request);
            return self.future(inner, Carried::disabled(), Asked::Any, false);
        }
        self.call_observed(request)
    }
}

impl<S, C: Clone> HttpServer<S, C> {
    #[inline(never)]
    fn call_observed<B: Body>(&mut self, request: Request<B>) -> ResponseFuture<S::Future, C>
    where
        S: Service<Request<B>>,
    {
        let (mut operation, looks) = if self.settings.looks_ahead.get() {
            start_looking(self.kind, self.settings, &request)
        } else {
            (start(self.kind, self.settings, &request, None), false)
        };
        let asked = Asked::by(request.method());
        let span = if self.settings.span.is_on() {
            open(self.settings, &mut operation, &request)
        } else {
            OperationSpan::NONE
        };
        let mut carried = Carried::new(operation, span);
        let entered = carried.enter();
        let inner = self.inner.call(request);
        entered.leave();
        self.future(inner, carried, asked, looks)
    }

    #[inline(always)]
    fn future<F>(
        &self,
        inner: F,
        carried: Carried,
        asked: Asked,
        looks: bool,
    ) -> ResponseFuture<F, C> {
        ResponseFuture {
            inner: Some(inner),
            carried,
            side: Answering {
                settings: self.settings,
                classify: self.classify.clone(),
            },
            asked,
            looks,
        }
    }
}

/// Where a filter or proxies have a word first, or somebody outside may be in the way. Apart, so that it costs nothing where they have none.
#[inline(never)]
fn start_looking<B: Body>(
    kind: &'static Kind,
    settings: &'static Settings,
    request: &Request<B>,
) -> (Operation, bool) {
    let head = RequestHead::of(request);
    if !settings.observes(head) {
        return (Operation::disabled(), false);
    }
    let looks = settings.outside.is_watched() && settings.look_outside();
    let original = settings.original(head);
    let operation = start(kind, settings, request, original.as_ref());
    (operation, looks)
}

#[inline(never)]
fn start<B: Body>(
    kind: &'static Kind,
    settings: &'static Settings,
    request: &Request<B>,
    original: Option<&Original<'_>>,
) -> Operation {
    let head = RequestHead::of(request);
    let mut found = headers::scan(head.headers);
    let scheme = match original.and_then(|original| original.https) {
        Some(https) => u16::from(https),
        None => scheme(head.uri, settings.https),
    };
    let method = settings.methods.number(head.method);
    let labels = Labels::NONE
        .with(METHOD, method)
        .with(SCHEME, LabelId::closed(scheme))
        .with(VERSION, version(head.version));
    let route = match &settings.route {
        Some(rule) => settings.route(rule.as_ref(), head),
        None => route::find(head.extensions),
    };
    let mut joined = String::new();
    let parent = match settings.propagator {
        None => parent(&found, head, (kind, settings), &mut joined),
        Some(other) => {
            let (parent, baggage) = parent_by(other, head, (kind, settings), &mut joined);
            found.baggage = baggage;
            parent
        }
    };
    let mut operation = kind.start_with(labels, route.map(|route| (ROUTE, route)), parent);
    if let Some(mut active) = operation.active() {
        let labels = (scheme, method);
        describe(&mut active, head, (&found, original), labels, settings);
        if let Some(body) = request.body().size_hint().exact() {
            active.set_measure(REQUEST_SIZE, body);
        }
        if found.baggage {
            carry_baggage(&mut active, head, (kind, settings));
        }
        active.stamp(Event::SERVER_HANDLE_START);
    }
    operation
}

/// The `tracing` span of it. Apart from the start, which would have to keep for it what it is done with: the route is asked
/// for again.
#[cold]
#[inline(never)]
fn open<B>(settings: &Settings, operation: &mut Operation, request: &Request<B>) -> OperationSpan {
    let head = RequestHead::of(request);
    let said = Said {
        which: Which::Server,
        method: settings.methods.name(head.method),
        route: match &settings.route {
            Some(rule) => settings.route(rule.as_ref(), head),
            None => route::find(head.extensions),
        },
        path: &route::shown_path(&head),
        host: "",
    };
    settings.span.open(operation, &said)
}

#[cold]
#[inline(never)]
fn set_redacted(active: &mut Active<'_>, path: &str) {
    active.set(keys::URL_PATH, redact_path(path).as_ref());
}

/// Attributes that are no labels.
#[inline(always)]
fn describe(
    active: &mut Active<'_>,
    head: RequestHead<'_>,
    (found, original): (&Found<'_>, Option<&Original<'_>>),
    (scheme, method): (u16, LabelId),
    settings: &Settings,
) {
    let path = route::path(&head);
    if may_have_parameters(path) {
        set_redacted(active, path);
    } else {
        active.set(keys::URL_PATH, path);
    }
    if settings.query
        && let Some(query) = head.uri.query()
    {
        active.set(keys::URL_QUERY, redact::redact_query(query).as_ref());
    }
    if let Some(agent) = found.user_agent {
        active.set(keys::USER_AGENT_ORIGINAL, agent.as_bytes());
    }
    match original {
        None => {
            let host = match head.uri.authority() {
                Some(authority) => Some(authority.as_str().as_bytes()),
                None => found.host.map(http::HeaderValue::as_bytes),
            };
            if let Some(host) = host {
                let (name, port) = split_host(host);
                if !name.is_empty() {
                    let port = port.unwrap_or(if scheme == 0 { 80 } else { 443 });
                    active.set(network::SERVER_ADDRESS, name);
                    active.set(network::SERVER_PORT, port);
                }
            }
            if settings.addresses
                && let Some(peer) = peer::find(head.extensions)
            {
                active.set(network::PEER_ADDRESS, peer.ip());
                active.set(network::PEER_PORT, peer.port());
                active.set(network::CLIENT_ADDRESS, peer.ip());
            }
        }
        Some(original) => describe_ends(active, head, (found, original), scheme, settings),
    }
    if method == LabelId::OVERFLOW {
        active.set(keys::REQUEST_METHOD_ORIGINAL, head.method.as_str());
    }
    if !settings.request_headers.is_empty() {
        capture(active, head.headers, &settings.request_headers);
    }
    if let Some(deadline) = settings.deadline {
        active.set_deadline(deadline);
    }
}

/// The server and the client of a request that proxies speak for.
#[cold]
#[inline(never)]
fn describe_ends(
    active: &mut Active<'_>,
    head: RequestHead<'_>,
    (found, original): (&Found<'_>, &Original<'_>),
    scheme: u16,
    settings: &Settings,
) {
    let forwarded = original.host.as_deref().map(str::as_bytes);
    let authority = head.uri.authority().map(|it| it.as_str().as_bytes());
    let host = forwarded.or(authority);
    if let Some(host) = host.or(found.host.map(http::HeaderValue::as_bytes)) {
        let (name, port) = split_host(host);
        if !name.is_empty() {
            // The port that goes with the name, then the one that is said apart, then the one of the last hop.
            let port = match forwarded {
                Some(_) => port.or(original.port),
                None => original.port.or(port),
            };
            let port = port.unwrap_or(if scheme == 0 { 80 } else { 443 });
            active.set(network::SERVER_ADDRESS, name);
            active.set(network::SERVER_PORT, port);
        }
    }
    if !settings.addresses {
        return;
    }
    let peer = peer::find(head.extensions);
    if let Some(peer) = peer {
        active.set(network::PEER_ADDRESS, peer.ip());
        active.set(network::PEER_PORT, peer.port());
    }
    let (client, port) = match original.client {
        Client::Known(client, port) => (Some(client), port),
        Client::Unsaid => (peer.map(|peer| peer.ip()), None),
        Client::Hidden => (None, None),
    };
    if let Some(client) = client {
        active.set(network::CLIENT_ADDRESS, client);
    }
    if let Some(port) = port {
        active.set(network::CLIENT_PORT, port);
    }
}

/// Baggage of those who are trusted, as far as it is allowed: it names the session, goes on with outgoing calls, and
/// becomes attributes. Without an allow list, or from a stranger, it is as if it were not there.
#[cold]
fn carry_baggage(
    active: &mut Active<'_>,
    head: RequestHead<'_>,
    (kind, settings): (&Kind, &Settings),
) {
    if settings.trust(head) != Trust::Trusted {
        // A layer outside may have put it into OpenTelemetry's context.
        return active.clear_baggage();
    }
    let Some(allow) = &settings.baggage else {
        return;
    };
    let (baggage, dropped) = match settings.propagator {
        None => {
            let values = head.headers.get_all(BAGGAGE).iter();
            Baggage::from_headers(values.map(http::HeaderValue::as_bytes))
        }
        // Read a second time: only where there is an allow list, and then this is not the expensive part.
        Some(other) => {
            let remote = kind.contain(Remote::default(), || other.extract(&Carrier(head.headers)));
            (remote.baggage, remote.dropped.baggage)
        }
    };
    kind.count_dropped_baggage(dropped as u64);
    active.carry_baggage(baggage, allow);
}

#[inline(always)]
fn parent<'a>(
    found: &Found<'a>,
    head: RequestHead<'_>,
    (kind, settings): (&Kind, &Settings),
    joined: &'a mut String,
) -> Parent<'a> {
    let Some(value) = found.traceparent else {
        return Parent::Current;
    };
    // The caller's child is the layer outside of this one, which read the same header.
    if kind.is_current() {
        return Parent::Current;
    }
    let Some(parent) = remote(found, value) else {
        kind.count_invalid_parent();
        return Parent::Current;
    };
    let tracestate = tracestate(found, head.headers, kind, joined);
    let trust = settings.trust(head);
    Parent::Remote {
        parent,
        tracestate,
        trust,
    }
}

/// The same by any other propagator, and whether there is baggage. It looks up, parses and allocates as it likes.
#[cold]
#[inline(never)]
fn parent_by<'a>(
    propagator: &Propagator,
    head: RequestHead<'_>,
    (kind, settings): (&Kind, &Settings),
    joined: &'a mut String,
) -> (Parent<'a>, bool) {
    let remote = kind.contain(Remote::default(), || {
        propagator.extract(&Carrier(head.headers))
    });
    let baggage = !remote.baggage.is_empty();
    if remote.dropped.traceparent.is_some() && !kind.is_current() {
        kind.count_invalid_parent();
    }
    if remote.dropped.tracestate.is_some() {
        kind.count_dropped_tracestate(1);
    }
    let parent = match remote.parent {
        Some(parent) if !kind.is_current() => {
            if let Some(tracestate) = &remote.tracestate {
                joined.push_str(tracestate.as_str());
            }
            Parent::Remote {
                parent,
                tracestate: joined,
                trust: settings.trust(head),
            }
        }
        _ => Parent::Current,
    };
    (parent, baggage)
}

/// The one header as it came where it needs no repair, else what is left of all of them.
#[inline(always)]
fn tracestate<'a>(
    found: &Found<'a>,
    headers: &HeaderMap,
    kind: &Kind,
    joined: &'a mut String,
) -> &'a str {
    let Some(first) = found.tracestate else {
        return "";
    };
    if found.tracestates == 1
        && let Some(text) = propagation::tracestate::as_it_is(first.as_bytes())
    {
        return text;
    }
    join(headers, kind, joined);
    joined
}

#[cold]
fn join(headers: &HeaderMap, kind: &Kind, joined: &mut String) {
    let values = headers.get_all(propagation::tracestate::TRACESTATE);
    // An invalid tracestate is dropped; the traceparent stands.
    let values = values.iter().map(|value| value.as_bytes());
    let cut = propagation::tracestate::combine(values, joined).unwrap_or(1);
    kind.count_dropped_tracestate(cut as u64);
}

#[inline(always)]
fn remote(found: &Found<'_>, value: &http::HeaderValue) -> Option<TraceParent> {
    if found.traceparents != 1 {
        return None;
    }
    propagation::traceparent::parse(value.as_bytes()).ok()
}
