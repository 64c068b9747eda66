//! Around whoever is asked.

use super::McpObserver;
use super::received::Received;
use super::session::Session;
use super::side::Side;
use super::side::sealed::Answer;
use rmcp::model::{ErrorData, ProtocolVersion, RequestMetaObject};
use rmcp::service::{NotificationContext, RequestContext, Service};
use std::borrow::Cow;
use std::fmt;

/// A service of rmcp's whose messages are told: see [`McpObserver::service`].
pub struct ObservedService<S> {
    received: Received,
    inner: S,
    /// What a client says at its handshake.
    meta: RequestMetaObject,
}

impl<S> ObservedService<S> {
    pub(super) fn new(observer: McpObserver, inner: S) -> Self {
        Self {
            received: Received::new(observer),
            inner,
            meta: RequestMetaObject::default(),
        }
    }

    pub(super) fn with_meta(self, meta: RequestMetaObject) -> Self {
        Self { meta, ..self }
    }

    /// What is observed.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    pub(super) fn session(&self) -> &Session {
        self.received.session()
    }
}

impl<R: Side, S: Service<R>> Service<R> for ObservedService<S> {
    async fn handle_request(
        &self,
        request: R::PeerReq,
        mut context: RequestContext<R>,
    ) -> Result<R::Resp, ErrorData> {
        let given_up = context.ct.clone();
        let run = { &self.received }.request(&R::received(&request), &mut context);
        let Some(run) = run else {
            return self.inner.handle_request(request, context).await;
        };
        let result = run.wrap(self.inner.handle_request(request, context)).await;
        let has_given_up = given_up.is_cancelled();
        { &self.received }.answered(run, &result, has_given_up, R::answer);
        result
    }

    async fn handle_notification(
        &self,
        notification: R::PeerNot,
        mut context: NotificationContext<R>,
    ) -> Result<(), ErrorData> {
        let message = R::received_notification(&notification);
        let run = self.received.notification(&message, &mut context);
        let work = self.inner.handle_notification(notification, context);
        let Some(run) = run else {
            return work.await;
        };
        let result = run.wrap(work).await;
        { &self.received }.answered(run, &result, false, |()| Answer::Other);
        result
    }

    fn get_info(&self) -> R::Info {
        R::with_meta(self.inner.get_info(), &self.meta)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }
}

impl<S: fmt::Debug> fmt::Debug for ObservedService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
