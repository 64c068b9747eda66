//! The service: from a request to a started operation, whose context the request carries on.

use super::classify::ClientClassify;
use super::settings::Settings;
use super::side::Asking;
use super::{Resend, ResponseBody, ResponseFuture, UrlTemplate, url};
use crate::classify::Classify;
use crate::descriptor::client::{ADDRESS, ATTEMPTS, HTTP_CALL, HTTP_CLIENT, PORT};
use crate::descriptor::{METHOD, REQUEST_SIZE, SCHEME, TEMPLATE};
use crate::exchange::carried::{Carried, Said, Which};
use crate::exchange::future::Asked;
use crate::exchange::span::OperationSpan;
use crate::head::RequestHead;
use crate::headers::captured::capture;
use crate::redact::redact_path;
use crate::target::{scheme, split_host};
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use obs_core::semconv::{http as keys, network};
use obs_core::{Active, Kind, LabelId, Labels, Operation, Parent, current};
use std::task::{Context, Poll};
use tower_service::Service;

/// An observed client.
#[derive(Clone, Debug)]
pub struct HttpClient<S, C = ClientClassify> {
    pub(crate) inner: S,
    pub(crate) kind: &'static Kind,
    pub(crate) settings: &'static Settings,
    pub(crate) classify: C,
}

impl<S, C> HttpClient<S, C> {
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

impl<S, C, B, R> Service<Request<B>> for HttpClient<S, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    C: Classify<S::Error> + Classify<R::Error> + Clone,
    B: Body,
    R: Body,
{
    type Response = Response<ResponseBody<R, C>>;
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
            return self.future(inner, Carried::disabled(), Asked::Any);
        }
        self.call_observed(request)
    }
}

impl<S, C: Clone> HttpClient<S, C> {
    #[inline(never)]
    fn call_observed<B: Body>(&mut self, mut request: Request<B>) -> ResponseFuture<S::Future, C>
    where
        S: Service<Request<B>>,
    {
        let mut operation = start(self.kind, self.settings, &mut request);
        let asked = Asked::by(request.method());
        let span = if self.settings.span.is_on() {
            open((self.kind, self.settings), &mut operation, &request)
        } else {
            OperationSpan::NONE
        };
        let mut carried = Carried::new(operation, span);
        let entered = carried.enter();
        let inner = self.inner.call(request);
        entered.leave();
        self.future(inner, carried, asked)
    }

    #[inline(always)]
    fn future<F>(&self, inner: F, carried: Carried, asked: Asked) -> ResponseFuture<F, C> {
        ResponseFuture {
            inner: Some(inner),
            carried,
            side: Asking {
                settings: self.settings,
                classify: self.classify.clone(),
            },
            asked,
            looks: false,
        }
    }
}

