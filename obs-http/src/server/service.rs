//! The service: from the request's head to a started operation.

use super::body::ResponseBody;
use super::future::ResponseFuture;
use super::settings::Settings;
use crate::classify::{Classify, ServerClassify};
use crate::descriptor::{METHOD, REQUEST_SIZE, ROUTE, SCHEME, SCHEMES, VERSION};
use crate::head::RequestHead;
use crate::headers::{self, Found};
use crate::{peer, redact, route};
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body::Body;
use obs_core::otel::KeyValue;
use obs_core::propagation::baggage::{BAGGAGE, Baggage};
use obs_core::propagation::{self, TraceParent};
use obs_core::semconv::{self, http as keys, network};
use obs_core::{Active, Event, Kind, LabelId, Labels, Operation, Parent, Session, Trust};
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
            return self.future(inner, Operation::disabled(), false);
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
        let mut operation = start(self.kind, self.settings, &request);
        let head_only = *request.method() == Method::HEAD;
        let entered = operation.enter();
        let inner = self.inner.call(request);
        entered.leave();
        self.future(inner, operation, head_only)
    }

    #[inline(always)]
    fn future<F>(&self, inner: F, operation: Operation, head_only: bool) -> ResponseFuture<F, C> {
        ResponseFuture {
            inner,
            operation,
            settings: self.settings,
            classify: self.classify.clone(),
            head_only,
        }
    }
}

#[inline(never)]
fn start<B: Body>(
    kind: &'static Kind,
    settings: &'static Settings,
    request: &Request<B>,
) -> Operation {
    let head = RequestHead::of(request);
    if let Some(filter) = &settings.filter
        && !filter(head)
    {
        return Operation::disabled();
    }
    let found = headers::scan(head.headers);
    let scheme = scheme(head.uri, settings.https);
    let method = settings.methods.number(head.method);
    let labels = Labels::NONE
        .with(METHOD, method)
        .with(SCHEME, LabelId::closed(scheme))
        .with(VERSION, version(head.version));
    let route = match &settings.route {
        Some(rule) => rule(head),
        None => route::find(head.extensions),
    };
    let mut joined = String::new();
    let parent = parent(&found, head, (kind, settings), &mut joined);
    let mut operation = kind.start_with(labels, route.map(|route| (ROUTE, route)), parent);
    if let Some(mut active) = operation.active() {
        describe(&mut active, head, &found, (scheme, method), settings);
        if let Some(body) = request.body().size_hint().exact() {
            active.set_measure(REQUEST_SIZE, body);
        }
        if found.baggage {
            carry_baggage(&mut active, head, settings);
        }
        active.stamp(Event::SERVER_HANDLE_START);
    }
    operation
}

