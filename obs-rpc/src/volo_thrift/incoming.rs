//! A call that a server answers, from its first byte to the last of the answer, and how it ends: once.

use super::failure::{self, APPLICATION, BIZ};
use super::settings::{ServerSettings, named};
use super::watched::Seen;
use crate::descriptor::{LONGEST, METHOD, REQUEST_SIZE, RESPONSE_SIZE, SYSTEM, System, cut};
use crate::kitex::{Incoming, checked};
use ::volo_thrift::context::ThriftContext;
use ::volo_thrift::error::{ApplicationException, ApplicationExceptionKind, BizError};
use ::volo_thrift::{ServerError, ThriftException};
use obs_core::otel::KeyValue;
use obs_core::propagation::baggage::Baggage;
use obs_core::semconv::{self, network, obs, rpc};
use obs_core::{
    Active, End, Event, LabelId, Labels, Moment, Operation, Outcome, Parent, Session, Trust,
};

/// Dropped before it is ended, it was given up.
#[derive(Debug)]
pub(crate) struct ServerCall {
    pub(crate) operation: Operation,
    settings: &'static ServerSettings,
    /// What was asked for and has not been answered yet. Anybody can ask for anything: only what is configured, or was
    /// answered, has a name of its own.
    unknown: Option<Box<str>>,
    /// What it ends as once the answer is written.
    outcome: Option<Outcome>,
    /// Nobody waits for an answer.
    oneway: bool,
    /// Whether a codec saw it come.
    on_wire: bool,
    answered: bool,
}

/// The call in its context, between the codec and the layer; its place stays, for the way back.
pub(crate) struct Held(Option<ServerCall>);

impl Held {
    pub(crate) fn put<Cx: ThriftContext>(call: ServerCall, cx: &mut Cx) {
        match cx.extensions_mut().get_mut::<Self>() {
            Some(held) => held.0 = Some(call),
            None => cx.extensions_mut().insert(Self(Some(call))),
        }
    }

    pub(crate) fn take<Cx: ThriftContext>(cx: &mut Cx) -> Option<ServerCall> {
        cx.extensions_mut().get_mut::<Self>()?.0.take()
    }
}

impl ServerCall {
    /// What is known once the request is decoded, or could not be. `began` is when its first byte was there.
    pub(crate) fn start<Cx: ThriftContext>(
        settings: &'static ServerSettings,
        cx: &Cx,
        began: Option<Moment>,
    ) -> Self {
        let kind = settings.kind;
        let incoming = Incoming::read(settings.propagator, kind);
        let method = checked(cx.rpc_info().method()).unwrap_or_default();
        let labels = Labels::NONE.with(SYSTEM, LabelId::closed(System::Thrift as u16));
        let parent = incoming.parent(|| settings.trust);
        let (mut operation, unknown) = named(settings.service(cx), method, |name| {
            let known = kind.known_label(METHOD, name);
            let labels = known.map_or(labels, |known| labels.with(METHOD, known));
            let operation = kind.start(labels, parent);
            let unknown = known.is_none() && operation.is_recording();
            (operation, unknown.then(|| name.into()))
        });
        if let Some(mut active) = operation.active() {
            if let Some(began) = began {
                active.began(began);
            }
            describe(&mut active, settings, cx, &incoming);
        }
        Self {
            operation,
            settings,
            unknown,
            outcome: None,
            oneway: false,
            on_wire: began.is_some(),
            answered: false,
        }
    }

    /// One that broke off before anything of it was known.
    #[cold]
    pub(crate) fn unread(settings: &'static ServerSettings, began: Moment) -> Self {
        let labels = Labels::NONE
            .with(SYSTEM, LabelId::closed(System::Thrift as u16))
            .with(METHOD, LabelId::OVERFLOW);
        let mut operation = settings.kind.start(labels, Parent::Current);
        if let Some(mut active) = operation.active() {
            active.began(began);
        }
        Self {
            operation,
            settings,
            unknown: None,
            outcome: None,
            oneway: false,
            on_wire: true,
            answered: false,
        }
    }

