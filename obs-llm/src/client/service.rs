//! The service: from a request to a started call.

use super::asked::Asked;
use super::future::{Reading, ResponseFuture};
use super::hint::ModelHint;
use super::request::RequestBody;
use super::settings::Settings;
use crate::call::LlmCall;
use crate::provider::Provider;
use crate::wire::RequestSink;
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use obs_core::{OTHER, Parent};
use std::task::{Context, Poll};
use tower_service::Service;

/// An observed client.
#[derive(Clone, Debug)]
pub struct LlmClient<S> {
    pub(crate) inner: S,
    pub(crate) settings: &'static Settings,
}

impl<S> LlmClient<S> {
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

impl<S, B, R> Service<Request<B>> for LlmClient<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    S::Error: 'static,
    B: Body,
    R: Body,
{
    type Response = Response<super::ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match start(self.settings, &request) {
            Some((mut call, reading)) => {
                let request = request.map(|body| scanned(body, &mut call, &reading));
                let entered = call.enter();
                let inner = self.inner.call(request);
                entered.leave();
                ResponseFuture::observed(inner, call, reading)
            }
            None => {
                let inner = self.inner.call(request.map(RequestBody::unobserved));
                ResponseFuture::unobserved(inner)
            }
        }
    }
}

/// The body of a request that a call is started for.
#[inline]
pub(crate) fn scanned<B>(body: B, call: &mut LlmCall, reading: &Reading) -> RequestBody<B> {
    let (wire, asked) = (reading.wire, reading.asked.clone());
    let keeping = call.gathered().map(|content| content.keep_request(wire));
    RequestBody::scanned(body, wire, asked, keeping)
}

/// A call, if the request asks a model for something and nobody observes it yet.
#[inline(never)]
pub(crate) fn start<B>(
    settings: &'static Settings,
    request: &Request<B>,
) -> Option<(LlmCall, Reading)> {
    // What only asks for what is there asks no model: lists, health, files.
    if request.method() != http::Method::POST {
        return None;
    }
    let known = settings.recognise(request.uri())?;
    if settings.llm.passes(known.operation) {
        return None;
    }
    let (name, port) = split(host(request));
    let by_host;
    let provider = match &settings.told.provider {
        Some(provider) => provider,
        None => {
            by_host = Provider::of_host(name).unwrap_or(Provider::named(OTHER));
            &by_host
        }
    };
    let mut call = { settings.llm }.start(known.operation, provider, Parent::Current);
    if !call.is_recording() {
        return None;
    }
    match &settings.told.address {
        Some((address, port)) => call.set_server(address, *port),
        None if !name.is_empty() => {
            let usual = match request.uri().scheme_str() {
                Some("http") => Some(80),
                Some("https") => Some(443),
                _ => None,
            };
            call.set_server(name, port.or(usual));
        }
        None => {}
    }
    if let (Some(deadline), Some(mut active)) = (settings.told.deadline, call.active()) {
        active.set_deadline(deadline);
    }
    call.set_wire(known.wire);
    if let Some(hint) = request.extensions().get::<ModelHint>() {
        call.model(hint.as_str());
    }
    let mut framing = None;
    if let Some(by_path) = &known.by_path {
        framing = Some(by_path.stream_framing);
        if let Some(model) = &by_path.model {
            call.model(model);
        }
        if by_path.streams == Some(true) {
            call.stream(true);
        }
    }
    let reading = Reading {
        wire: known.wire,
        asked: Asked::default(),
        framing,
    };
    Some((call, reading))
}

/// The target's authority; over HTTP/1 by hand it may be in the header only.
fn host<B>(request: &Request<B>) -> &str {
    match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => {
            let host = request.headers().get(header::HOST);
            let host = host.map(HeaderValue::to_str).and_then(Result::ok);
            host.unwrap_or_default()
        }
    }
}

/// A name and a port, without brackets and without who asks.
fn split(host: &str) -> (&str, Option<u16>) {
    let who = memchr::memrchr(b'@', host.as_bytes());
    let host = who.map_or(host, |at| &host[at + 1..]);
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or((rest, "")),
        None => {
            let at = memchr::memchr(b':', host.as_bytes());
            host.split_at(at.unwrap_or(host.len()))
        }
    };
    let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
    (name, port)
}
