//! Around what sends.

use super::message::{self, Message};
use super::session::{end, fail_sent};
use super::side::Side;
use super::side::sealed::Answer;
use super::{McpObserver, RunParent, context};
use crate::handlers::Run;
use crate::input::McpInput;
use crate::run::RunRef;
use obs_core::otel::KeyValue;
use obs_core::semconv::mcp;
use rmcp::Peer;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, CompleteRequestParams, CompleteResult, GetMeta,
    GetPromptRequestParams, GetPromptResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResult, RequestParamsMeta,
};
use rmcp::service::{PeerRequestOptions, RoleClient, ServiceError};
use std::fmt;

/// A peer whose messages are told as they are sent, each within the run that is current: see [`McpObserver::peer`]. Cheap to clone.
///
/// Methods of rmcp's names do as those do, whose errors they have. A future that is dropped has ended as cancelled.
pub struct ObservedPeer<R: Side> {
    observer: McpObserver,
    inner: Peer<R>,
}

impl<R: Side> ObservedPeer<R> {
    pub(super) fn new(observer: McpObserver, inner: Peer<R>) -> Self {
        Self { observer, inner }
    }

    /// What sends. What it is told to send by itself is not observed.
    pub fn get_ref(&self) -> &Peer<R> {
        &self.inner
    }

    /// A request begins.
    fn begin(&self, message: &Message<'_>) -> Run {
        let version = R::agreed(&self.inner);
        let input = McpInput {
            protocol_version: version.as_ref().map(ProtocolVersion::as_str),
            ..McpInput::default()
        };
        self.observer.begin(message, input, RunParent::Current)
    }

    /// Sends a request with these options and awaits its answer. When the time runs out, rmcp cancels it at the other side.
    ///
    /// # Errors
    /// As [`rmcp::Peer::send_request`] has them.
    pub async fn request(
        &self,
        mut request: R::Req,
        mut options: PeerRequestOptions,
    ) -> Result<R::PeerResp, ServiceError> {
        let run = self.begin(&R::sent(&request));
        let settings = &self.observer.settings;
        // What options say of `_meta` comes last.
        match &mut options.meta {
            Some(meta) => context::write(&run, meta, settings),
            None => context::write(&run, request.get_meta_mut(), settings),
        }
        let sent = async {
            let sent = self
                .inner
                .send_request_with_option(request, options)
                .await?;
            if let Some(operation) = run.reference().and_then(RunRef::operation) {
                let id = mcp::JSONRPC_REQUEST_ID.as_str();
                operation.set_attribute(KeyValue::new(id, sent.id.to_string()));
            }
            sent.await_response().await
        };
        let result = run.wrap(sent).await;
        match &result {
            Ok(answer) => end(run, R::answered(answer)),
            Err(error) => fail_sent(run, error),
        }
        result
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// As [`rmcp::Peer::send_notification`] has them.
    pub async fn notify(&self, mut notification: R::Not) -> Result<(), ServiceError> {
        let run = self.begin(&R::sent_notification(&notification));
        let meta = R::notification_meta(&mut notification);
        context::write(&run, meta, &self.observer.settings);
        let result = run.wrap(self.inner.send_notification(notification)).await;
        match &result {
            Ok(()) => end(run, Answer::Other),
            Err(error) => fail_sent(run, error),
        }
        result
    }

    /// Sends what rmcp has a method for.
    pub(super) async fn send<P, T, F>(
        &self,
        message: fn(&P) -> Message<'_>,
        mut params: P,
        send: impl FnOnce(P) -> F,
        answer: fn(&T) -> Answer<'_>,
    ) -> Result<T, ServiceError>
    where
        P: RequestParamsMeta,
        F: Future<Output = Result<T, ServiceError>>,
    {
        let run = self.begin(&message(&params));
        let meta = params.meta_or_default();
        context::write(&run, meta, &self.observer.settings);
        let result = run.wrap(send(params)).await;
        match &result {
            Ok(result) => end(run, answer(result)),
            Err(error) => fail_sent(run, error),
        }
        result
    }
}

/// What there is to say of an answer that is no tool's.
pub(super) fn other<T>(_: &T) -> Answer<'_> {
    Answer::Other
}

pub(super) fn result(result: &CallToolResult) -> Answer<'_> {
    Answer::Tool(result)
}

pub(super) fn tool(params: &CallToolRequestParams) -> Message<'_> {
    Message::of("tools/call")
        .with_target(&params.name)
        .with_arguments(params.arguments.as_ref())
}

pub(super) fn prompt(params: &GetPromptRequestParams) -> Message<'_> {
    Message::of("prompts/get")
        .with_target(&params.name)
        .with_arguments(params.arguments.as_ref())
}

pub(super) fn resource(params: &ReadResourceRequestParams) -> Message<'_> {
    Message::of("resources/read").with_uri(&params.uri)
}

macro_rules! lists {
    ($($method:literal $name:ident -> $result:ty;)*) => {$(
        #[doc = concat!("`", $method, "`: a page of it, or the first.")]
        ///
        /// # Errors
        #[doc = concat!("As [`rmcp::Peer::", stringify!($name), "`] has them.")]
        pub async fn $name(
            &self,
            params: Option<PaginatedRequestParams>,
        ) -> Result<$result, ServiceError> {
            let params = params.unwrap_or_default();
            let send = |params| self.inner.$name(Some(params));
            self.send(|_| Message::of($method), params, send, other).await
        }
    )*};
}

impl ObservedPeer<RoleClient> {
    /// `tools/call`: one request.
    ///
    /// # Errors
    /// As [`rmcp::Peer::call_tool`] has them.
    pub async fn call_tool(
        &self,
        params: CallToolRequestParams,
    ) -> Result<CallToolResult, ServiceError> {
        let send = |params| self.inner.call_tool(params);
        self.send(tool, params, send, result).await
    }

    /// `prompts/get`.
    ///
    /// # Errors
    /// As [`rmcp::Peer::get_prompt`] has them.
    pub async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
    ) -> Result<GetPromptResult, ServiceError> {
        let send = |params| self.inner.get_prompt(params);
        self.send(prompt, params, send, other).await
    }

    /// `resources/read`.
    ///
    /// # Errors
    /// As [`rmcp::Peer::read_resource`] has them.
    pub async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
    ) -> Result<ReadResourceResult, ServiceError> {
        let send = |params| self.inner.read_resource(params);
        self.send(resource, params, send, other).await
    }

    /// `completion/complete`.
    ///
    /// # Errors
    /// As [`rmcp::Peer::complete`] has them.
    pub async fn complete(
        &self,
        params: CompleteRequestParams,
    ) -> Result<CompleteResult, ServiceError> {
        let send = |params| self.inner.complete(params);
        self.send(message::completion, params, send, other).await
    }

    lists! {
        "tools/list" list_tools -> ListToolsResult;
        "prompts/list" list_prompts -> ListPromptsResult;
        "resources/list" list_resources -> ListResourcesResult;
        "resources/templates/list" list_resource_templates -> ListResourceTemplatesResult;
    }
}

impl<R: Side> Clone for ObservedPeer<R> {
    fn clone(&self) -> Self {
        Self {
            observer: self.observer.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<R: Side> fmt::Debug for ObservedPeer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedPeer")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
