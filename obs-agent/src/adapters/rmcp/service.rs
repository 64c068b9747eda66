//! Around whoever is asked.

use super::context;
use super::http::Http;
use super::message::Message;
use super::session::{self, Session};
use super::side::Side;
use super::side::sealed::Answer;
use super::{McpObserver, RunParent};
use crate::handlers::Run;
use crate::input::McpInput;
use crate::run::{RemoteParent, RunRef};
use obs_core::propagation::Remote;
use obs_core::{OpRef, Trust};
use rmcp::model::{
    ErrorData, MetaObject, NotificationMetaObject, ProtocolVersion, RequestId, RequestMetaObject,
};
use rmcp::service::{NotificationContext, RequestContext, Service};
use std::borrow::Cow;
use std::fmt;

/// A service of rmcp's whose messages are told: see [`McpObserver::service`].
pub struct ObservedService<S> {
    observer: McpObserver,
    inner: S,
    session: Session,
    /// What a client says at its handshake.
    meta: RequestMetaObject,
}

impl<S> ObservedService<S> {
    pub(super) fn new(observer: McpObserver, inner: S) -> Self {
        Self {
            observer,
            inner,
            session: Session::default(),
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
        &self.session
    }

    /// A message that was received is worked on.
    fn begin(
        &self,
        message: &Message<'_>,
        (id, version): (Option<&RequestId>, Option<&ProtocolVersion>),
        meta: &MetaObject,
        http: Option<Http<'_>>,
    ) -> Run {
        let observer = &self.observer;
        let id = id.map(ToString::to_string);
        let mut input = McpInput::default();
        input.is_server = true;
        input.request_id = id.as_deref();
        input.protocol_version = version.map(ProtocolVersion::as_str);
        input.session_id = http.and_then(Http::session_id);
        input.transport = http.map(|_| "tcp");
        let begin = |parent: RunParent<'_>| observer.begin(message, input, parent);
        let around = http.and_then(Http::operation);
        let Some(mut remote) = context::read(meta, &observer.settings) else {
            return within(around, || begin(RunParent::Root));
        };
        let trust = observer.settings.trust;
        // A stranger's word does not replace what is known here.
        let link = match (around, trust) {
            (Some(_), trust) if trust != Trust::Trusted => remote
                .parent
                .take()
                .map(|stranger| stranger.to_span_context(Default::default())),
            (Some(around), _) if remote.parent.is_some() => Some(around.span_context()),
            _ => None,
        };
        let run = within(around, || begin(RunParent::Remote(self.parent(&remote))));
        if let (Some(link), Some(operation)) = (link, run.reference().and_then(RunRef::operation)) {
            operation.add_link(link, Vec::new());
        }
        run
    }

    fn parent<'a>(&'a self, remote: &'a Remote) -> RemoteParent<'a> {
        let settings = &self.observer.settings;
        RemoteParent {
            remote,
            trust: settings.trust,
            baggage: &settings.baggage,
        }
    }
}

fn within<R>(around: Option<&OpRef>, work: impl FnOnce() -> R) -> R {
    match around {
        Some(around) => around.in_scope(work),
        None => work(),
    }
}

impl<R: Side, S: Service<R>> Service<R> for ObservedService<S> {
    async fn handle_request(
        &self,
        request: R::PeerReq,
        context: RequestContext<R>,
    ) -> Result<R::Resp, ErrorData> {
        let (stopped, version) = (context.ct.clone(), R::version(&context));
        let (run, is_http) = {
            let http = Http::of(&context.extensions);
            let known = (Some(&context.id), version.as_ref());
            let message = R::received(&request);
            (
                self.begin(&message, known, &context.meta, http),
                http.is_some(),
            )
        };
        let result = run.wrap(self.inner.handle_request(request, context)).await;
        match &result {
            // Whatever it answers is dropped.
            _ if stopped.is_cancelled() => run.fail(&crate::RunError::cancelled()),
            Ok(answer) => {
                let answer = R::answer(answer);
                if let Answer::Session(version) = answer {
                    let transport = is_http.then_some("tcp");
                    { &self.session }.begin(&self.observer, true, transport, Some(version));
                }
                session::end(run, answer);
            }
            Err(error) => session::fail(run, error),
        }
        result
    }

    async fn handle_notification(
        &self,
        notification: R::PeerNot,
        context: NotificationContext<R>,
    ) -> Result<(), ErrorData> {
        let version = R::agreed(&context.peer);
        let run = {
            let http = Http::of(&context.extensions);
            let message = R::received_notification(&notification);
            // rmcp takes the extensions out before what stands in them, so that is where it is.
            let meta = context.extensions.get::<NotificationMetaObject>();
            let meta = meta.unwrap_or(&context.meta);
            self.begin(&message, (None, version.as_ref()), meta, http)
        };
        let work = self.inner.handle_notification(notification, context);
        let result = run.wrap(work).await;
        match &result {
            Ok(()) => session::end(run, Answer::Other),
            Err(error) => session::fail(run, error),
        }
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
