//! What happens before a request can be sent: the name is looked up, a connection is dialled, keys are agreed on.

use crate::descriptor::client::{DIALLED, HTTP_CLIENT};
use crate::peer;
use http::{Extensions, Uri};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::obs::CONNECTION_REUSED;
use obs_core::{Active, Event, current};
use pin_project_lite::pin_project;
use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Times a connector (hyper-util's `HttpConnector`, hyper-rustls' `HttpsConnector`, reqwest's through its
/// `connector_layer`) on the client's operation that dials. The connection passes untouched.
///
/// [`ConnectorLayer::default`] goes around the whole connector, [`ConnectorLayer::tcp`] around what an HTTPS connector
/// dials with, [`ConnectorLayer::dns`] around a resolver. Each works without the others.
///
/// ```
/// use hyper_util::client::legacy::connect::{HttpConnector, dns::GaiResolver};
/// use obs_http::client::ConnectorLayer;
/// use tower::Layer;
///
/// let resolver = ConnectorLayer::dns().layer(GaiResolver::new());
/// let mut tcp = HttpConnector::new_with_resolver(resolver);
/// tcp.set_nodelay(true);
/// let connector = ConnectorLayer::default().layer(ConnectorLayer::tcp().layer(tcp));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectorLayer(Part);

#[derive(Clone, Copy, Debug, Default)]
enum Part {
    #[default]
    Whole,
    Tcp,
    Dns,
}

impl ConnectorLayer {
    /// Around what dials a TCP connection, within what agrees on keys.
    #[must_use]
    pub const fn tcp() -> Self {
        Self(Part::Tcp)
    }

    /// Around a resolver of names.
    #[must_use]
    pub const fn dns() -> Self {
        Self(Part::Dns)
    }
}

impl<S> Layer<S> for ConnectorLayer {
    type Service = Connector<S>;

    fn layer(&self, inner: S) -> Connector<S> {
        Connector {
            inner,
            part: self.0,
        }
    }
}

/// A timed connector or resolver.
#[derive(Clone, Copy, Debug)]
pub struct Connector<S> {
    inner: S,
    part: Part,
}

impl<S> Connector<S> {
    /// The connector inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The connector inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The connector inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Service<T>, T: 'static> Service<T> for Connector<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = ConnectFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: T) -> Self::Future {
        // reqwest does not say where to: then keys and names cannot be told from the rest.
        let uri = (&target as &dyn Any).downcast_ref::<Uri>();
        let secure = uri.is_some_and(|uri| uri.scheme_str() == Some("https"));
        if let Some(event) = match self.part {
            Part::Whole => Some(Event::CLIENT_CONN_START),
            Part::Dns => Some(Event::DNS_START),
            // Without a name there is nothing to look up first.
            Part::Tcp => uri.is_some_and(is_literal).then_some(Event::TCP_START),
        } {
            on_client(|active| active.stamp(event));
        }
        ConnectFuture {
            inner: self.inner.call(target),
            part: self.part,
            secure,
        }
    }
}

pin_project! {
    /// The future of a [`Connector`].
    #[derive(Debug)]
    pub struct ConnectFuture<F> {
        #[pin]
        inner: F,
        part: Part,
        secure: bool,
    }
}

impl<F, T, E> Future for ConnectFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.inner.poll(cx);
        if let Poll::Ready(result) = &polled {
            let (part, done, secure) = (*this.part, result.is_ok(), *this.secure);
            on_client(|active| part.finish(active, done, secure));
        }
        polled
    }
}

impl Part {
    #[cold]
    fn finish(self, active: &mut Active<'_>, done: bool, secure: bool) {
        match self {
            Self::Whole => {
                active.stamp_all(if done && secure {
                    &[Event::TLS_FINISH, Event::CLIENT_CONN_FINISH]
                } else {
                    &[Event::CLIENT_CONN_FINISH]
                });
                if std::ptr::eq(active.kind().descriptor(), &HTTP_CLIENT) {
                    active.set_measure(DIALLED, 1);
                    active.set(CONNECTION_REUSED, false);
                }
            }
            Self::Tcp => active.stamp_all(if done && secure {
                &[Event::TCP_FINISH, Event::TLS_START]
            } else {
                &[Event::TCP_FINISH]
            }),
            Self::Dns => active.stamp_all(if done {
                &[Event::DNS_FINISH, Event::TCP_START]
            } else {
                &[Event::DNS_FINISH]
            }),
        }
    }
}

/// The operation that dials, if it is the one that is polled. A connection that the pool goes on to make after its
/// request has found another is nobody's.
fn on_client(work: impl FnOnce(&mut Active<'_>)) {
    current::with(|active| {
        if active.kind().descriptor().span_kind == SpanKind::Client {
            work(active);
        }
    });
}

fn is_literal(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// The peer, where the response's extensions say.
#[inline]
pub(crate) fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    #[cfg(feature = "hyper-util")]
    if let Some(info) = extensions.get::<hyper_util::client::legacy::connect::HttpInfo>() {
        return Some(info.remote_addr());
    }
    peer::find(extensions)
}
