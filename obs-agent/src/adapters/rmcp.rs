//! rmcp 3.11: a service around a server's handler or a client's, and a client that tells what it sends.
//!
//! ```
//! use obs_agent::Handlers;
//! use obs_agent::adapters::rmcp::McpObserver;
//! use rmcp::model::CallToolRequestParams;
//! use rmcp::{ServerHandler, ServiceExt};
//!
//! # struct Weather;
//! # impl ServerHandler for Weather {}
//! # async fn doc(handlers: &Handlers, pipe: tokio::io::DuplexStream, other: tokio::io::DuplexStream) {
//! let mcp = McpObserver::new(handlers).with_transport("pipe");
//!
//! // A server: in place of `Weather.serve(pipe)`.
//! let server = mcp.service(Weather).serve(pipe).await;
//!
//! // A client: in place of `().serve(other)`.
//! let client = mcp.connect((), other).await.expect("a server");
//! let result = client.call_tool(CallToolRequestParams::new("weather")).await;
//! # let _ = (server, result);
//! # }
//! ```
//!
//! Each request and each notification is a run of [MCP](crate::Component::Mcp), on the side that sends it and on the side that
//! receives it, with the context of the one in `params._meta` of the other, as `traceparent`, `tracestate` and `baggage`. What a
//! handler does is polled within the run; so runs that it begins are within it, and what it sends.
//!
//! # What becomes of what
//!
//! | rmcp | run | parent | ends |
//! |---|---|---|---|
//! | a request that is received | server's | what its `_meta` names, else the request of HTTP that [brought it](carry_http), else none | when its handler returns |
//! | a notification that is received | server's | the same | when its handler returns |
//! | a request that is sent, by [`ObservedPeer`] | client's | the run that is current | with its answer; rounds for more input (SEP-2322) that rmcp makes by itself are of the same run |
//! | the handshake of [`McpObserver::connect`] | client's `initialize` | the run that is current | when the session is there |
//! | a session | a run without a method, which has no span | none | with the service: when it and its loop are gone |
//!
//! - **Trust**: a context in `_meta` is [obeyed](Trust::Trusted), the request of HTTP being linked; or, where its senders are
//!   [strangers](McpObserver::with_trust), it is linked, and the request of HTTP is the parent. Baggage is taken over from those who
//!   are trusted, as far as [its names are allowed](McpObserver::with_baggage). What cannot be read is counted among anomalies.
//! - **What is sent** has the context of its run in the formats of the W3C, as SEP-414 says, whatever else the program propagates:
//!   with all the baggage that its operation carries, unless [nothing is to be said](McpObserver::without_context).
//! - **Errors**: an answer that says `isError` is a `tool_error`; an error of JSON-RPC has its code, `-32602`. Of what is sent also
//!   `connection_error` where the transport is closed or does not send, `timeout`, `cancelled`, and `invalid_output` of an answer
//!   that is of another kind. A handler's panic is the server's `panic`.
//! - **Cancelled** is a request that is received when the other side says so (`notifications/cancelled`), or when the server stops.
//!   rmcp goes on with the handler, so the run ends with that; and drops what it answers, but for a moment where the server stops.
//! - **Observed twice** in the name of the same [`Handlers`] or clones of them, as by a service around a service, a message is told
//!   once.
//! - **Content** (arguments and results of tools) is made where somebody asks for it.
//!
//! # What it sees
//!
//! | | here |
//! |---|---|
//! | start, end, parent, error of all that handlers are asked | yes |
//! | what rmcp refuses in the name of a handler, and the code that it gives an older error for a newer client | by a [service](McpObserver::service); by a [handler](McpObserver::handler) – ([11]), and rmcp's HTTP takes nothing else ([12]) |
//! | requests that are answered without asking a handler: a `ping` before the handshake, an unknown version before it | – ([1]) |
//! | what cannot be parsed | – ([2]) |
//! | what a `TowerHandler` of rmcp's is asked | yes, around it; its tower service is polled within the run, and is not given the message's `_meta` ([3]) |
//! | what is sent by [`ObservedPeer`] and [`ObservedClient`] | yes |
//! | what is sent by [`rmcp::Peer`] itself, as in a handler by its context's | – ([4]); [`McpObserver::peer`] wraps it |
//! | the id of a request that is sent | of [`ObservedPeer::request`]; of those by name rmcp keeps it to itself ([5]) |
//! | whether a list came from rmcp's cache | – ([6]): it is a request, and a short one |
//! | the handshake's `_meta` | of `initialize`; of `server/discover` – ([7]) |
//! | a panic in a handler, at the other side | – ([8]): rmcp sends no answer, and the request goes on until its deadline |
//! | `_meta` of notifications in [their context](rmcp::service::NotificationContext) | its context is read from where rmcp leaves it ([10]) |
//! | a peer that has hung up while its request runs | – ([9]): the handler runs on, and its run ends with it |
//! | notifications over HTTP without sessions | – ([13]): nobody is told of them |
//! | sessions by protocol `2026-07-28`, or over HTTP without sessions | – ([16]): there are none, and an id that is named there is nobody's |
//! | a session's id, at the client | – ([14]): its transport keeps it to itself |
//! | notifications that a client has subscribed to (`subscriptions/listen`), at the client | – ([15]): its handler is not asked |
//!
//! [1]: https://docs.rs/rmcp/3.11.0/src/rmcp/service/server.rs.html#574
//! [2]: https://docs.rs/rmcp/3.11.0/src/rmcp/transport/async_rw.rs.html#466
//! [3]: https://docs.rs/rmcp/3.11.0/src/rmcp/service/tower.rs.html#33
//! [4]: https://docs.rs/rmcp/3.11.0/src/rmcp/service.rs.html#920
//! [5]: https://docs.rs/rmcp/3.11.0/src/rmcp/service/client.rs.html#1492
//! [6]: https://docs.rs/rmcp/3.11.0/src/rmcp/service/client.rs.html#1937
//! [7]: https://docs.rs/rmcp/3.11.0/src/rmcp/service/client.rs.html#1075
//! [8]: https://docs.rs/rmcp/3.11.0/src/rmcp/service.rs.html#1669
//! [9]: https://docs.rs/rmcp/3.11.0/src/rmcp/service.rs.html#1834
//! [10]: https://docs.rs/rmcp/3.11.0/src/rmcp/service.rs.html#1775
//! [11]: https://docs.rs/rmcp/3.11.0/src/rmcp/handler/server.rs.html#81
//! [12]: https://docs.rs/rmcp/3.11.0/src/rmcp/transport/streamable_http_server/tower.rs.html#1551
//! [13]: https://docs.rs/rmcp/3.11.0/src/rmcp/transport/streamable_http_server/tower.rs.html#2491
//! [14]: https://docs.rs/rmcp/3.11.0/src/rmcp/transport/streamable_http_client.rs.html#1155
//! [15]: https://docs.rs/rmcp/3.11.0/src/rmcp/service.rs.html#1735
//! [16]: https://docs.rs/rmcp/3.11.0/src/rmcp/transport/streamable_http_server/tower.rs.html#227