#[inline(never)]
fn start<B: Body>(
    kind: &'static Kind,
    settings: &'static Settings,
    request: &mut Request<B>,
) -> Operation {
    let head = RequestHead::of(request);
    // A delivery of telemetry, by a transport with this client beneath it, would be telemetry to deliver, without end.
    if !settings.observes(head) || current::is_suppressed() {
        return Operation::disabled();
    }
    // Of an attempt. Asked before it is the attempt that is current.
    let resend = if std::ptr::eq(kind.descriptor(), &HTTP_CLIENT) {
        resend(head)
    } else {
        0
    };
    let scheme = scheme(head.uri, settings.https);
    let host = host(head);
    let (name, port) = split_host(host.as_bytes());
    // Compared where they lie: nothing was taken off the front.
    let plain = std::ptr::eq(name.as_ptr(), host.as_ptr());
    let name = std::str::from_utf8(name).unwrap_or_default();
    let method = settings.methods.number(head.method);
    let mut labels = Labels::NONE.with(METHOD, method);
    let mut address = LabelId::ABSENT;
    if !name.is_empty() {
        let port = port.unwrap_or(if scheme == 0 { 80 } else { 443 });
        address = kind.label(ADDRESS, name);
        labels = labels
            .with(ADDRESS, address)
            .with(PORT, LabelId::number(port));
    }
    if settings.scheme {
        labels = labels.with(SCHEME, LabelId::closed(scheme));
    }
    let template = template(kind, settings, head).map(|template| (TEMPLATE, template));
    let mut operation = kind.start_with(labels, template, Parent::Current);
    let Some(mut active) = operation.active() else {
        return operation;
    };
    let host = (host, plain);
    url::record(&mut active, head.uri, host, scheme, settings.query);
    if address == LabelId::OVERFLOW {
        // No label of its own; the span still says where it went.
        active.set(network::SERVER_ADDRESS, name);
    }
    if method == LabelId::OVERFLOW {
        active.set(keys::REQUEST_METHOD_ORIGINAL, head.method.as_str());
    }
    if resend > 0 {
        active.set(keys::REQUEST_RESEND_COUNT, resend);
    }
    describe(&mut active, head, settings);
    if let Some(body) = request.body().size_hint().exact() {
        active.set_measure(REQUEST_SIZE, body);
    }
    let injects = settings.injection.permits(kind, head, name);
    if injects {
        settings
            .injection
            .write(&mut active, settings.propagator, request.headers_mut());
    }
    operation
}

#[inline(always)]
fn template<'a>(kind: &Kind, settings: &Settings, head: RequestHead<'a>) -> Option<&'a str> {
    match &settings.template {
        Some(rule) => kind.contain(None, || rule(head)),
        None => head.extensions.get::<UrlTemplate>().map(|found| found.0),
    }
}

/// The `tracing` span of it. Apart from the start, which would have to keep for it what it is done with: the template is
/// asked for again.
#[cold]
#[inline(never)]
fn open<B>(
    (kind, settings): (&Kind, &Settings),
    operation: &mut Operation,
    request: &Request<B>,
) -> OperationSpan {
    let head = RequestHead::of(request);
    let (name, _) = split_host(host(head).as_bytes());
    let said = Said {
        which: match std::ptr::eq(kind.descriptor(), &HTTP_CALL) {
            true => Which::Call,
            false => Which::Client,
        },
        method: settings.methods.name(head.method),
        route: template(kind, settings, head),
        path: &redact_path(head.uri.path()),
        host: std::str::from_utf8(name).unwrap_or_default(),
    };
    settings.span.open(operation, &said)
}

/// What has to be asked for.
#[inline(always)]
fn describe(active: &mut Active<'_>, head: RequestHead<'_>, settings: &Settings) {
    if settings.user_agent
        && let Some(agent) = head.headers.get(header::USER_AGENT)
    {
        active.set(keys::USER_AGENT_ORIGINAL, agent.as_bytes());
    }
    if !settings.request_headers.is_empty() {
        capture(active, head.headers, &settings.request_headers);
    }
    if let Some(deadline) = settings.deadline {
        active.set_deadline(deadline);
    }
}

/// The target's authority; over HTTP/1 by hand it may be in the header only.
#[inline(always)]
fn host(head: RequestHead<'_>) -> &str {
    match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => host_header(head),
    }
}

#[cold]
fn host_header(head: RequestHead<'_>) -> &str {
    let host = head.headers.get(header::HOST).map(HeaderValue::to_str);
    host.and_then(Result::ok).unwrap_or_default()
}

/// Which attempt this is: counted by the call that is current, or said by whoever retries by hand.
#[inline(always)]
fn resend(head: RequestHead<'_>) -> u64 {
    let counted = current::with(|active| {
        if !std::ptr::eq(active.kind().descriptor(), &HTTP_CALL) {
            return None;
        }
        let before = active.measure(ATTEMPTS).unwrap_or_default();
        active.set_measure(ATTEMPTS, before + 1);
        Some(before)
    });
    match head.extensions.get::<Resend>() {
        Some(said) => u64::from(said.0),
        None => counted.flatten().unwrap_or_default(),
    }
}
