//! What is known of a request's body, which another task may poll than the one that owns the operation.

use super::scope::Codec;
use super::waited::Waited;
use crate::frames::Tally;
use obs_core::{Active, Kind, Labels, Moment, StatsLevel};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Written by whoever polls the body, one after another; read by the owner of the operation at its end.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) kind: &'static Kind,
    pub(crate) level: StatsLevel,
    /// Those that it started with.
    #[cfg_attr(not(feature = "codec"), expect(dead_code, reason = "the codec's"))]
    pub(crate) labels: Labels,
    /// What its codec says of it.
    pub(crate) codec: Codec,
    /// What it had to wait for before it could be sent.
    pub(crate) waited: Waited,
    messages: AtomicU64,
    compressed: AtomicU64,
    bytes: AtomicU64,
    began: AtomicU64,
    first: AtomicU64,
    over: AtomicU64,
    failed: AtomicU8,
    /// When it was made, at Detailed: the service inside is called next.
    called: Option<Moment>,
    // Where a layer stands right around the handler.
    handled: AtomicU64,
    answered: AtomicU64,
}

/// What of it is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) tally: Tally,
    /// The first poll.
    pub(crate) began: Option<Moment>,
    /// The first message is there to its last byte.
    pub(crate) first: Option<Moment>,
    /// There is nothing more to come.
    pub(crate) over: Option<Moment>,
}

/// No order is needed between them: numbers of one body, each right by itself.
const ORDER: Ordering = Ordering::Relaxed;

const FAILED: u8 = 1;

impl Flow {
    #[inline(always)]
    pub(crate) fn new(active: &Active<'_>) -> Self {
        Self {
            kind: active.kind(),
            level: active.level(),
            labels: active.labels(),
            codec: Codec::default(),
            waited: Waited::new(active),
            messages: AtomicU64::new(0),
            compressed: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            began: AtomicU64::new(0),
            first: AtomicU64::new(0),
            over: AtomicU64::new(0),
            failed: AtomicU8::new(0),
            called: (active.level() == StatsLevel::Detailed).then(|| active.kind().now()),
            handled: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        }
    }

    #[inline(always)]
    pub(crate) fn is_detailed(&self) -> bool {
        self.level == StatsLevel::Detailed
    }

    #[inline(always)]
    pub(crate) fn store(&self, tally: &Tally) {
        self.messages.store(tally.messages, ORDER);
        self.compressed.store(tally.compressed, ORDER);
        self.bytes.store(tally.bytes, ORDER);
    }

    #[inline(always)]
    fn stamp(&self, place: &AtomicU64) {
        if self.is_detailed() {
            self.stamp_once(place);
        }
    }

    #[inline(never)]
    fn stamp_once(&self, place: &AtomicU64) {
        if place.load(ORDER) == 0 {
            place.store(self.kind.now().to_bits(), ORDER);
        }
    }

    #[inline(always)]
    pub(crate) fn begin(&self) {
        self.stamp(&self.began);
        self.waited.sent();
    }

    #[inline(always)]
    pub(crate) fn first_message(&self) {
        self.stamp(&self.first);
    }

    #[inline(always)]
    pub(crate) fn end(&self) {
        self.stamp(&self.over);
        self.codec.body_over(self);
    }

    /// It failed: of itself, or because of the peer, which is not there to be answered then.
    #[cold]
    pub(crate) fn fail(&self, by_peer: bool) {
        self.failed.store(FAILED + u8::from(by_peer), ORDER);
    }

    #[inline(always)]
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(ORDER) != 0
    }

    #[inline(always)]
    pub(crate) fn is_broken_off(&self) -> bool {
        self.failed.load(ORDER) > FAILED
    }

    /// Whether it has been read or sent to its end. Known at Detailed.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(ORDER) != 0
    }

    /// Whether anybody polled it, or nobody had to. Known at Detailed.
    pub(crate) fn has_begun(&self) -> bool {
        self.began.load(ORDER) != 0
    }

    /// When a server's handler is called: as a layer around it or the codec knows, else as far as that is seen from outside: with the one message of a request that is over;
    /// else it may be a handler of a stream, which gets it before its first message, and it is the call of the service.
    pub(crate) fn handed_over(&self) -> Option<Moment> {
        if let Some(known) = self.codec.handled() {
            return known;
        }
        // As a layer around the handler sees, which Volo's generated code reads the message behind.
        let called = Moment::from_bits(self.handled.load(ORDER)).or(self.called);
        match self.messages.load(ORDER) {
            1 if !self.has_failed() => Moment::from_bits(self.over.load(ORDER)).or(called),
            _ => called,
        }
    }

    /// The handler is called now, as a layer right around it sees.
    #[cfg(feature = "volo-grpc")]
    pub(crate) fn enter_handler(&self) {
        self.stamp(&self.handled);
    }

    /// It has answered, or given up.
    #[cfg(feature = "volo-grpc")]
    pub(crate) fn leave_handler(&self) {
        self.stamp(&self.answered);
    }

    /// When a handler had answered, where a layer stands right around it.
    pub(crate) fn answered(&self) -> Option<Moment> {
        Moment::from_bits(self.answered.load(ORDER))
    }

    #[inline(always)]
    pub(crate) fn read(&self) -> Seen {
        let at = |place: &AtomicU64| Moment::from_bits(place.load(ORDER));
        Seen {
            tally: Tally {
                messages: self.messages.load(ORDER),
                compressed: self.compressed.load(ORDER),
                bytes: self.bytes.load(ORDER),
                ..Tally::NONE
            },
            began: at(&self.began),
            first: at(&self.first),
            over: at(&self.over),
        }
    }
}
