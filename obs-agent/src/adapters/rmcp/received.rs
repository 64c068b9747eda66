//! What is received: how its runs begin and end, whoever works on it.

use super::http::Http;
use super::message::Message;
use super::session::{self, Session};
use super::side::Side;
use super::side::sealed::Answer;
use super::{McpObserver, context};
use crate::RunError;
use crate::handlers::{Handlers, Run};
use crate::input::McpInput;
use crate::run::{RemoteParent, RunParent, RunRef};
use obs_core::propagation::Remote;
use obs_core::{OpRef, Trust};
use rmcp::model::{
    ErrorData, Extensions, MetaObject, NotificationMetaObject, ProtocolVersion, RequestId,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer};
use smallvec::SmallVec;

/// Who is told of a message, beside what else goes along with it: a service around another one does not tell them twice.
#[derive(Clone, Default)]
struct Told(SmallVec<[Handlers; 1]>);

/// What stands around a service or a handler.
#[derive(Debug)]
pub(super) struct Received {
    observer: McpObserver,
    session: Session,
}

impl Received {
    pub(super) fn new(observer: McpObserver) -> Self {
        Self {
            observer,
            session: Session::default(),
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// A request is worked on. None where it is told already.
    pub(super) fn request<R: Side>(
        &self,
        message: &Message<'_>,
        context: &mut RequestContext<R>,
    ) -> Option<Run> {
        let is_first = self.mark(&mut context.extensions);
        is_first.then(|| self.ask(message, context))
    }

    /// A request to listen is, which nobody hands on.
    pub(super) fn listen(&self, context: &RequestContext<RoleServer>) -> Option<Run> {
        let message = Message::of("subscriptions/listen");
        { !self.is_told(&context.extensions) }.then(|| self.ask(&message, context))
    }

    fn ask<R: Side>(&self, message: &Message<'_>, context: &RequestContext<R>) -> Run {
        let version = R::version(context);
        let http = Http::of(&context.extensions);
        let known = (Some(&context.id), version.as_ref());
        self.begin(message, known, &context.meta, (!R::IS_CLIENT, http))
    }

    /// A notification is.
    pub(super) fn notification<R: Side>(
        &self,
        message: &Message<'_>,
        context: &mut NotificationContext<R>,
    ) -> Option<Run> {
        if !self.mark(&mut context.extensions) {
            return None;
        }
        let version = R::agreed(&context.peer);
        let http = Http::of(&context.extensions);
        // rmcp takes the extensions out before what stands in them, so that is where it is.
        let meta = context.extensions.get::<NotificationMetaObject>();
        let meta = meta.unwrap_or(&context.meta);
        let known = (None, version.as_ref());
        Some(self.begin(message, known, meta, (!R::IS_CLIENT, http)))
    }

    fn is_told(&self, extensions: &Extensions) -> bool {
        let told = extensions.get::<Told>();
        told.is_some_and(|Told(told)| told.iter().any(|told| told.is(&self.observer.handlers)))
    }

    /// From here on they are told of it. Says whether they were not yet.
    fn mark(&self, extensions: &mut Extensions) -> bool {
        let is_first = !self.is_told(extensions);
        if is_first {
            let Told(told) = extensions.get_or_insert_default();
            told.push(self.observer.handlers.clone());
        }
        is_first
    }

    /// It was answered. What is answered to somebody who has given up is dropped.
    pub(super) fn answered<T>(
        &self,
        run: Run,
        result: &Result<T, ErrorData>,
        has_given_up: bool,
        answer: fn(&T) -> Answer<'_>,
    ) {
        match result {
            _ if has_given_up => run.fail(&RunError::cancelled()),
            Ok(result) => {
                let answer = answer(result);
                if let Answer::Session = answer {
                    self.session.agree();
                }
                session::end(run, answer);
            }
            Err(error) => session::fail(run, error),
        }
    }

    /// A message that was received is worked on.
    fn begin(
        &self,
        message: &Message<'_>,
        (id, version): (Option<&RequestId>, Option<&ProtocolVersion>),
        meta: &MetaObject,
        (is_served, http): (bool, Option<Http<'_>>),
    ) -> Run {
        let observer = &self.observer;
        let id = id.map(ToString::to_string);
        let input = McpInput {
            is_server: true,
            request_id: id.as_deref(),
            protocol_version: version.map(ProtocolVersion::as_str),
            session_id: { http.and_then(Http::session_id) }.filter(|_| self.session.is_agreed()),
            transport: http.map(|_| "tcp"),
            ..McpInput::default()
        };
        if is_served {
            self.session.go_on(observer, input.transport, version);
        }
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
