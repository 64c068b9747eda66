//! The service: from a request to a started operation, whose context the request carries on.

use super::settings::Settings;
use super::{Attempt, ResponseBody, ResponseFuture, injection};
use crate::attempts;
use crate::call::StdError;
use crate::call::ending::Call;
use crate::call::flow::Flow;
use crate::call::request::RequestBody;
use crate::call::settings::Role;
use crate::call::waited;
use crate::descriptor::{ADDRESS, METHOD, OF_GRPC, PORT};
use crate::frames::Tally;
use crate::head::{CallHead, host_and_port};
use crate::metadata;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use obs_core::semconv::obs;
use obs_core::{Kind, LabelId, Labels, Operation, Parent, current};
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tower_service::Service;

/// An observed client.
#[derive(Clone, Debug)]
pub struct RpcClient<S> {
    pub(crate) inner: S,
    pub(crate) settings: &'static Settings,
}

impl<S> RpcClient<S> {
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

impl<S, B, R> Service<Request<B>> for RpcClient<S>
where
    S: Service<Request<Body>, Response = Response<R>>,
    S::Error: 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
    R: http_body::Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.settings.common.kind.is_disabled() {
            return ResponseFuture::unobserved(self.inner.call(request.map(Body::new)));
        }
        // Not in a function of its own: a request is 240 bytes, and would be moved once more.
        let settings = self.settings;
        let Some(mut call) = begin(settings, CallHead::of(&request), None) else {
            return ResponseFuture::unobserved(self.inner.call(request.map(Body::new)));
        };
        if settings.injects_to(request.uri()) {
            inject(settings, &mut call, request.headers_mut());
        }
        if let Some(flow) = &call.flow {
            waited::announce(flow, request.extensions_mut());
        }
        let request = request.map(|body| match call.flow.clone() {
            Some(flow) => RequestBody::boxed(body, flow),
            None => Body::new(body),
        });
        ResponseFuture::start(call, || self.inner.call(request))
    }
}

/// Starts a call by its request's head, to this host and port where the head does not say it; `None` where it is not observed.
#[inline(never)]
pub(crate) fn begin(
    settings: &'static Settings,
    head: CallHead<'_>,
    to: Option<(&str, Option<u16>)>,
) -> Option<Call> {
    let common = &settings.common;
    let mut operation = start(settings, head, to);
    let active = operation.active()?;
    let flow = (common.role != Role::Logical).then(|| Arc::new(Flow::new(&active)));
    Some(Call {
        operation,
        flow,
        tally: Tally::NONE,
        answered_early: false,
        said_ok: false,
        common: Some(common),
        unknown: None,
    })
}

/// Writes what the receiver continues.
#[inline]
pub(crate) fn inject(settings: &Settings, call: &mut Call, metadata: &mut HeaderMap) {
    if let Some(mut active) = call.operation.active() {
        injection::write(&mut active, settings.common.propagator, metadata);
    }
}

#[inline(always)]
fn start(
    settings: &'static Settings,
    head: CallHead<'_>,
    to: Option<(&str, Option<u16>)>,
) -> Operation {
    let common = &settings.common;
    let kind = common.kind;
    // A delivery of telemetry, by a transport with this client beneath it, would be telemetry to deliver, without end.
    if current::is_suppressed() || !common.observes(head) {
        return Operation::disabled();
    }
    // Of an attempt. Asked before it is the attempt that is current.
    let attempt = match common.role {
        Role::Client => attempt(head),
        _ => 0,
    };
    let labels = match host_and_port(head.uri).or(to) {
        Some((host, port)) => labels_to(kind, host, port),
        None => settings.labels,
    };
    let method = head.method;
    let mut operation = kind.start_with(labels, Some((METHOD, method)), Parent::Current);
    let Some(mut active) = operation.active() else {
        return operation;
    };
    if attempt > 0 {
        active.set(obs::RPC_ATTEMPT, attempt as i64);
    }
    if let Some(deadline) = common.deadline(metadata::caller_waits(head.metadata)) {
        active.set_deadline(deadline);
    }
    if !common.request_metadata.is_empty() {
        metadata::capture(&mut active, head.metadata, &common.request_metadata);
    }
    operation
}

/// The labels of calls to somebody; the system's is always there.
pub(super) fn labels_to(kind: &'static Kind, host: &str, port: Option<u16>) -> Labels {
    let labels = OF_GRPC.with(ADDRESS, kind.label(ADDRESS, host));
    match port {
        Some(port) => labels.with(PORT, LabelId::number(port)),
        None => labels,
    }
}

/// Which attempt this is: counted by the call that is current, or said by whoever retries by hand.
#[inline(always)]
fn attempt(head: CallHead<'_>) -> u64 {
    let counted = current::with(|call| attempts::count(call, head.method));
    match head.extensions.get::<Attempt>() {
        Some(said) => u64::from(said.0),
        None => counted.flatten().unwrap_or_default(),
    }
}
