//! What is different on the two sides of a session.

use super::message::{self, Message};
use rmcp::model::{
    ClientNotification, ClientRequest, ClientResult, GetMeta, InitializeRequestParams,
    InitializeResult, NotificationMetaObject, ProtocolVersion, RequestMetaObject,
    ServerNotification, ServerRequest, ServerResult,
};
use rmcp::service::{Peer, RequestContext, RoleClient, RoleServer, ServiceRole};

/// A role of rmcp's: [`RoleServer`], [`RoleClient`]. Nobody else implements it.
pub trait Side: ServiceRole + sealed::Side {}

impl Side for RoleServer {}
impl Side for RoleClient {}

pub(super) mod sealed {
    use super::*;

    pub trait Side: ServiceRole {
        /// What is received.
        fn received(request: &Self::PeerReq) -> Message<'_>;
        fn received_notification(notification: &Self::PeerNot) -> Message<'_>;
        /// What is sent.
        fn sent(request: &Self::Req) -> Message<'_>;
        fn sent_notification(notification: &Self::Not) -> Message<'_>;
        fn notification_meta(notification: &mut Self::Not) -> &mut NotificationMetaObject;
        /// What is answered here, and there, if it is something that says whether it failed.
        fn answer(result: &Self::Resp) -> Answer<'_>;
        fn answered(result: &Self::PeerResp) -> Answer<'_>;
        /// The version that a request is of.
        fn version(context: &RequestContext<Self>) -> Option<ProtocolVersion>;
        /// The one that a session is of, once it is agreed on.
        fn agreed(peer: &Peer<Self>) -> Option<ProtocolVersion>;
        /// With what is said at the handshake, where the handshake has a place for it.
        fn with_meta(info: Self::Info, meta: &RequestMetaObject) -> Self::Info;
    }

    /// What answers say that matters here.
    #[derive(Clone, Copy, Debug)]
    pub enum Answer<'a> {
        /// A tool's.
        Tool(&'a rmcp::model::CallToolResult),
        /// That a session may begin.
        Session,
        /// Any other.
        Other,
    }
}

use sealed::Answer;

impl sealed::Side for RoleServer {
    fn received(request: &ClientRequest) -> Message<'_> {
        message::client_request(request)
    }

    fn received_notification(notification: &ClientNotification) -> Message<'_> {
        message::client_notification(notification)
    }

    fn sent(request: &ServerRequest) -> Message<'_> {
        message::server_request(request)
    }

    fn sent_notification(notification: &ServerNotification) -> Message<'_> {
        message::server_notification(notification)
    }

    fn notification_meta(notification: &mut ServerNotification) -> &mut NotificationMetaObject {
        notification.get_meta_mut()
    }

    fn answer(result: &ServerResult) -> Answer<'_> {
        server_answer(result)
    }

    fn answered(_: &ClientResult) -> Answer<'_> {
        Answer::Other
    }

    fn version(context: &RequestContext<Self>) -> Option<ProtocolVersion> {
        context.protocol_version()
    }

    fn agreed(peer: &Peer<Self>) -> Option<ProtocolVersion> {
        peer.peer_info().map(|info| info.protocol_version.clone())
    }

    fn with_meta(info: InitializeResult, _: &RequestMetaObject) -> InitializeResult {
        info
    }
}

impl sealed::Side for RoleClient {
    fn received(request: &ServerRequest) -> Message<'_> {
        message::server_request(request)
    }

    fn received_notification(notification: &ServerNotification) -> Message<'_> {
        message::server_notification(notification)
    }

    fn sent(request: &ClientRequest) -> Message<'_> {
        message::client_request(request)
    }

    fn sent_notification(notification: &ClientNotification) -> Message<'_> {
        message::client_notification(notification)
    }

    fn notification_meta(notification: &mut ClientNotification) -> &mut NotificationMetaObject {
        notification.get_meta_mut()
    }

    fn answer(_: &ClientResult) -> Answer<'_> {
        Answer::Other
    }

    fn answered(result: &ServerResult) -> Answer<'_> {
        server_answer(result)
    }

    fn version(context: &RequestContext<Self>) -> Option<ProtocolVersion> {
        Self::agreed(&context.peer)
    }

    fn agreed(peer: &Peer<Self>) -> Option<ProtocolVersion> {
        peer.peer_info().map(|info| info.protocol_version.clone())
    }

    fn with_meta(
        mut info: InitializeRequestParams,
        meta: &RequestMetaObject,
    ) -> InitializeRequestParams {
        if !meta.is_empty() {
            let own = info.meta.get_or_insert_default();
            own.extend(meta.clone());
        }
        info
    }
}

fn server_answer(result: &ServerResult) -> Answer<'_> {
    match result {
        ServerResult::CallToolResult(result) => Answer::Tool(result),
        ServerResult::InitializeResult(_) => Answer::Session,
        _ => Answer::Other,
    }
}
