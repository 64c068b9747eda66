//! What requests and notifications are of, on either side.

use rmcp::model::{
    ClientNotification, ClientRequest, CompleteRequestMethod, CompleteRequestParams, ConstString,
    JsonObject, Reference, ServerNotification, ServerRequest,
};

/// What a message says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    pub(super) method: &'a str,
    /// The tool or prompt that it names.
    pub(super) target: Option<&'a str>,
    pub(super) uri: Option<&'a str>,
    pub(super) arguments: Option<&'a JsonObject>,
}

/// What rmcp may have besides, which no list has either. It is not empty: that is a session.
const UNKNOWN: &str = "_OTHER";

impl<'a> Message<'a> {
    pub(super) const fn of(method: &'a str) -> Self {
        Self {
            method,
            target: None,
            uri: None,
            arguments: None,
        }
    }

    pub(super) fn with_target(self, target: &'a str) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    pub(super) fn with_uri(self, uri: &'a str) -> Self {
        Self {
            uri: Some(uri),
            ..self
        }
    }

    pub(super) fn with_arguments(self, arguments: Option<&'a JsonObject>) -> Self {
        Self { arguments, ..self }
    }

    /// A method that is named by whoever sends it.
    pub(super) fn custom(method: &'a str) -> Self {
        Self::of(match method {
            "" => UNKNOWN,
            named => named,
        })
    }

    pub(super) fn write_arguments(&self, out: &mut String) {
        // What cannot be written as JSON is left out.
        if let Some(Ok(text)) = self.arguments.map(serde_json::to_string) {
            out.push_str(&text);
        }
    }
}

pub(super) fn client_request(request: &ClientRequest) -> Message<'_> {
    let message = Message::custom(request.method());
    match request {
        ClientRequest::CallToolRequest(request) => message
            .with_target(&request.params.name)
            .with_arguments(request.params.arguments.as_ref()),
        ClientRequest::GetPromptRequest(request) => message
            .with_target(&request.params.name)
            .with_arguments(request.params.arguments.as_ref()),
        ClientRequest::ReadResourceRequest(request) => message.with_uri(&request.params.uri),
        ClientRequest::SubscribeRequest(request) => message.with_uri(&request.params.uri),
        ClientRequest::UnsubscribeRequest(request) => message.with_uri(&request.params.uri),
        ClientRequest::CompleteRequest(request) => completion(&request.params),
        _ => message,
    }
}

/// What is completed is an argument of a prompt, or of a resource.
pub(super) fn completion(params: &CompleteRequestParams) -> Message<'_> {
    let message = Message::of(CompleteRequestMethod::VALUE);
    match &params.r#ref {
        Reference::Resource(of) => message.with_uri(&of.uri),
        Reference::Prompt(of) => message.with_target(&of.name),
        _ => message,
    }
}

pub(super) fn client_notification(notification: &ClientNotification) -> Message<'_> {
    match notification {
        ClientNotification::CancelledNotification(n) => Message::of(n.method.as_str()),
        ClientNotification::ProgressNotification(n) => Message::of(n.method.as_str()),
        ClientNotification::InitializedNotification(n) => Message::of(n.method.as_str()),
        ClientNotification::RootsListChangedNotification(n) => Message::of(n.method.as_str()),
        ClientNotification::CustomNotification(n) => Message::custom(&n.method),
        _ => Message::of(UNKNOWN),
    }
}

pub(super) fn server_request(request: &ServerRequest) -> Message<'_> {
    match request {
        ServerRequest::PingRequest(r) => Message::of(r.method.as_str()),
        ServerRequest::CreateMessageRequest(r) => Message::of(r.method.as_str()),
        ServerRequest::ListRootsRequest(r) => Message::of(r.method.as_str()),
        ServerRequest::ElicitRequest(r) => Message::of(r.method.as_str()),
        ServerRequest::CustomRequest(r) => Message::custom(&r.method),
        _ => Message::of(UNKNOWN),
    }
}

pub(super) fn server_notification(notification: &ServerNotification) -> Message<'_> {
    match notification {
        ServerNotification::CancelledNotification(n) => Message::of(n.method.as_str()),
        ServerNotification::ProgressNotification(n) => Message::of(n.method.as_str()),
        ServerNotification::LoggingMessageNotification(n) => Message::of(n.method.as_str()),
        ServerNotification::ResourceUpdatedNotification(n) => {
            Message::of(n.method.as_str()).with_uri(&n.params.uri)
        }
        ServerNotification::ResourceListChangedNotification(n) => Message::of(n.method.as_str()),
        ServerNotification::ToolListChangedNotification(n) => Message::of(n.method.as_str()),
        ServerNotification::PromptListChangedNotification(n) => Message::of(n.method.as_str()),
        ServerNotification::SubscriptionsAcknowledgedNotification(n) => {
            Message::of(n.method.as_str())
        }
        ServerNotification::TaskStatusNotification(n) => Message::of(n.method.as_str()),
        ServerNotification::CustomNotification(n) => Message::custom(&n.method),
        _ => Message::of(UNKNOWN),
    }
}
