//! A reading of an operation's clock by whoever does not hold the operation.

use crate::engine::kind::Kind;
use crate::event::Event;
use crate::operation::Active;
use crate::record::Record;
use crate::setup::Telemetry;
use std::num::NonZeroU64;
use std::time::Duration;

/// When something happened, by the clock of one telemetry: taken by the task that saw it, stamped by the one that owns the
/// operation. A word, for an atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(NonZeroU64);

impl Moment {
    /// The word; never zero.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// What [`to_bits`](Self::to_bits) gave; `None` for zero.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Ticks since an earlier one; none if it is later. [`Kind::ticks`] says how many a duration has.
    #[inline(always)]
    pub const fn ticks_since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}

impl Kind {
    /// Now.
    #[inline(always)]
    pub fn now(&self) -> Moment {
        let ticks = self.clock.ticks();
        Moment(NonZeroU64::new(ticks).unwrap_or(NonZeroU64::MIN))
    }

    /// The wall clock now, in nanoseconds since the Unix epoch, for what depends on the hour: it may be set back, so nothing is
    /// measured by it.
    pub fn unix_nanos(&self) -> u64 {
        self.clock.unix_nanos()
    }

    /// How many ticks of its clock a duration has, to compare with [`Moment::ticks_since`] again and again. Saturates.
    pub fn ticks(&self, duration: Duration) -> u64 {
        self.engine.ticks(duration)
    }

    /// How many ticks its clock has in a second, as well as known by now. That is measured again now and then: who has several times
    /// to tell together asks once.
    pub fn ticks_per_second(&self) -> f64 {
        self.clock.ticks_per_second()
    }

    /// How many seconds so many ticks are.
    #[inline]
    pub fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.set.ticks_per_second
    }

    /// Whether moments of the two can be compared: they are of one telemetry.
    pub fn shares_clock_with(&self, other: &Self) -> bool {
        std::ptr::eq(self.engine, other.engine)
    }

    /// The time from one moment to another of this kind's telemetry; none if they are the other way round.
    pub fn between(&self, from: Moment, to: Moment) -> Duration {
        let ticks = to.to_bits().saturating_sub(from.to_bits());
        Duration::from_secs_f64(ticks as f64 / self.clock.ticks_per_second())
    }
}

impl Telemetry {
    /// Now, by its clock: for whoever observes something that is no operation, a device or an engine.
    ///
    /// ```
    /// use obs_core::{Clock, ManualClock, Telemetry};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::new();
    /// let telemetry = Telemetry::builder().manual().with_clock(Clock::manual(&clock)).build()?;
    /// let began = telemetry.now();
    /// clock.advance(Duration::from_secs(2));
    /// let now = telemetry.now();
    ///
    /// assert_eq!(telemetry.between(began, now), Duration::from_secs(2));
    /// assert_eq!(telemetry.between(now, began), Duration::ZERO);
    /// assert!(now.ticks_since(began) >= telemetry.ticks(Duration::from_secs(2)));
    /// let [from, to] = telemetry.unix_nanos_at([began, now]);
    /// assert_eq!(to - from, 2_000_000_000);
    /// # Ok::<(), obs_core::Error>(())
    /// ```
    #[inline]
    pub fn now(&self) -> Moment {
        let ticks = self.engine().clock.ticks();
        Moment(NonZeroU64::new(ticks).unwrap_or(NonZeroU64::MIN))
    }

    /// The time from one moment of its clock to another; none if they are the other way round.
    pub fn between(&self, from: Moment, to: Moment) -> Duration {
        let ticks = to.ticks_since(from);
        Duration::from_secs_f64(ticks as f64 / self.engine().clock.ticks_per_second())
    }

    /// How many ticks of its clock a duration has, to compare with [`Moment::ticks_since`] again and again. Saturates.
    pub fn ticks(&self, duration: Duration) -> u64 {
        self.engine().ticks(duration)
    }

    /// What the wall clock shows at these moments, in nanoseconds since the Unix epoch, as it is set now.
    pub fn unix_nanos_at<const N: usize>(&self, moments: [Moment; N]) -> [u64; N] {
        let anchor = self.engine().clock.anchor();
        moments.map(|moment| anchor.unix_nanos(moment.to_bits()))
    }
}

impl Record<'_> {
    /// When it started, by the clock of its telemetry.
    pub fn started(&self) -> Moment {
        Moment(NonZeroU64::new(self.live().start).unwrap_or(NonZeroU64::MIN))
    }

    /// When it ended, by the same.
    pub fn ended(&self) -> Moment {
        Moment(NonZeroU64::new(self.live().end).unwrap_or(NonZeroU64::MIN))
    }
}

impl Active<'_> {
    /// It began at `at` already, when whose child it is was not known yet. Said first of all: what is stamped lies after it.
    #[doc(hidden)]
    pub fn began(&mut self, at: Moment) {
        self.0.start = self.0.start.min(at.to_bits());
    }

    /// When it started.
    #[inline(always)]
    pub fn started(&self) -> Moment {
        Moment(NonZeroU64::new(self.0.start).unwrap_or(NonZeroU64::MIN))
    }

    /// When an event point was stamped, if it was: an [annotator](crate::Annotator) learns by it what the operation went through.
    ///
    /// ```
    /// use obs_core::{Active, Event, Milestone};
    ///
    /// /// How long what has its first output stood in a queue, in ticks.
    /// fn queued(milestone: &Milestone, operation: &Active<'_>) -> Option<u64> {
    ///     let Milestone::FirstOutput { .. } = milestone else { return None };
    ///     Some(operation.stamped(Event::SCHEDULED)?.ticks_since(operation.started()))
    /// }
    /// ```
    pub fn stamped(&self, event: Event) -> Option<Moment> {
        let since_start = self.0.timeline.at(event)?;
        Moment::from_bits(self.0.start.saturating_add(since_start))
    }

    /// Stamps an event point that was seen elsewhere. Of all stamps of an event the earliest counts; below the event's level
    /// nothing happens.
    pub fn stamp_at(&mut self, event: Event, at: Moment) {
        self.stamp_all_at(std::iter::once((event, at)));
    }

    /// The same for several, which are put in order once.
    pub fn stamp_all_at(&mut self, stamps: impl IntoIterator<Item = (Event, Moment)>) {
        let live = &mut *self.0;
        let (level, start) = (live.level, live.start);
        let stamps = stamps.into_iter();
        let stamps = stamps.filter(|(event, _)| level >= event.level());
        let since_start = |(event, at): (Event, Moment)| {
            let at = at.to_bits().saturating_sub(start);
            (event, at)
        };
        live.timeline.merge(stamps.map(since_start));
    }
}
