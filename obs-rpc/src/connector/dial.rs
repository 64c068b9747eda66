//! What dials, timed: hyper-util's connector with the endpoint's settings, or one of the user's.

use super::io::Connection;
use super::line::{Dialling, Line};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiFuture, GaiResolver, Name};
use pin_project_lite::pin_project;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tonic::transport::Endpoint;
use tower_service::Service;

/// A TCP connector as tonic makes it, whose resolver is timed.
#[derive(Debug)]
pub(super) struct Tcp {
    line: Arc<Line>,
    endpoint: Endpoint,
    local_address: Option<IpAddr>,
}

impl Tcp {
    pub(super) fn new(line: Arc<Line>, endpoint: &Endpoint, local_address: Option<IpAddr>) -> Self {
        Self {
            line,
            endpoint: endpoint.clone(),
            local_address,
        }
    }

    /// Made anew for each dial, with a resolver that knows it. The settings are those of `Endpoint::connect`: without
    /// `nodelay` each small call waits for an acknowledgement that the peer holds back, 40 ms on Linux.
    fn connector(&self, dialling: &Dialling) -> HttpConnector<Resolver> {
        let mut http = HttpConnector::new_with_resolver(Resolver {
            inner: GaiResolver::new(),
            dialling: dialling.clone(),
        });
        http.enforce_http(false);
        http.set_nodelay(self.endpoint.get_tcp_nodelay());
        http.set_keepalive(self.endpoint.get_tcp_keepalive());
        http.set_keepalive_interval(self.endpoint.get_tcp_keepalive_interval());
        http.set_keepalive_retries(self.endpoint.get_tcp_keepalive_retries());
        http.set_connect_timeout(self.endpoint.get_connect_timeout());
        http.set_local_address(self.local_address);
        http
    }
}

type Connecting = <HttpConnector<Resolver> as Service<Uri>>::Future;

impl Service<Uri> for Tcp {
    type Response = Connection<<HttpConnector as Service<Uri>>::Response>;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = DialFuture<Connecting>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // So is the resolver.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialling = self.line.dial();
        let is_secure = is_secure(&uri);
        DialFuture {
            inner: self.connector(&dialling).call(uri),
            dialling: Some(dialling),
            is_secure,
            sees_parts: true,
        }
    }
}

/// A connector of somebody else's.
#[derive(Debug)]
pub(super) struct Other<C> {
    pub(super) line: Arc<Line>,
    pub(super) inner: C,
}

impl<C: Service<Uri>> Service<Uri> for Other<C> {
    type Response = Connection<C::Response>;
    type Error = C::Error;
    type Future = DialFuture<C::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialling = self.line.dial();
        let is_secure = is_secure(&uri);
        DialFuture {
            inner: self.inner.call(uri),
            dialling: Some(dialling),
            is_secure,
            sees_parts: false,
        }
    }
}

fn is_secure(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

pin_project! {
    /// A dial. Dropped before it is over, its time was, or nobody waited for it.
    #[derive(Debug)]
    pub(super) struct DialFuture<F> {
        #[pin]
        inner: F,
        dialling: Option<Dialling>,
        is_secure: bool,
        sees_parts: bool,
    }

    impl<F> PinnedDrop for DialFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(dialling) = this.project().dialling {
                dialling.dropped();
            }
        }
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for DialFuture<F> {
    type Output = Result<Connection<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        let dialling = this.dialling.take();
        if let Some(dialling) = &dialling {
            let seen = result.as_ref().map(drop).map_err(drop);
            match this.sees_parts {
                true => dialling.connected(seen, *this.is_secure),
                false => dialling.connected_somehow(seen, *this.is_secure),
            }
        }
        let dialling = dialling.filter(|_| *this.is_secure);
        Poll::Ready(result.map(|io| Connection::new(io, dialling)))
    }
}

/// The system's resolver of names, for one dial.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    inner: GaiResolver,
    dialling: Dialling,
}

impl Service<Name> for Resolver {
    type Response = <GaiResolver as Service<Name>>::Response;
    type Error = io::Error;
    type Future = Resolving;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Resolving {
        self.dialling.looks_up();
        Resolving {
            inner: self.inner.call(name),
            dialling: self.dialling.clone(),
        }
    }
}

/// A name that is looked up.
#[derive(Debug)]
pub(super) struct Resolving {
    inner: GaiFuture,
    dialling: Dialling,
}

impl Future for Resolving {
    type Output = <GaiFuture as Future>::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let found = ready!(Pin::new(&mut self.inner).poll(cx));
        self.dialling.looked_up(found.is_ok());
        Poll::Ready(found)
    }
}
