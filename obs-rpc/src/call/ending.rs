//! How a call ends: once, with its status, its numbers, and who cancelled it.

use super::flow::Flow;
use super::settings::{Common, Role};
use crate::descriptor::{
    METHOD, REQUEST_MESSAGES, REQUEST_SIZE, RESPONSE_MESSAGES, RESPONSE_SIZE, STATUS,
};
use crate::frames::Tally;
use crate::status::Code;
use obs_core::semconv::{obs, rpc};
use obs_core::{Active, End, Event, LabelId, Operation, Outcome, current};
use std::sync::Arc;

/// A call that is under way, with what was seen of it so far. Dropped before it is ended, it was given up.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) flow: Option<Arc<Flow>>,
    /// Of the response.
    pub(crate) tally: Tally,
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
}

impl Origin {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Deadline => "deadline",
            Self::Peer => "peer",
            Self::Cascaded => "cascaded",
        }
    }
}

impl Call {
    pub(crate) const fn unobserved() -> Self {
        Self {
            operation: Operation::disabled(),
            flow: None,
            tally: Tally {
                messages: 0,
                compressed: 0,
                bytes: 0,
            },
            common: None,
            unknown: None,
        }
    }

    #[inline(always)]
    pub(crate) fn is_recording(&self) -> bool {
        self.operation.is_recording()
    }

    /// There is an answer: a method that is implemented is one, unless it is configured which there are.
    #[inline(always)]
    pub(crate) fn name_method(&mut self, code: Option<Code>) {
        if self.unknown.is_some() && code != Some(Code::UNIMPLEMENTED) {
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

    /// Ended by a status from the peer or to it.
    #[inline(never)]
    pub(crate) fn end_with(&mut self, code: Code) {
        let outcome = match self.common {
            Some(common) => common.outcome(code),
            None => Outcome::ANSWERED,
        };
        // To be cancelled is the peer's to say, to be late too.
        let origin = match code {
            Code::CANCELLED => Some(Origin::Peer),
            Code::DEADLINE_EXCEEDED => Some(Origin::Deadline),
            _ => None,
        };
        self.end(Some(code), outcome, origin);
    }

    /// Ended as said. `origin` is of what was cancelled or late.
    pub(crate) fn end(&mut self, code: Option<Code>, outcome: Outcome, origin: Option<Origin>) {
        if let Some(mut active) = self.operation.active() {
            if let Some(code) = code {
                active.set_label(STATUS, code.label());
            }
            if let Some(origin) = origin {
                active.set_static(obs::RPC_CANCEL_ORIGIN, origin.as_str());
            }
            if let Some(method) = self.unknown.take() {
                active.set_label(METHOD, LabelId::OVERFLOW);
                active.set(rpc::METHOD_ORIGINAL, &*method);
            }
            let role = self.common.map(|common| common.role);
            tell(&mut active, self.flow.as_deref(), &self.tally, role);
        }
        self.operation.end_in_place(outcome);
    }
}

/// What was counted and seen elsewhere.
#[inline(always)]
fn tell(active: &mut Active<'_>, flow: Option<&Flow>, response: &Tally, role: Option<Role>) {
    if role == Some(Role::Logical) {
        return;
    }
    active.set_measure(RESPONSE_MESSAGES, response.messages);
    active.set_measure(RESPONSE_SIZE, response.bytes);
    if response.compressed > 0 {
        active.set(obs::RPC_RESPONSE_COMPRESSED, response.compressed as i64);
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
        stamp(active, flow, &seen, role == Some(Role::Server));
    }
}

#[inline(never)]
fn stamp(active: &mut Active<'_>, flow: &Flow, seen: &super::flow::Seen, server: bool) {
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
            (seen.over, &[Event::WRITE_FINISH, Event::WAIT_READ_START]),
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
        let Some(outcome) = self.operation.outcome_if_dropped() else {
            return;
        };
        let server = self
            .common
            .is_some_and(|common| common.role == Role::Server);
        let (code, origin) = match outcome.end() {
            End::Cancelled if server => (Some(Code::CANCELLED), Some(Origin::Peer)),
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
