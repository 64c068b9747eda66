//! How a call ends: once, with its status, its numbers, and who cancelled it.

use super::flow::Flow;
use super::settings::{Common, Role};
use crate::attempts;
use crate::descriptor::{
    LONGEST, METHOD, PROTOCOL_ERROR, REQUEST_MESSAGES, REQUEST_SIZE, RESPONSE_MESSAGES,
    RESPONSE_SIZE, STATUS, cut,
};
use crate::failure::Failed;
use crate::frames::Tally;
use crate::status::Code;
use obs_core::semconv::{obs, rpc};
use obs_core::{Active, End, Event, LabelId, Operation, Outcome, StatsLevel, current};
use std::sync::Arc;

/// A call that is under way, with what was seen of it so far. Dropped before it is ended, it was given up.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) flow: Option<Arc<Flow>>,
    /// Of the response.
    pub(crate) tally: Tally,
    /// The head of the response came while the request was still being sent: nobody waited for it. Known at Detailed.
    pub(crate) answered_early: bool,
    /// The head said OK, and messages follow: what trailers say then is not asked for.
    pub(crate) said_ok: bool,
    /// `None` where nothing is observed.
    pub(crate) common: Option<&'static Common>,
    /// What a server was asked for and has not answered yet. Anybody can ask for anything: only what is configured, or was
    /// answered, has a name of its own.
    pub(crate) unknown: Option<Box<str>>,
}

/// Who ended a call before its status: `obs.rpc.cancel.origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Whoever holds the call here dropped it.
    Local,
    /// Its time was over.
    Deadline,
    /// The other side, or what lies between.
    Peer,
    /// It was dropped with the operation around it, whose caller went away.
    Cascaded,
    /// Another attempt of the same call was quicker.
    Superseded,
}

impl Origin {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Deadline => "deadline",
            Self::Peer => "peer",
            Self::Cascaded => "cascaded",
            Self::Superseded => "superseded",
        }
    }
}

impl Call {
    pub(crate) const fn unobserved() -> Self {
        Self {
            operation: Operation::disabled(),
            flow: None,
            tally: Tally::NONE,
            answered_early: false,
            said_ok: false,
            common: None,
            unknown: None,
        }
    }

    #[inline(always)]
    pub(crate) fn is_recording(&self) -> bool {
        self.operation.is_recording()
    }

    /// There is an answer: a method that is implemented is one, unless it is configured which there are. Who may not ask is
    /// told so before anybody looks whether there is what was asked for.
    #[inline(always)]
    pub(crate) fn name_method(&mut self, code: Option<Code>) {
        let unknown = self.unknown.as_ref();
        if unknown.is_some_and(|method| method.len() <= LONGEST)
            && !matches!(
                code,
                Some(Code::UNIMPLEMENTED | Code::UNAUTHENTICATED | Code::PERMISSION_DENIED)
            )
        {
            self.learn_method();
        }
    }

    #[cold]
    #[inline(never)]
    fn learn_method(&mut self) {
        if self.common.is_some_and(|common| common.learns)
            && let Some(method) = self.unknown.take()
            && let Some(mut active) = self.operation.active()
        {
            active.set_label_text(METHOD, &method);
        }
    }

    /// Whether moments of it are wanted.
    #[inline(always)]
    pub(crate) fn is_detailed(&mut self) -> bool {
        let active = self.operation.active();
        active.is_some_and(|active| active.level() == StatsLevel::Detailed)
    }

    #[inline(always)]
    pub(crate) fn is_server(&self) -> bool {
        self.common
            .is_some_and(|common| common.role == Role::Server)
    }

    /// Ended by a status from the peer or to it.
    #[inline(never)]
    pub(crate) fn end_with(&mut self, code: Code) {
        self.end_with_status(code);
    }

    /// The same in line, for where most calls end: to enter a function that was not run for a while takes longer than it does.
    #[inline(always)]
    pub(crate) fn end_with_status(&mut self, code: Code) {
        // A server's answer to a client that has gone is none.
        if self.flow.as_ref().is_some_and(|flow| flow.is_broken_off()) && self.is_server() {
            return self.give_up();
        }
        let outcome = match self.common {
            Some(common) => common.outcome(code),
            None => Outcome::ANSWERED,
        };
        let (outcome, origin) = match code {
            Code::CANCELLED => self.cancelled(outcome),
            Code::DEADLINE_EXCEEDED => (outcome, Some(Origin::Deadline)),
            _ => (outcome, None),
        };
        self.end_here(Some(code), outcome, origin);
    }

    /// The status says so. A handler's own saying is nobody's cancellation; a server that ran out of the client's time calls
    /// it this, too (tonic 0.14).
    #[cold]
    fn cancelled(&mut self, outcome: Outcome) -> (Outcome, Option<Origin>) {
        if self.is_server() {
            return (outcome, None);
        }
        match self.operation.outcome_if_dropped() {
            Some(late) if late.end() == End::TimedOut => (late, Some(Origin::Deadline)),
            _ => (outcome, Some(Origin::Peer)),
        }
    }

    /// Ended by an error, which may be a status.
    #[cold]
    pub(crate) fn end_failed(&mut self, failed: Failed) {
        let failed = match self.common {
            Some(common) => failed.as_meant(|code| common.outcome(code)),
            None => failed,
        };
        self.end(failed.code, failed.outcome, failed.origin);
    }

    /// What came makes no sense: INTERNAL, as tonic's client says, too.
    #[cold]
    pub(crate) fn end_as_no_grpc(&mut self) {
        self.end(Some(Code::INTERNAL), Outcome::failed(PROTOCOL_ERROR), None);
    }

