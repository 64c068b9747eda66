//! Around a server's handler, where rmcp wants one and no service: behind its HTTP.

#![allow(
    deprecated,
    reason = "servers of older versions of the protocol have them"
)]

use super::McpObserver;
use super::message::{self, Message};
use super::peer;
use super::received::Received;
use super::side::sealed::Answer;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CancelledNotificationParam,
    CompleteRequestParams, CompleteResult, CustomNotification, CustomRequest, CustomResult,
    DiscoverResult, ErrorData, GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams,
    GetSkillResult, GetTaskParams, GetTaskResult, InitializeRequestParams, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
    ReadResourceDirectoryRequestParams, ReadResourceDirectoryResult, ReadResourceRequestParams,
    ReadResourceResponse, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool,
    UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use std::borrow::Cow;
use std::fmt;

/// A server's handler whose messages are told: see [`McpObserver::handler`].
pub struct ObservedHandler<H> {
    received: Received,
    inner: H,
}

impl<H> ObservedHandler<H> {
    pub(super) fn new(observer: McpObserver, inner: H) -> Self {
        Self {
            received: Received::new(observer),
            inner,
        }
    }

    /// What is observed.
    pub fn get_ref(&self) -> &H {
        &self.inner
    }
}

fn other<T>(_: &T) -> Answer<'_> {
    Answer::Other
}

fn tool(response: &CallToolResponse) -> Answer<'_> {
    match response {
        CallToolResponse::Complete(result) => Answer::Tool(result),
        _ => Answer::Other,
    }
}

fn session(_: &InitializeResult) -> Answer<'_> {
    Answer::Session
}

macro_rules! requests {
    ($($message:expr, $answer:expr => $method:ident($($request:ident: $params:ty)?) -> $result:ty;)*) => {$(
        async fn $method(
            &self,
            $($request: $params,)?
            mut context: RequestContext<RoleServer>,
        ) -> Result<$result, ErrorData> {
            let given_up = context.ct.clone();
            let run = self.received.request(&$message, &mut context);
            let work = self.inner.$method($($request,)? context);
            let Some(run) = run else {
                return work.await;
            };
            let result = run.wrap(work).await;
            let has_given_up = given_up.is_cancelled();
            { &self.received }.answered(run, &result, has_given_up, $answer);
            result
        }
    )*};
}

macro_rules! notifications {
    ($($message:expr => $method:ident($($notification:ident: $params:ty)?);)*) => {$(
        async fn $method(
            &self,
            $($notification: $params,)?
            mut context: NotificationContext<RoleServer>,
        ) {
            let run = self.received.notification(&$message, &mut context);
            let work = self.inner.$method($($notification,)? context);
            let Some(run) = run else {
                return work.await;
            };
            run.wrap(work).await;
            { &self.received }.answered(run, &Ok(()), false, other);
        }
    )*};
}

#[allow(
    deprecated,
    reason = "servers of older versions of the protocol have them"
)]
impl<H: ServerHandler> ServerHandler for ObservedHandler<H> {
    requests! {
        Message::of("ping"), other => ping() -> ();
        Message::of("initialize"), session => initialize(request: InitializeRequestParams) -> InitializeResult;
        Message::of("server/discover"), other => discover() -> DiscoverResult;
        message::completion(&request), other => complete(request: CompleteRequestParams) -> CompleteResult;
        Message::of("logging/setLevel"), other => set_level(request: SetLevelRequestParams) -> ();
        peer::prompt(&request), other => get_prompt(request: GetPromptRequestParams) -> GetPromptResponse;
        Message::of("prompts/list"), other => list_prompts(request: Option<PaginatedRequestParams>) -> ListPromptsResult;
        Message::of("resources/list"), other => list_resources(request: Option<PaginatedRequestParams>) -> ListResourcesResult;
        Message::of("resources/templates/list"), other => list_resource_templates(request: Option<PaginatedRequestParams>) -> ListResourceTemplatesResult;
        peer::resource(&request), other => read_resource(request: ReadResourceRequestParams) -> ReadResourceResponse;
        Message::of("resources/subscribe").with_uri(&request.uri), other => subscribe(request: SubscribeRequestParams) -> ();
        Message::of("resources/unsubscribe").with_uri(&request.uri), other => unsubscribe(request: UnsubscribeRequestParams) -> ();
        peer::tool(&request), tool => call_tool(request: CallToolRequestParams) -> CallToolResponse;
        Message::of("tools/list"), other => list_tools(request: Option<PaginatedRequestParams>) -> ListToolsResult;
        Message::custom(&request.method), other => on_custom_request(request: CustomRequest) -> CustomResult;
        Message::of("tasks/get"), other => get_task(request: GetTaskParams) -> GetTaskResult;
        Message::of("tasks/update"), other => update_task(request: UpdateTaskParams) -> ();
        Message::of("tasks/cancel"), other => cancel_task(request: CancelTaskParams) -> ();
        Message::of("skills/list"), other => list_skills(request: Option<PaginatedRequestParams>) -> ListSkillsResult;
        Message::of("skills/get"), other => get_skill(request: GetSkillRequestParams) -> GetSkillResult;
        Message::of("resources/directory/read"), other => read_resource_directory(request: ReadResourceDirectoryRequestParams) -> ReadResourceDirectoryResult;
    }

    notifications! {
        Message::of("notifications/cancelled") => on_cancelled(notification: CancelledNotificationParam);
        Message::of("notifications/progress") => on_progress(notification: ProgressNotificationParam);
        Message::of("notifications/initialized") => on_initialized();
        Message::of("notifications/roots/list_changed") => on_roots_list_changed();
        Message::custom(&notification.method) => on_custom_notification(notification: CustomNotification);
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let request = context.request_context();
        let given_up = request.ct.clone();
        let run = self.received.listen(request);
        let work = self.inner.listen(context);
        let Some(run) = run else {
            return work.await;
        };
        let result = run.wrap(work).await;
        { &self.received }.answered(run, &result, given_up.is_cancelled(), other);
        result
    }

    fn negotiate_initialize(
        &self,
        request: &InitializeRequestParams,
    ) -> Result<InitializeResult, ErrorData> {
        self.inner.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.inner.accepted_subscription_filter(requested)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.inner.get_tool(name)
    }

    fn get_info(&self) -> InitializeResult {
        self.inner.get_info()
    }
}

impl<H: fmt::Debug> fmt::Debug for ObservedHandler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedHandler")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