/// Attributes that are no labels.
#[inline(always)]
fn describe(
    active: &mut Active<'_>,
    head: RequestHead<'_>,
    found: &Found<'_>,
    (scheme, method): (u16, LabelId),
    settings: &Settings,
) {
    active.set(keys::URL_PATH, head.uri.path());
    if settings.query
        && let Some(query) = head.uri.query()
    {
        active.set(keys::URL_QUERY, redact::redact_query(query).as_ref());
    }
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
    if let Some(agent) = found.user_agent {
        active.set(keys::USER_AGENT_ORIGINAL, agent.as_bytes());
    }
    if settings.addresses
        && let Some(peer) = peer::find(head.extensions)
    {
        active.set(network::PEER_ADDRESS, peer.ip());
        active.set(network::PEER_PORT, peer.port());
        active.set(network::CLIENT_ADDRESS, peer.ip());
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

/// Baggage of those who are trusted, as far as it is allowed: it names the session, goes on with outgoing calls, and
/// becomes attributes. Without an allow list, or from a stranger, it is as if it were not there.
#[cold]
fn carry_baggage(active: &mut Active<'_>, head: RequestHead<'_>, settings: &Settings) {
    if settings.trust.of(head) != Trust::Trusted {
        // A layer outside may have put it into OpenTelemetry's context.
        return active.clear_baggage();
    }
    let Some(allow) = &settings.baggage else {
        return;
    };
    let values = head.headers.get_all(BAGGAGE).iter();
    let (baggage, _) = Baggage::from_headers(values.map(http::HeaderValue::as_bytes));
    let baggage = baggage.keep(allow);
    if baggage.is_empty() {
        return;
    }
    for entry in baggage.iter() {
        let (session, user) = (semconv::session::ID.as_str(), semconv::user::ID.as_str());
        if entry.key != session && entry.key != user {
            active.set_dynamic(KeyValue::new(entry.key.to_owned(), entry.value.to_string()));
        }
    }
    active.set_session(Session::from_baggage(baggage));
}

/// Values of allowed headers, as lists of strings by the conventions.
#[cold]
pub(crate) fn capture(
    active: &mut Active<'_>,
    headers: &HeaderMap,
    allowed: &[(http::HeaderName, obs_core::Key)],
) {
    use obs_core::otel::{Array, KeyValue, StringValue, Value};
    for (name, key) in allowed {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let values: Vec<StringValue> = values.map(|value| value.to_owned().into()).collect();
        if !values.is_empty() {
            active.set_dynamic(KeyValue::new(
                key.as_str(),
                Value::Array(Array::String(values)),
            ));
        }
    }
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
    let tracestate = tracestate(found, head.headers, joined);
    let trust = settings.trust.of(head);
    Parent::Remote {
        parent,
        tracestate,
        trust,
    }
}

/// The one header as it came where it needs no repair, else what is left of all of them.
#[inline(always)]
fn tracestate<'a>(found: &Found<'a>, headers: &HeaderMap, joined: &'a mut String) -> &'a str {
    let Some(first) = found.tracestate else {
        return "";
    };
    if found.tracestates == 1
        && let Some(text) = propagation::tracestate::as_it_is(first.as_bytes())
    {
        return text;
    }
    join(headers, joined);
    joined
}

#[cold]
fn join(headers: &HeaderMap, joined: &mut String) {
    let values = headers.get_all(propagation::tracestate::TRACESTATE);
    // An invalid tracestate is dropped; the traceparent stands.
    let _ = propagation::tracestate::combine(values.iter().map(|value| value.as_bytes()), joined);
}

#[inline(always)]
fn remote(found: &Found<'_>, value: &http::HeaderValue) -> Option<TraceParent> {
    if found.traceparents != 1 {
        return None;
    }
    propagation::traceparent::parse(value.as_bytes()).ok()
}

#[inline(always)]
fn scheme(uri: &Uri, https: bool) -> u16 {
    match uri.scheme_str() {
        Some(scheme) => u16::from(scheme == SCHEMES[1]),
        None => u16::from(https),
    }
}

#[inline(always)]
fn version(version: Version) -> LabelId {
    match version {
        Version::HTTP_11 => LabelId::closed(1),
        Version::HTTP_2 => LabelId::closed(2),
        Version::HTTP_10 => LabelId::closed(0),
        Version::HTTP_3 => LabelId::closed(3),
        _ => LabelId::ABSENT,
    }
}

/// Name and port of `host:port`, `[v6]:port`, `user@host`.
#[inline(always)]
fn split_host(host: &[u8]) -> (&[u8], Option<u16>) {
    let (name, port) = match host.last() {
        Some(b'0'..=b'9') => split_port(host),
        _ => (host, None),
    };
    if is_bare_name(name) {
        (name, port)
    } else {
        split_marked(host)
    }
}

/// What stands before `:` and up to five digits, and their number; all of it where it does not end so.
#[inline(never)]
fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let (mut at, mut port, mut scale) = (host.len(), 0_u32, 1_u32);
    while scale <= 100_000 && at > 0 {
        at -= 1;
        match host[at] {
            digit @ b'0'..=b'9' => port += u32::from(digit - b'0') * scale,
            b':' => match u16::try_from(port) {
                Ok(port) => return (&host[..at], Some(port)),
                Err(_) => return (host, None),
            },
            _ => return (host, None),
        }
        scale *= 10;
    }
    (host, None)
}

/// Whether nothing in it has to be taken apart: eight bytes a step, the last ones twice.
#[inline(always)]
fn is_bare_name(name: &[u8]) -> bool {
    let Some(last) = name.last_chunk::<8>() else {
        return !name.iter().any(|byte| matches!(byte, b':' | b'@' | b'['));
    };
    let mut seen = marks(*last);
    let (mut at, end) = (0, name.len() - 8);
    while at < end {
        if let Some(step) = name[at..].first_chunk::<8>() {
            seen |= marks(*step);
        }
        at += 8;
    }
    seen & (ONES << 7) == 0
}

const ONES: u64 = u64::MAX / 255;

/// The top bit of a byte is set if one of eight bytes is `:`, `@` or `[`. May be set without (for what stands between the
/// first two, and letters above ASCII), is never missing.
#[inline(always)]
const fn marks(step: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(step);
    let (from_colon, past_at) = (
        word.wrapping_add(ONES * (0x80 - b':' as u64)),
        word.wrapping_add(ONES * (0x7f - b'@' as u64)),
    );
    let bracket = word ^ (ONES * b'[' as u64);
    word | (from_colon ^ past_at) | bracket.wrapping_sub(ONES)
}

/// By hand: hosts are shorter than a search's set-up.
#[inline(never)]
fn split_marked(host: &[u8]) -> (&[u8], Option<u16>) {
    let host = match host.iter().rposition(|byte| *byte == b'@') {
        Some(at) => &host[at + 1..],
        None => host,
    };
    let mut at = host.len();
    let (mut port, mut scale) = (0_u32, 1_u32);
    while at > 0 && host[at - 1].is_ascii_digit() && scale <= 10_000 {
        at -= 1;
        port += u32::from(host[at] - b'0') * scale;
        scale *= 10;
    }
    let (name, port) = match at.checked_sub(1).map(|colon| (colon, host[colon])) {
        Some((colon, b':')) if !host[..colon].contains(&b':') || host[..colon].ends_with(b"]") => (
            &host[..colon],
            u16::try_from(port).ok().filter(|_| scale > 1),
        ),
        _ => (host, None),
    };
    (
        name.strip_prefix(b"[")
            .and_then(|name| name.strip_suffix(b"]"))
            .unwrap_or(name),
        port,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn host(text: &str, (name, port): (&str, Option<u16>)) {
        assert_eq!(split_host(text.as_bytes()), (name.as_bytes(), port));
    }

    #[test]
    fn hosts_split_into_name_and_port() {
        host("example.com", ("example.com", None));
        host("example.com:8080", ("example.com", Some(8080)));
        host("[::1]:443", ("::1", Some(443)));
        host("[::1]", ("::1", None));
        host("user:secret@example.com:1", ("example.com", Some(1)));
        host("example.com:x", ("example.com:x", None));
        host("example.com:99999", ("example.com", None));
        host("example.com:123456", ("example.com:123456", None));
        host("example.com:", ("example.com", None));
        host("::1", ("::1", None));
        host(
            "a.long.name.example.com:8080",
            ("a.long.name.example.com", Some(8080)),
        );
        host("a.long.name.example.com", ("a.long.name.example.com", None));
        host(
            "me@a.long.name.example.com",
            ("a.long.name.example.com", None),
        );
        host("h\u{fc}tte.example.com", ("h\u{fc}tte.example.com", None));
        host("42", ("42", None));
        host("", ("", None));
    }
}