    /// Stamps when the handler of a server was called, and when it had answered where that is known, at Detailed. Of two
    /// stamps the earlier one stands: that of a head does.
    pub(crate) fn hand_over(&mut self) {
        let (Some(flow), Some(mut active)) = (&self.flow, self.operation.active()) else {
            return;
        };
        if let Some(at) = flow.handed_over() {
            active.stamp_at(Event::SERVER_HANDLE_START, at);
        }
        if let Some(at) = flow.answered() {
            active.stamp_at(Event::SERVER_HANDLE_FINISH, at);
        }
    }

    /// Ended as said. `origin` is of what was cancelled or late.
    #[inline(never)]
    pub(crate) fn end(&mut self, code: Option<Code>, outcome: Outcome, origin: Option<Origin>) {
        self.end_here(code, outcome, origin);
    }

    #[inline(always)]
    fn end_here(&mut self, code: Option<Code>, outcome: Outcome, origin: Option<Origin>) {
        if let Some(mut active) = self.operation.active() {
            if let Some(code) = code {
                active.set_label(STATUS, code.label());
            }
            if let Some(origin) = origin {
                active.set_static(obs::RPC_CANCEL_ORIGIN, origin.as_str());
            }
            if let Some(method) = self.unknown.take() {
                name_other(&mut active, &method);
            }
            let role = self.common.map(|common| common.role);
            let waited = !self.answered_early;
            let sees_response = self.common.is_some_and(|common| common.sees_response);
            let response = sees_response.then_some(&self.tally);
            tell(&mut active, self.flow.as_deref(), response, role, waited);
        }
        self.operation.end_in_place(outcome);
    }
}

/// It was never answered, or is not there: anybody can ask for anything.
#[cold]
#[inline(never)]
fn name_other(active: &mut Active<'_>, method: &str) {
    active.set_label(METHOD, LabelId::OVERFLOW);
    active.set(rpc::METHOD_ORIGINAL, cut(method));
}

/// What was counted and seen elsewhere.
#[inline(always)]
fn tell(
    active: &mut Active<'_>,
    flow: Option<&Flow>,
    response: Option<&Tally>,
    role: Option<Role>,
    waited: bool,
) {
    if role == Some(Role::Logical) {
        return;
    }
    if let Some(response) = response {
        active.set_measure(RESPONSE_MESSAGES, response.messages);
        active.set_measure(RESPONSE_SIZE, response.bytes);
        if response.compressed > 0 {
            active.set(obs::RPC_RESPONSE_COMPRESSED, response.compressed as i64);
        }
    }
    let Some(flow) = flow else { return };
    let seen = flow.read();
    active.set_measure(REQUEST_MESSAGES, seen.tally.messages);
    active.set_measure(REQUEST_SIZE, seen.tally.bytes);
    if seen.tally.compressed > 0 {
        active.set(obs::RPC_REQUEST_COMPRESSED, seen.tally.compressed as i64);
    }
    if flow.is_detailed() {
        flow.waited.tell(active, flow.has_begun());
        stamp(active, flow, &seen, role == Some(Role::Server), waited);
    }
}

#[inline(never)]
fn stamp(
    active: &mut Active<'_>,
    flow: &Flow,
    seen: &super::flow::Seen,
    server: bool,
    waited: bool,
) {
    let events: [(Option<_>, &[Event]); 3] = if server {
        [
            (seen.began, &[Event::READ_START]),
            (seen.first, &[Event::STREAM_RECV]),
            (seen.over, &[Event::READ_FINISH]),
        ]
    } else {
        [
            (seen.began, &[Event::STREAM_START, Event::WRITE_START]),
            (seen.first, &[Event::STREAM_SEND]),
            match waited {
                true => (seen.over, &[Event::WRITE_FINISH, Event::WAIT_READ_START]),
                false => (seen.over, &[Event::WRITE_FINISH]),
            },
        ]
    };
    let stamps = events.into_iter().flat_map(|(at, events)| {
        let events = events.iter();
        events.filter_map(move |event| Some((*event, at?)))
    });
    active.stamp_all_at(stamps.chain(flow.codec.stamps()));
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if self.is_recording() {
            self.give_up();
        }
    }
}

impl Call {
    /// Whoever waited for it, or was to be answered, has gone; or it unwinds.
    #[cold]
    #[inline(never)]
    fn give_up(&mut self) {
        let Some(mut outcome) = self.operation.outcome_if_dropped() else {
            return;
        };
        let server = self.is_server();
        if server {
            self.hand_over();
            if outcome.end() == End::Panicked {
                self.operation.stamp(Event::SERVER_HANDLE_FINISH);
            }
        } else if self.tally.invalid && outcome.end() == End::Cancelled {
            // tonic could not read it either, which is why it was dropped.
            return self.end_as_no_grpc();
        }
        let (code, origin) = match outcome.end() {
            End::Cancelled if server => (Some(Code::CANCELLED), Some(Origin::Peer)),
            End::Cancelled if attempts::is_decided() => {
                // The call has its answer: that is no error of anybody's.
                outcome = Outcome::cancelled_on_purpose();
                (Some(Code::CANCELLED), Some(Origin::Superseded))
            }
            End::Cancelled if current::is_given_up() => {
                (Some(Code::CANCELLED), Some(Origin::Cascaded))
            }
            End::Cancelled => (Some(Code::CANCELLED), Some(Origin::Local)),
            End::TimedOut => (Some(Code::DEADLINE_EXCEEDED), Some(Origin::Deadline)),
            _ => (None, None),
        };
        self.end(code, outcome, origin);
    }
}