    /// The request is there, or (not `whole`) as much of it as will come.
    pub(crate) fn read<Cx: ThriftContext>(
        &mut self,
        cx: &Cx,
        seen: &Seen,
        began: Moment,
        whole: bool,
    ) {
        let Some(mut active) = self.operation.active() else {
            return;
        };
        // Of a transport that says how long a message is; else what came, with what came too early for the next one.
        let said = cx.stats().read_size().filter(|_| whole);
        active.set_measure(REQUEST_SIZE, said.map_or(seen.bytes(), |size| size as u64));
        let first = seen.first().unwrap_or(began);
        active.stamp_at(Event::READ_START, first);
        if whole {
            let last = seen.last().unwrap_or(first);
            active.stamp_at(Event::READ_FINISH, last);
            active.stamp_at(Event::DECODE_START, last);
            active.stamp(Event::DECODE_FINISH);
        }
    }

    /// Nobody waits for an answer: where no layer says more, it is answered when its context goes.
    pub(crate) fn expects_nothing(&mut self) {
        self.oneway = true;
        self.outcome = Some(Outcome::ANSWERED);
    }

    /// Whether the codec ends it, and not the layer: there is nothing to be written for those who do not wait.
    pub(crate) fn is_to_be_written(&self) -> bool {
        self.on_wire && !self.oneway
    }

    /// It could not be read. Volo answers with an exception, unless the connection is over.
    #[cold]
    pub(crate) fn not_read(&mut self, error: &ThriftException, over: bool) {
        self.outcome = Some(failure::of_request(error, over));
        if let (ThriftException::Application(exception), Some(mut active)) =
            (error, self.operation.active())
        {
            failure::tell_exception(&mut active, exception);
        }
    }

    /// The handler is called.
    pub(crate) fn handling(&mut self) {
        self.outcome = None;
        self.operation.stamp(Event::SERVER_HANDLE_START);
    }

    /// The handler is done.
    pub(crate) fn handled<R>(&mut self, result: &Result<R, ServerError>) {
        self.operation.stamp(Event::SERVER_HANDLE_FINISH);
        match result {
            Ok(_) => self.answer(Outcome::ANSWERED, true),
            Err(ServerError::Application(exception)) => self.failed(exception),
            Err(ServerError::Biz(error)) => self.failed_in_business(error),
        }
    }

    /// There is an answer, if no layer has said so.
    pub(crate) fn answered<R, Cx: ThriftContext>(
        &mut self,
        answer: &Result<R, ApplicationException>,
        cx: &Cx,
    ) {
        if self.outcome.is_none() {
            match (answer, cx.stats().biz_error()) {
                (_, Some(error)) => self.failed_in_business(error),
                (Ok(_), None) => self.answer(Outcome::ANSWERED, true),
                (Err(exception), None) => self.failed(exception),
            }
        }
        self.answered = true;
    }

    #[cold]
    fn failed(&mut self, exception: &ApplicationException) {
        if let Some(mut active) = self.operation.active() {
            failure::tell_exception(&mut active, exception);
        }
        let is_method = exception.kind() != ApplicationExceptionKind::UNKNOWN_METHOD;
        self.answer(Outcome::failed(APPLICATION), is_method);
    }

    #[cold]
    fn failed_in_business(&mut self, error: &BizError) {
        if let Some(mut active) = self.operation.active() {
            failure::tell_biz(&mut active, error);
        }
        self.answer(
            match self.settings.biz_errors {
                true => Outcome::failed(BIZ),
                false => Outcome::ANSWERED,
            },
            true,
        );
    }

    fn answer(&mut self, outcome: Outcome, is_method: bool) {
        self.outcome = Some(outcome);
        self.answered = true;
        if is_method
            && self.settings.learns
            && let Some(method) = self.unknown.take_if(|method| method.len() <= LONGEST)
            && let Some(mut active) = self.operation.active()
        {
            active.set_label_text(METHOD, &method);
        }
    }

