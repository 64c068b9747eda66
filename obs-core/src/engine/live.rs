//! The record of one operation: flat, pooled, moved by its box from start to export.

use super::family::Family;
use super::kind::Kind;
use crate::attributes::Attributes;
use crate::label::Labels;
use crate::level::StatsLevel;
use crate::outcome::{End, ErrorType};
use crate::session::Session;
use crate::shared::Shared;
use crate::side::Side;
use crate::timeline::Timeline;
use opentelemetry::Context;
use std::sync::Arc;

pub(crate) type TraceFamily = Family<Box<Live>>;

pub(crate) struct Live {
    pub(crate) kind: &'static Kind,
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    pub(crate) parent_id: u64,
    /// Ticks.
    pub(crate) start: u64,
    /// When it ended. While it runs, when it is late; `u64::MAX` is no deadline.
    pub(crate) end: u64,
    pub(crate) labels: Labels,
    pub(crate) flags: Flags,
    /// The series of the gauge it counts in, and where that was found.
    pub(crate) in_flight: u32,
    pub(crate) in_flight_slot: u8,
    /// The series of its metrics, once it has ended.
    pub(crate) series: u32,
    pub(crate) level: StatsLevel,
    pub(crate) trace_flags: u8,
    pub(crate) ended: End,
    pub(crate) reason: Reason,
    pub(crate) error: ErrorType,
    /// One bit per entry of `measures` that was set.
    pub(crate) measured: u8,
    /// The process it began in, where that is asked for ([`Flags::ASKS`]).
    pub(crate) generation: u32,
    pub(crate) measures: [u64; 4],
    pub(crate) tracestate: (u32, u32),
    pub(crate) timeline: Timeline,
    pub(crate) attributes: Attributes,
    pub(crate) session: Option<Arc<Session>>,
    /// The family this one leads, if it is a root that asked for one ([`Flags::LEADS`]); else kept for reuse.
    pub(crate) family: Option<Arc<TraceFamily>>,
    /// The family it belongs to as a child.
    pub(crate) joined: Option<Arc<TraceFamily>>,
    /// Where handles and the attached span write, if anybody asked ([`Flags::SHARED`]); else kept for reuse.
    pub(crate) shared: Option<Arc<Shared>>,
    pub(crate) context: Option<Context>,
    /// What few operations have: links, events with attributes, a name or status of the user's.
    pub(crate) side: Option<Box<Side>>,
}

/// Why a record is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// It is not, or not yet.
    None,
    /// The head decision.
    Sampled,
    Error,
    Slow,
    Forced,
    /// The family was kept for another's sake.
    Family,
}

