//! The service: from the request's head to a started operation.

use super::settings::Settings;
use super::{PeerAddress, ResponseBody, ResponseFuture};
use crate::call::StdError;
use crate::call::ending::Call;
use crate::call::flow::Flow;
use crate::call::request::RequestBody;
use crate::descriptor::{METHOD, OF_GRPC};
use crate::frames::Tally;
use crate::head::{CallHead, host_and_port};
use crate::metadata::{self, Carrier};
use bytes::Bytes;
use http::{Request, Response};
use obs_core::propagation::Remote;
use obs_core::propagation::baggage::{BAGGAGE, Baggage};
use obs_core::semconv::network;
use obs_core::{Active, Event, Operation, Parent, Trust};
use std::any::Any;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::body::Body;
use tower_service::Service;

/// An observed server.
#[derive(Clone, Debug)]
pub struct RpcServer<S> {
    pub(crate) inner: S,
    pub(crate) settings: &'static Settings,
}

impl<S> RpcServer<S> {
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

/// Generated servers need it to be routed; the name is that of the service inside.
impl<S: tonic::server::NamedService> tonic::server::NamedService for RpcServer<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B, R> Service<Request<B>> for RpcServer<S>
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
    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.settings.common.kind.is_disabled() {
            return ResponseFuture::unobserved(self.inner.call(request.map(Body::new)));
        }
        // Not in a function of its own: a request is 240 bytes, and would be moved once more.
        let Some(call) = begin(self.settings, CallHead::of(&request)) else {
            return ResponseFuture::unobserved(self.inner.call(request.map(Body::new)));
        };
        let request = request.map(|body| {
            // Of another body than tonic's, of axum's say, only so can be told why it failed.
            let body = into_tonic(body);
            match call.flow.clone() {
                Some(flow) => RequestBody::boxed(body, flow),
                None => body,
            }
        });
        ResponseFuture::start(call, || self.inner.call(request))
    }
}

/// As `Body::new`, which asks even its own whether there is anything to come, behind a lock of HTTP/2's.
#[inline(always)]
fn into_tonic<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    let mut body = Some(body);
    let any: &mut dyn Any = &mut body;
    if let Some(own) = any.downcast_mut::<Option<Body>>() {
        return own.take().unwrap_or_default();
    }
    body.map(Body::new).unwrap_or_default()
}

/// Starts a call by its request's head; `None` where it is not observed.
#[inline(never)]
pub(crate) fn begin(settings: &'static Settings, head: CallHead<'_>) -> Option<Call> {
    let (mut operation, unknown) = start(settings, head);
    let flow = Flow::new(&operation.active()?);
    Some(Call {
        operation,
        flow: Some(Arc::new(flow)),
        tally: Tally::NONE,
        answered_early: false,
        said_ok: false,
        common: Some(&settings.common),
        unknown,
    })
}

#[inline(always)]
fn start(settings: &'static Settings, head: CallHead<'_>) -> (Operation, Option<Box<str>>) {
    let common = &settings.common;
    if !common.observes(head) {
        return (Operation::disabled(), None);
    }
    let kind = common.kind;
    let mut found = metadata::scan(head.metadata);
    let (mut joined, strange);
    let parent = match settings.propagator {
        None => {
            joined = String::new();
            let trust = || settings.trust(head);
            metadata::parent(&found, head.metadata, kind, trust, &mut joined)
        }
        Some(other) => {
            strange = metadata::parent_by(other, head, kind);
            found.baggage = strange.baggage;
            match strange.parent {
                Some(parent) => Parent::Remote {
                    parent,
                    tracestate: &strange.tracestate,
                    trust: settings.trust(head),
                },
                None => Parent::Current,
            }
        }
    };
    let (mut operation, known) = kind.start_if_known(OF_GRPC, (METHOD, head.method), parent);
    if let Some(mut active) = operation.active() {
        active.stamp_all(&[Event::STREAM_START]);
        describe(&mut active, head, settings, found.timeout);
        if found.baggage {
            carry_baggage(&mut active, head, settings);
        }
    }
    let unknown = match known {
        true => None,
        false => operation.is_recording().then(|| head.method.into()),
    };
    (operation, unknown)
}

/// Attributes that are no labels.
#[inline(always)]
fn describe(
    active: &mut Active<'_>,
    head: CallHead<'_>,
    settings: &Settings,
    timeout: Option<Duration>,
) {
    let common = &settings.common;
    if let Some((host, port)) = host_and_port(head.uri) {
        active.set(network::SERVER_ADDRESS, host.as_bytes());
        if let Some(port) = port {
            active.set(network::SERVER_PORT, port);
        }
    }
    if settings.addresses
        && let Some(peer) = peer(head)
    {
        active.set(network::PEER_ADDRESS, peer.ip());
        active.set(network::PEER_PORT, peer.port());
    }
    if !common.request_metadata.is_empty() {
        metadata::capture(active, head.metadata, &common.request_metadata);
    }
    if let Some(deadline) = common.deadline(timeout) {
        active.set_deadline(deadline);
    }
}

#[inline(always)]
fn peer(head: CallHead<'_>) -> Option<std::net::SocketAddr> {
    #[cfg(feature = "server")]
    if let Some(info) = head
        .extensions
        .get::<tonic::transport::server::TcpConnectInfo>()
    {
        return info.remote_addr();
    }
    head.extensions.get::<PeerAddress>().map(|found| found.0)
}

/// Baggage of those who are trusted, as far as it is allowed: it names the session, goes on with outgoing calls, and
/// becomes attributes. Without an allow list, or from a stranger, it is as if it were not there.
#[cold]
fn carry_baggage(active: &mut Active<'_>, head: CallHead<'_>, settings: &Settings) {
    if settings.trust(head) != Trust::Trusted {
        // A layer outside may have put it into OpenTelemetry's context.
        return active.clear_baggage();
    }
    let Some(allow) = &settings.baggage else {
        return;
    };
    let kind = settings.common.kind;
    let (baggage, dropped) = match settings.propagator {
        None => {
            let values = head.metadata.get_all(BAGGAGE).iter();
            Baggage::from_headers(values.map(http::HeaderValue::as_bytes))
        }
        // Read a second time: only where there is an allow list, and then this is not the expensive part.
        Some(other) => {
            let extract = || other.extract(&Carrier(head.metadata));
            let remote = kind.contain(Remote::default(), extract);
            (remote.baggage, remote.dropped.baggage)
        }
    };
    kind.count_dropped_baggage(dropped as u64);
    active.carry_baggage(baggage, allow);
}