    /// The answer is on its way, or broke off.
    pub(crate) fn written(&mut self, seen: &Seen, result: &Result<(), ThriftException>) {
        let began = seen.first();
        if let Some(mut active) = self.operation.active() {
            active.set_measure(RESPONSE_SIZE, seen.bytes());
            match began {
                Some(began) => {
                    active.stamp_at(Event::ENCODE_FINISH, began);
                    active.stamp_at(Event::WRITE_START, began);
                    active.stamp(Event::WRITE_FINISH);
                }
                None => active.stamp(Event::ENCODE_FINISH),
            }
        }
        if let Err(error) = result
            && !self.outcome.is_some_and(Outcome::is_error)
        {
            self.outcome = Some(failure::of_answer(error, began.is_some()));
        }
    }

    /// Ended as what was seen of it.
    pub(crate) fn end(mut self) {
        let outcome = self.outcome.unwrap_or(Outcome::ANSWERED);
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: Outcome) {
        if let Some(method) = self.unknown.take()
            && let Some(mut active) = self.operation.active()
        {
            active.set_label(METHOD, LabelId::OVERFLOW);
            active.set(rpc::METHOD_ORIGINAL, cut(&method));
        }
        self.operation.end_in_place(outcome);
    }

    /// The task that worked on it is gone, or unwinds.
    #[cold]
    #[inline(never)]
    fn give_up(&mut self) {
        let Some(dropped) = self.operation.outcome_if_dropped() else {
            return;
        };
        let known = self
            .outcome
            .filter(|outcome| outcome.is_error() || self.oneway);
        let outcome = match (dropped.end(), known) {
            (End::Panicked, _) => dropped,
            // What was not written then is an exception.
            (_, Some(known)) => known,
            (End::Cancelled, None) => {
                if let Some(mut active) = self.operation.active() {
                    // Multiplexed, an answer has nowhere to go once the connection is over.
                    let origin = if self.answered { "peer" } else { "local" };
                    active.set_static(obs::RPC_CANCEL_ORIGIN, origin);
                }
                dropped
            }
            _ => dropped,
        };
        self.finish(outcome);
    }
}

impl Drop for ServerCall {
    #[inline]
    fn drop(&mut self) {
        if self.operation.is_recording() {
            self.give_up();
        }
    }
}

/// Attributes that are no labels.
fn describe<Cx: ThriftContext>(
    active: &mut Active<'_>,
    settings: &ServerSettings,
    cx: &Cx,
    incoming: &Incoming,
) {
    if !incoming.baggage.is_empty() {
        carry_baggage(active, settings, &incoming.baggage);
    }
    // Both are what the caller says: Volo takes an address from the header before that of the socket.
    if settings.trust != Trust::Trusted {
        return;
    }
    let caller = cx.rpc_info().caller();
    let names = [incoming.service.as_ref(), Some(&caller.service_name)];
    let mut names = names.into_iter().flatten().filter_map(checked);
    if let Some(name) = names.find(|name| !name.is_empty()) {
        active.set(obs::RPC_PEER_SERVICE, name);
    }
    if settings.addresses
        && let Some(address) = caller
            .address
            .as_ref()
            .and_then(|address| address.ip_addr())
    {
        active.set(network::PEER_ADDRESS, address.ip());
        active.set(network::PEER_PORT, address.port());
    }
}

/// Baggage of those who are trusted, as far as it is allowed: it names the session, goes on with outgoing calls, and
/// becomes attributes.
#[cold]
fn carry_baggage(active: &mut Active<'_>, settings: &ServerSettings, baggage: &Baggage) {
    let Some(allow) = &settings.baggage else {
        return;
    };
    let baggage = baggage.keep(allow);
    if settings.trust != Trust::Trusted || baggage.is_empty() {
        return;
    }
    let (session, user) = (semconv::session::ID.as_str(), semconv::user::ID.as_str());
    for entry in baggage.iter() {
        if entry.key != session && entry.key != user {
            active.set_dynamic(KeyValue::new(entry.key.to_owned(), entry.value.to_string()));
        }
    }
    active.set_session(Session::from_baggage(baggage));
}