mod client;
mod context;
mod handler;
mod http;
mod message;
mod peer;
mod received;
mod service;
mod session;
mod side;

pub use client::ObservedClient;
pub use handler::ObservedHandler;
pub use http::carry_http;
pub use peer::ObservedPeer;
pub use service::ObservedService;
pub use side::Side;

use crate::handlers::{Handlers, Run};
use crate::input::{Input, McpInput};
use crate::run::{RunInfo, RunParent};
use crate::{Component, Text};
use message::Message;
use obs_core::Trust;
use obs_core::propagation::baggage::Allow;
use rmcp::ServerHandler;
use rmcp::service::{ClientInitializeError, RoleClient, Service};
use rmcp::transport::IntoTransport;
use std::sync::Arc;

/// What implements these runs, as spans say it.
const KIND: &str = "rmcp";

/// Tells [`Handlers`] of a server's or a client's messages: see the [module](self). Cheap to clone.
#[derive(Clone, Debug)]
pub struct McpObserver {
    handlers: Handlers,
    settings: Arc<Settings>,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    trust: Trust,
    baggage: Allow,
    transport: Option<&'static str>,
    /// Whether what is sent says nothing of where it stands.
    is_silent: bool,
}

impl McpObserver {
    /// These handlers are told. Contexts are obeyed and no baggage is taken over, until it is said otherwise.
    pub fn new(handlers: &Handlers) -> Self {
        Self {
            handlers: handlers.clone(),
            settings: Arc::default(),
        }
    }

