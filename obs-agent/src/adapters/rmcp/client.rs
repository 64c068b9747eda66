//! A client from its handshake on.

use super::message::Message;
use super::peer::{ObservedPeer, other, prompt, resource, result, tool};
use super::service::ObservedService;
use super::session::{end, fail};
use super::side::sealed::{Answer, Side as _};
use super::{McpObserver, RunParent, context};
use crate::RunError;
use crate::handlers::Run;
use crate::input::McpInput;
use rmcp::ServiceExt;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, GetPromptRequestParams, GetPromptResult,
    ReadResourceRequestParams, ReadResourceResult, RequestMetaObject,
};
use rmcp::service::{ClientInitializeError, RoleClient, RunningService, Service, ServiceError};
use rmcp::transport::IntoTransport;
use std::fmt;
use std::ops::Deref;

/// A client that runs, and tells what it sends: see [`McpObserver::connect`]. All of an [`ObservedPeer`]'s methods are its own, and
/// three of them answer what the server asks for meanwhile, as rmcp's running services do.
pub struct ObservedClient<S: Service<RoleClient>> {
    peer: ObservedPeer<RoleClient>,
    running: RunningService<RoleClient, ObservedService<S>>,
}

impl<S: Service<RoleClient>> ObservedClient<S> {
    pub(super) async fn connect<T, E, A>(
        observer: &McpObserver,
        handler: S,
        transport: T,
    ) -> Result<Self, ClientInitializeError>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let message = Message::of("initialize");
        let run = observer.begin(&message, McpInput::default(), RunParent::Current);
        let mut meta = RequestMetaObject::default();
        context::write(&run, &mut meta, &observer.settings);
        let service = observer.service(handler).with_meta(meta);
        let running = match run.wrap(service.serve(transport)).await {
            Ok(running) => running,
            Err(error) => {
                fail_handshake(run, &error);
                return Err(error);
            }
        };
        end(run, Answer::Other);
        let version = RoleClient::agreed(running.peer());
        let session = running.service().session();
        session.begin(observer, false, None, version.as_ref());
        Ok(Self {
            peer: observer.peer(running.peer().clone()),
            running,
        })
    }

    /// What sends, for other tasks.
    pub fn peer(&self) -> &ObservedPeer<RoleClient> {
        &self.peer
    }

    /// What runs. What it is told to send by itself is not observed.
    pub fn get_ref(&self) -> &RunningService<RoleClient, ObservedService<S>> {
        &self.running
    }

    /// It, to wait for or to cancel.
    pub fn into_inner(self) -> RunningService<RoleClient, ObservedService<S>> {
        self.running
    }

    /// `tools/call`, with the rounds for more input that the server asks for.
    ///
    /// # Errors
    /// As [`RunningService::call_tool`] has them.
    pub async fn call_tool(
        &self,
        params: CallToolRequestParams,
    ) -> Result<CallToolResult, ServiceError> {
        let send = |params| self.running.call_tool(params);
        self.peer.send(tool, params, send, result).await
    }

    /// `prompts/get`, with the rounds for more input that the server asks for.
    ///
    /// # Errors
    /// As [`RunningService::get_prompt`] has them.
    pub async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
    ) -> Result<GetPromptResult, ServiceError> {
        let send = |params| self.running.get_prompt(params);
        self.peer.send(prompt, params, send, other).await
    }

    /// `resources/read`, with the rounds for more input that the server asks for.
    ///
    /// # Errors
    /// As [`RunningService::read_resource`] has them.
    pub async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
    ) -> Result<ReadResourceResult, ServiceError> {
        let send = |params| self.running.read_resource(params);
        self.peer.send(resource, params, send, other).await
    }
}

fn fail_handshake(run: Run, error: &ClientInitializeError) {
    match error {
        ClientInitializeError::JsonRpcError(error) => fail(run, error),
        ClientInitializeError::Cancelled => run.fail(&RunError::cancelled()),
        ClientInitializeError::ConnectionClosed(_)
        | ClientInitializeError::TransportError { .. } => {
            run.fail(&RunError::failed("connection_error").with_message(error));
        }
        _ => run.fail(&RunError::failed("invalid_output").with_message(error)),
    }
}

impl<S: Service<RoleClient>> Deref for ObservedClient<S> {
    type Target = ObservedPeer<RoleClient>;

    fn deref(&self) -> &ObservedPeer<RoleClient> {
        &self.peer
    }
}

impl<S: Service<RoleClient>> fmt::Debug for ObservedClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedClient")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
