//! When a call's messages were encoded and decoded, and when its handler had them.

use super::scope;
use crate::call::flow::Flow;
use crate::descriptor::{CLIENT_DECODE, CLIENT_ENCODE, SERVER_DECODE, SERVER_ENCODE};
use obs_core::{Event, Moment};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Part of a [`Flow`]. Each place is written by one task at a time.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    /// Of the first message.
    encoded: (AtomicU64, AtomicU64),
    decoded: (AtomicU64, AtomicU64),
    handler: (AtomicU64, AtomicU64),
    /// Its decoder was made. Another one is not its own, but of a server that its handler calls in memory.
    has_decoder: AtomicBool,
    /// How often the future that answers was polled, and in which of these polls what happened; 0 if in none.
    polls: AtomicU32,
    first_decoded_in: AtomicU32,
    asked_again_in: AtomicU32,
    over_in: AtomicU32,
}

/// Each is right by itself.
const ORDER: Ordering = Ordering::Relaxed;

impl Timings {
    pub(super) fn count_poll(&self) {
        self.polls.store(self.polls.load(ORDER) + 1, ORDER);
    }

    /// Whether this is the first to ask.
    pub(super) fn is_first_decoder(&self) -> bool {
        !self.has_decoder.swap(true, ORDER)
    }

    /// In this poll, if it is the first.
    fn note(&self, place: &AtomicU32) {
        if place.load(ORDER) == 0 && scope::is_answered(self) {
            place.store(self.polls.load(ORDER), ORDER);
        }
    }

    /// A server's request is asked for more.
    pub(super) fn body_polled(&self) {
        if self.first_decoded_in.load(ORDER) != 0 {
            self.note(&self.asked_again_in);
        }
    }

    /// There is nothing more to come of the request.
    pub(crate) fn body_over(&self, flow: &Flow) {
        if flow.is_detailed() && scope::is_server(flow) {
            self.note(&self.over_in);
        }
    }

    /// Whether the request was asked for more at once after its message, and was over in the very poll that this is.
    fn is_read_at_once(&self) -> bool {
        let polls = self.polls.load(ORDER);
        let is_in = |place: &AtomicU32, poll| poll != 0 && place.load(ORDER) == poll;
        is_in(&self.asked_again_in, self.first_decoded_in.load(ORDER))
            && is_in(&self.over_in, polls)
            && scope::is_answered(self)
    }

    /// Whether it can say when the handler was called, and when: one that never was has no moment.
    pub(crate) fn handled(&self) -> Option<Option<Moment>> {
        let asked = self.has_decoder.load(ORDER);
        asked.then(|| Moment::from_bits(self.handler.0.load(ORDER)))
    }

    /// What happened, for the operation at its end.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = (Event, Moment)> {
        let places = [
            (Event::ENCODE_START, &self.encoded.0),
            (Event::ENCODE_FINISH, &self.encoded.1),
            (Event::DECODE_START, &self.decoded.0),
            (Event::DECODE_FINISH, &self.decoded.1),
            (Event::SERVER_HANDLE_START, &self.handler.0),
            (Event::SERVER_HANDLE_FINISH, &self.handler.1),
        ];
        let at = |place: &AtomicU64| Moment::from_bits(place.load(ORDER));
        let places = places.into_iter();
        places.filter_map(move |(event, place)| Some((event, at(place)?)))
    }
}

/// Its messages. The first one is told by the events of its call, and becomes a point of the stage at the call's end like
/// all other stages; those that follow are points by themselves.
impl Flow {
    pub(super) fn encoded(&self, from: Moment, to: Moment) {
        let stage = if scope::is_server(self) {
            SERVER_ENCODE
        } else {
            CLIENT_ENCODE
        };
        self.passed(&self.codec.encoded, stage, from, to);
    }

    pub(super) fn decoded(&self, from: Moment, to: Moment) {
        let stage = if scope::is_server(self) {
            self.codec.note(&self.codec.first_decoded_in);
            SERVER_DECODE
        } else {
            CLIENT_DECODE
        };
        self.passed(&self.codec.decoded, stage, from, to);
    }

    fn passed(&self, first: &(AtomicU64, AtomicU64), stage: usize, from: Moment, to: Moment) {
        if first.1.load(ORDER) == 0 {
            first.0.store(from.to_bits(), ORDER);
            first.1.store(to.to_bits(), ORDER);
        } else {
            self.kind.record_stage(self.labels, stage, from, to);
        }
    }

    /// The decoder is gone, which was made at `asked` and took so many messages.
    ///
    /// Where the request is one message, tonic reads it to its end without doing anything else, lets go of the decoder,
    /// and calls the handler. Where it is a stream the handler is called at once, and has the decoder.
    pub(super) fn decoder_gone(&self, asked: Moment, messages: u64) {
        let from = match messages {
            // Whether there ever was a handler shows in whether it answers.
            0 => return,
            1 if self.codec.is_read_at_once() => self.kind.now(),
            _ => asked,
        };
        self.handled_from(from);
    }

    /// The handler has answered, and not with an error.
    pub(super) fn handler_answered(&self, asked: Moment) {
        self.handled_from(asked);
        if self.codec.handler.1.load(ORDER) == 0 {
            let now = self.kind.now();
            self.codec.handler.1.store(now.to_bits(), ORDER);
        }
    }

    fn handled_from(&self, at: Moment) {
        if self.codec.handler.0.load(ORDER) == 0 {
            self.codec.handler.0.store(at.to_bits(), ORDER);
        }
    }
}
