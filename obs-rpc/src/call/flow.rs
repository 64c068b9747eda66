//! What is known of a request's body, which another task may poll than the one that owns the operation.

use super::scope::Codec;
use super::waited::Waited;
use crate::frames::Tally;
use obs_core::{Active, Kind, Labels, Moment, StatsLevel};
use std::sync::atomic::{AtomicU64, Ordering};

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

impl Flow {
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
        if self.is_detailed() && place.load(ORDER) == 0 {
            place.store(self.kind.now().to_bits(), ORDER);
        }
    }

    pub(crate) fn begin(&self) {
        self.stamp(&self.began);
        self.waited.sent();
    }

    /// Whether it was ever polled: at Detailed.
    pub(crate) fn has_begun(&self) -> bool {
        self.began.load(ORDER) != 0
    }

    pub(crate) fn first_message(&self) {
        self.stamp(&self.first);
    }

    pub(crate) fn end(&self) {
        self.stamp(&self.over);
        self.codec.body_over(self);
    }

    pub(crate) fn read(&self) -> Seen {
        let at = |place: &AtomicU64| Moment::from_bits(place.load(ORDER));
        Seen {
            tally: Tally {
                messages: self.messages.load(ORDER),
                compressed: self.compressed.load(ORDER),
                bytes: self.bytes.load(ORDER),
            },
            began: at(&self.began),
            first: at(&self.first),
            over: at(&self.over),
        }
    }
}
