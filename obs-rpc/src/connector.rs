//! Channels whose connections are timed: when one is dialled, how long the name, TCP and TLS took, and which calls had to wait
//! for it.
//!
//! ```no_run
//! # use obs_rpc::{RpcClientLayer, connector::Connections, obs_core::Telemetry};
//! # use tonic::transport::Endpoint;
//! # use tower::Layer;
//! # async fn connect(telemetry: &Telemetry) -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = Endpoint::from_static("http://till.internal:50051");
//! let channel = Connections::new(telemetry).connect(&endpoint).await?;
//! let service = RpcClientLayer::new(telemetry).layer(channel);
//! // TillClient::new(service)
//! # Ok(())
//! # }
//! ```
//!
//! # What is told
//!
//! tonic dials in a task of the channel's: once per connection, and again when it has broken and a call is made. Calls queue
//! meanwhile. So a dial belongs to the channel, and each call that waits for it has its part. When nobody waits any more tonic
//! lets the dial stand, and goes on with it at the next call: such a dial takes as long as that.
//!
//! - Of every dial, whatever is looked at: `obs.rpc.client.connect.duration`, in seconds, with `server.address`,
//!   `server.port` and, where it failed, `error.type`: `dns_error`, `tcp_error`, `tls_error`, `connect_error` (of a
//!   connector of one's own), `dropped` (its time was over, or nobody waited any more).
//! - Of each call at [`Detailed`](obs_core::StatsLevel::Detailed): `obs.rpc.connection.reused`. It is false where the call
//!   waited for a dial, and then it has the events `client_conn_start` and `client_conn_finish`, `dns_start` and
//!   `dns_finish`, `tcp_…` and `tls_…`, and the stages `connect`, `dns`, `tcp` and `tls`. A part that was over when the call
//!   began is not the call's; of one that was under way, the call has what was left. Where several dials failed while
//!   it waited it has the last one, whose error it got. It is absent where the call was over before the channel took it up.
//!
//! | moment | when |
//! |---|---|
//! | `client_conn_start` | the channel's task asks for a connection |
//! | `dns_…` | around the system's resolver; absent where the host is an address |
//! | `tcp_…` | from there until a connection is there, all addresses that were tried included |
//! | `tls_start` | the first byte of the handshake is written |
//! | `tls_finish` | the first record of application data is written (of 45 bytes or more: shorter ones are alerts): in TLS 1.3 the client's last message of the handshake, in TLS 1.2 what follows it at once |
//! | `client_conn_finish` | the last of these. HTTP/2 has no round trip of its own before the first call |
//!
//! TLS is tonic's own, as the endpoint is configured; tonic puts it around whatever connector it is given, so it is
//! read off the types of the records that pass. A connector of one's own that brings its own TLS is timed as a whole.
//!
//! # What stays as it is
//!
//! `TCP_NODELAY`, keep-alive, its interval and retries, the connect timeout, TLS and all settings of HTTP/2 are the endpoint's.
//! Three things cannot be read off one:
//!
//! - its local address: [`Connections::with_local_address`];
//! - that it is a Unix socket: it is connected as tonic does, and nothing is told of its dials (nor of a host whose whole name
//!   is `tonic`, which it cannot be told from). With [`Connections::connect_with_lazy`] the dial is timed;
//! - whether calls are balanced: `Channel::balance_list` and `balance_channel` dial with a connector of their own, and of
//!   their calls everything is told but this.
//!
//! tower's `Balance` over channels of ours knows which call went where. Unlike tonic's it gives calls to a server that is
//! being dialled, too: a channel takes calls at once and lets them wait.
//!
//! ```no_run
//! # use obs_rpc::{RpcClientLayer, connector::Connections, obs_core::Telemetry};
//! # use tonic::transport::Endpoint;
//! # use tower::{Layer, balance::p2c::Balance, buffer::Buffer, discover::ServiceList, load::Constant};
//! # async fn connect(telemetry: &Telemetry, endpoints: Vec<Endpoint>) {
//! let connections = Connections::new(telemetry);
//! let channels: Vec<_> = endpoints
//!     .iter()
//!     .map(|endpoint| Constant::new(connections.connect_lazy(endpoint), 0))
//!     .collect();
//! let balance = Balance::new(ServiceList::new(channels));
//! let service = RpcClientLayer::new(telemetry).layer(Buffer::new(balance, 1024));
//! # let _: obs_rpc::client::RpcClient<Buffer<http::Request<tonic::body::Body>, _>> = service;
//! # }
//! ```