impl Reason {
    /// What `obs.keep.reason` says; nothing where the head decision kept it.
    pub(crate) fn text(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Sampled => None,
            Self::Error => Some("error"),
            Self::Slow => Some("slow"),
            Self::Forced => Some("forced"),
            Self::Family => Some("trace"),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    pub(crate) const SAMPLED: Self = Self(1);
    /// The parent lies in another process.
    pub(crate) const REMOTE: Self = Self(1 << 1);
    pub(crate) const LEADS: Self = Self(1 << 2);
    pub(crate) const SHARED: Self = Self(1 << 3);
    pub(crate) const FORCED: Self = Self(1 << 4);
    pub(crate) const PANICKED: Self = Self(1 << 5);
    /// The topmost of the exported ones, although the head said no.
    pub(crate) const PARTIAL: Self = Self(1 << 6);
    /// Something of what few operations have is there: a side table, a context, a shared part.
    pub(crate) const RARE: Self = Self(1 << 9);
    /// It began with a stranger's request: baggage around it is not ours to show.
    pub(crate) const STRANGERS: Self = Self(1 << 11);
    /// What being dropped means is said already, in `ended` and `error`.
    pub(crate) const FORESEEN: Self = Self(1 << 10);
    /// A provider of the service's records its span.
    pub(crate) const SDK: Self = Self(1 << 12);
    /// That span has not begun: there are no ids yet.
    pub(crate) const UNBORN: Self = Self(1 << 13);
    /// That span records nothing, or there is none.
    pub(crate) const UNRECORDED: Self = Self(1 << 14);
    /// The head decision is still to be made.
    pub(crate) const UNDECIDED: Self = Self(1 << 8);
    /// It knows which process it began in ([`Live::generation`]).
    pub(crate) const ASKS: Self = Self(1 << 15);
    /// The parent is known at all (and perhaps in this process).
    pub(crate) const HAS_PARENT: Self = Self(1 << 7);

    /// It is of a session, and somebody is to be told when it ends.
    pub(crate) const WITNESSED: Self = Self(1 << 16);

    /// How many kinds are watched at most ([`Kind::watch_around`]): each has one of the upper bits in what runs within it.
    pub(crate) const AROUND: usize = 15;
    const FIRST_AROUND: usize = u32::BITS as usize - Self::AROUND;

    pub(crate) const fn around_bit(index: usize) -> Self {
        Self(1 << (Self::FIRST_AROUND + index))
    }

    /// Those of the kinds that it runs within.
    #[inline(always)]
    pub(crate) const fn around(self) -> Self {
        Self(self.0 & (u32::MAX << Self::FIRST_AROUND))
    }

    #[inline(always)]
    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(crate) const fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether there is this one, or one of several.
    #[inline(always)]
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of either.
    #[inline(always)]
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    #[inline(always)]
    pub(crate) fn unset(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    #[inline(always)]
    pub(crate) const fn with_if(self, other: Self, condition: bool) -> Self {
        if condition {
            Self(self.0 | other.0)
        } else {
            self
        }
    }
}

/// Who it is, and nothing that was written into it.
impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live")
            .field("kind", &self.kind.descriptor.name)
            .field("trace_id", &format_args!("{:032x}", self.trace_id))
            .field("span_id", &format_args!("{:016x}", self.span_id))
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// Room a fresh record has for attributes: what an HTTP exchange needs.
const ENTRIES: usize = 7;
const TEXT: usize = 96;

impl Live {
    #[cold]
    pub(crate) fn fresh(kind: &'static Kind) -> Box<Self> {
        Box::new(Self {
            kind,
            trace_id: 0,
            span_id: 0,
            parent_id: 0,
            start: 0,
            end: 0,
            labels: Labels::NONE,
            flags: Flags::default(),
            in_flight: 0,
            in_flight_slot: 0,
            series: 0,
            level: StatsLevel::Base,
            trace_flags: 0,
            ended: End::Answered,
            reason: Reason::None,
            error: ErrorType::NONE,
            measured: 0,
            generation: 0,
            measures: [0; 4],
            tracestate: (0, 0),
            timeline: Timeline::default(),
            attributes: Attributes::with_room(ENTRIES, TEXT, &kind.bounds),
            session: None,
            family: None,
            joined: None,
            shared: None,
            context: None,
            side: None,
        })
    }

    /// A measure, if it was set.
    pub(crate) fn measure(&self, index: usize) -> Option<f64> {
        let value = self.measures.get(index)?;
        (self.measured & 1 << index != 0).then_some(*value as f64)
    }

    /// Makes it ready for the next operation; what is expensive to make again stays.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        if self.flags.has(Flags::RARE) || self.session.is_some() || self.joined.is_some() {
            self.clear_rare();
        }
        self.attributes.clear(ENTRIES, TEXT);
        self.timeline.clear();
    }

    #[inline(never)]
    fn clear_rare(&mut self) {
        // The context before the shared part, which its span holds.
        self.context = None;
        self.session = None;
        self.joined = None;
        self.side = None;
        if self.flags.has(Flags::SHARED) {
            self.release_shared();
        }
    }

    /// Keeps the shared part for the next operation if nobody else holds it; whoever does must find it unchanged.
    #[cold]
    fn release_shared(&mut self) {
        self.attributes.unwatch(&self.kind.bounds);
        if let Some(shared) = &self.shared {
            if Arc::strong_count(shared) == 1 {
                shared.release();
            } else {
                self.shared = None;
            }
        }
    }

    /// Whether it holds more than a record in the pool does: then its bytes are counted while it waits.
    #[inline(always)]
    pub(crate) fn is_large(&self) -> bool {
        self.side.is_some() || self.attributes.has_long_text(TEXT)
    }

    /// Bytes it holds, for the caps of what waits.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.attributes.capacity_bytes()
            + self.timeline.capacity_bytes()
            + self.side.as_ref().map_or(0, |side| side.bytes())
    }

    #[inline]
    pub(crate) fn side(&mut self) -> &mut Side {
        self.flags.set(Flags::RARE);
        let side = self.side.get_or_insert_default();
        side.owners = self.attributes.len();
        side
    }
}