    /// How far the context is believed that messages bring along in their `_meta`.
    #[must_use]
    pub fn with_trust(self, trust: Trust) -> Self {
        self.set(|settings| settings.trust = trust)
    }

    /// Which entries of a trusted sender's baggage are taken over: none, until it is said.
    #[must_use]
    pub fn with_baggage(self, allow: Allow) -> Self {
        self.set(|settings| settings.baggage = allow)
    }

    /// What is sent says nothing of where it stands, neither trace nor baggage: for servers of strangers, who have no business with
    /// either.
    #[must_use]
    pub fn without_context(self) -> Self {
        self.set(|settings| settings.is_silent = true)
    }

    /// What carries the messages, as `network.transport` has it: `pipe` for standard input and output, `tcp`, `unix`. What comes by
    /// HTTP is `tcp` by itself; of anything else nothing is said until it is said here.
    #[must_use]
    pub fn with_transport(self, transport: &'static str) -> Self {
        self.set(|settings| settings.transport = Some(transport))
    }

    /// A service around a handler or any other service of rmcp's, of a server or a client: it answers as that does.
    pub fn service<S>(&self, service: S) -> ObservedService<S> {
        ObservedService::new(self.clone(), service)
    }

    /// The same around a server's handler, for what wants a handler and no service: rmcp's `StreamableHttpService`, whose factory makes
    /// one for each session. Elsewhere [`service`](Self::service) sees more: what rmcp refuses before it asks a handler, and how it
    /// changes an error for its client.
    pub fn handler<H: ServerHandler>(&self, handler: H) -> ObservedHandler<H> {
        ObservedHandler::new(self.clone(), handler)
    }

    /// A client of what is at the other side of the transport, after a handshake by `initialize`. The handler, which may be `()`,
    /// [is observed](Self::service) too.
    ///
    /// # Errors
    /// As rmcp's own, unchanged.
    pub async fn connect<S, T, E, A>(
        &self,
        handler: S,
        transport: T,
    ) -> Result<ObservedClient<S>, ClientInitializeError>
    where
        S: Service<RoleClient>,
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        ObservedClient::connect(self, handler, transport).await
    }

    /// What sends by this peer and tells of it: a handler's, from its context, or a client's that runs already.
    pub fn peer<R: Side>(&self, peer: rmcp::Peer<R>) -> ObservedPeer<R> {
        ObservedPeer::new(self.clone(), peer)
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self {
            settings: Arc::new(settings),
            ..self
        }
    }

    /// A message's run begins.
    fn begin(&self, message: &Message<'_>, known: McpInput<'_>, parent: RunParent<'_>) -> Run {
        let arguments = |out: &mut String| message.write_arguments(out);
        let mut input = known;
        input.method = message.method;
        input.target = message.target;
        input.resource_uri = message.uri;
        input.transport = known.transport.or(self.settings.transport);
        input.arguments = message.arguments.map(|_| Text::JsonBy(&arguments));
        let info = RunInfo::new(Component::Mcp, "").with_kind(KIND);
        self.handlers.start(info, parent, &Input::Mcp(input))
    }
}