mod channel;
mod dial;
mod io;
mod line;
mod meter;
mod records;
pub(crate) mod waited;

use dial::{Other, Tcp};
use http::Uri;
use hyper::rt::{Read, Write};
use line::Line;
use meter::{DIALS, Meter};
use obs_core::Telemetry;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint, Error};
use tower_service::Service;

pub use channel::TimedChannel;

/// Makes channels as [`Endpoint`] does, and times their connections.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    telemetry: Telemetry,
    local_address: Option<IpAddr>,
}

impl Connections {
    /// Connections that are reported to `telemetry`: that of the layer around the channel. With a layer of another one
    /// calls know nothing of them.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: *telemetry,
            local_address: None,
        }
    }

    /// Which address to dial from, as [`Endpoint::local_address`] says: that one cannot be read.
    #[must_use]
    pub const fn with_local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// As [`Endpoint::connect`]: dials, and has a channel when there is a connection.
    ///
    /// # Errors
    /// If there is none to be had.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<TimedChannel, Error> {
        if is_unix(endpoint) {
            return Ok(TimedChannel::new(endpoint.connect().await?, None));
        }
        let line = self.line(endpoint);
        let tcp = self.tcp(&line, endpoint);
        let channel = with_its_own_timeout(endpoint)
            .connect_with_connector(tcp)
            .await?;
        Ok(TimedChannel::new(channel, Some(line)))
    }

    /// As [`Endpoint::connect_lazy`]: dials when there is a call. Within a tokio runtime.
    pub fn connect_lazy(&self, endpoint: &Endpoint) -> TimedChannel {
        if is_unix(endpoint) {
            return TimedChannel::new(endpoint.connect_lazy(), None);
        }
        let line = self.line(endpoint);
        let tcp = self.tcp(&line, endpoint);
        let channel = with_its_own_timeout(endpoint).connect_with_connector_lazy(tcp);
        TimedChannel::new(channel, Some(line))
    }

    /// As [`Endpoint::connect_with_connector_lazy`], for transports of one's own: sockets of other kinds, proxies, memory. What
    /// it does is timed as one.
    ///
    /// A connector over TCP sets `TCP_NODELAY` itself: hyper-util's `HttpConnector` does not unless it is told, and then each
    /// small call takes 40 ms longer.
    pub fn connect_with_lazy<C>(&self, endpoint: &Endpoint, connector: C) -> TimedChannel
    where
        C: Service<Uri> + Send + 'static,
        C::Response: Read + Write + Send + Unpin,
        C::Future: Send,
        Box<dyn std::error::Error + Send + Sync>: From<C::Error> + Send,
    {
        let line = self.line(endpoint);
        let connector = Other {
            line: line.clone(),
            inner: connector,
        };
        let channel: Channel = endpoint.connect_with_connector_lazy(connector);
        TimedChannel::new(channel, Some(line))
    }

    fn line(&self, endpoint: &Endpoint) -> Arc<Line> {
        waited::look_for();
        let meter = Meter::of(&self.telemetry, endpoint.uri());
        Line::new(self.telemetry.kind(&DIALS), meter)
    }

    fn tcp(&self, line: &Arc<Line>, endpoint: &Endpoint) -> Tcp {
        Tcp::new(line.clone(), endpoint, self.local_address)
    }
}

/// What tonic has in the place of a URL where it is to dial a Unix socket.
fn is_unix(endpoint: &Endpoint) -> bool {
    let uri = endpoint.uri();
    uri.scheme_str() == Some("http")
        && uri.authority().is_some_and(|host| host == "tonic")
        && uri.path() == "/"
}

/// `Endpoint::connect` has its timeout for the TCP connection alone, and so has our connector. Around a connector from
/// outside tonic puts it once more, with names and keys within it: that one would be a new limit.
fn with_its_own_timeout(endpoint: &Endpoint) -> Endpoint {
    match endpoint.get_connect_timeout() {
        Some(_) => endpoint.clone().connect_timeout(Duration::MAX),
        None => endpoint.clone(),
    }
}
