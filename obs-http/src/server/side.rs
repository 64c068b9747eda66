//! The side that answers.

use super::settings::Settings;
use crate::classify::{self, BROKEN_BODY, Classify, ServerClassify};
use crate::exchange::settings::Common;
use crate::exchange::side::{BodySide, Side};
use http::StatusCode;
use obs_core::{Event, Outcome};

/// What a server's future knows.
#[derive(Clone, Debug)]
pub struct Answering<C> {
    pub(crate) settings: &'static Settings,
    pub(crate) classify: C,
}

/// What a server's body knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answered;

impl<C: Classify<E>, E> Side<E> for Answering<C> {
    type Body = Answered;
    const AT_HEAD: &'static [Event] = &[Event::RESPONSE_HEAD, Event::SERVER_HANDLE_FINISH];
    const AT_ERROR: &'static [Event] = &[Event::SERVER_HANDLE_FINISH];

    #[inline(always)]
    fn common(&self) -> &'static Common {
        &self.settings.common
    }

    #[inline(always)]
    fn of_status(&self, status: StatusCode) -> Outcome {
        classify::status(self.settings.kind, &self.classify, status, |status| {
            Classify::<E>::classify_status(&ServerClassify, status)
        })
    }

    fn of_error(&self, error: &E) -> Outcome {
        classify::error(self.settings.kind, || self.classify.classify_error(error))
    }

    fn look(&self) {
        self.settings.outside.look_again(self.settings.kind);
    }

    #[inline(always)]
    fn body(&self) -> Answered {
        Answered
    }
}

impl<E> BodySide<E> for Answered {
    const FIRST: Event = Event::WRITE_START;
    const DATA: Event = Event::STREAM_SEND;
    const LAST: Event = Event::WRITE_FINISH;

    /// It is broken whatever the status said.
    fn of_broken(&self, _error: &E) -> Outcome {
        BROKEN_BODY
    }
}
