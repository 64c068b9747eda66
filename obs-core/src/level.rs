//! How much an operation reports: [`StatsLevel`], as in Kitex, changeable while running.

use crate::sync::{AtomicU8, Ordering};

/// How much an operation of a kind, or of one of its methods, reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StatsLevel {
    /// Nothing is recorded; the cost is one branch.
    Disabled = 0,
    /// Start and finish: the span, its attributes, the metrics. No span events but those that the service itself adds, or
    /// [defined](crate::Event::define) for this level.
    #[default]
    Base = 1,
    /// Every event point of the operation's life, as span events and stages.
    Detailed = 2,
}

impl StatsLevel {
    pub(crate) const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Disabled,
            1 => Self::Base,
            _ => Self::Detailed,
        }
    }
}

/// One level that many threads read and few change.
#[derive(Debug)]
pub(crate) struct LevelCell(AtomicU8);

/// In the cell of a kind: some method has a level of its own. In the cell of a method: it has none.
const MARK: u8 = 0x80;
/// The cell of a kind that is switched off for good. Nothing else is in it, so that whoever reads the level finds
/// Disabled, and no method that could say otherwise.
const OFF: u8 = 0x40;
const LEVEL: u8 = 0x03;

impl LevelCell {
    pub(crate) fn new(level: StatsLevel) -> Self {
        Self(AtomicU8::new(level as u8))
    }

    /// The cell of a method that follows its kind.
    pub(crate) fn inherit() -> Self {
        Self(AtomicU8::new(MARK))
    }

    #[inline(always)]
    pub(crate) fn raw(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the level and keeps the mark, so that a change of the kind's level never hides its methods' levels.
    pub(crate) fn set(&self, level: StatsLevel) {
        self.change(|old| (old & MARK) | level as u8);
    }

    /// From now on the level is Disabled, whatever is set.
    pub(crate) fn switch_off(&self) {
        // Not a store: read-modify-writes are in one order with the changes it must win against.
        self.0.swap(OFF, Ordering::Relaxed);
    }

    /// Says whether anything can be changed: not where it is off.
    fn change(&self, change: impl Fn(u8) -> u8) -> bool {
        let mut old = self.0.load(Ordering::Relaxed);
        while old != OFF {
            match self
                .0
                .compare_exchange(old, change(old), Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
        false
    }

    pub(crate) fn set_own(&self, level: Option<StatsLevel>) {
        self.0
            .store(level.map_or(MARK, |level| level as u8), Ordering::Relaxed);
    }

    /// Says whether the kind is not off.
    pub(crate) fn mark_methods(&self) -> bool {
        self.change(|old| old | MARK)
    }

    #[inline(always)]
    pub(crate) fn has_methods(raw: u8) -> bool {
        raw & MARK != 0
    }

    #[inline(always)]
    pub(crate) fn level(raw: u8) -> StatsLevel {
        StatsLevel::from_u8(raw & LEVEL)
    }

    /// Whether neither the kind nor any of its methods reports anything.
    #[inline(always)]
    pub(crate) fn is_disabled(raw: u8) -> bool {
        raw & !OFF == StatsLevel::Disabled as u8
    }

    /// The method's own level, if it has one.
    #[inline(always)]
    pub(crate) fn own(&self) -> Option<StatsLevel> {
        let raw = self.raw();
        (raw & MARK == 0).then(|| StatsLevel::from_u8(raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changing_a_kinds_level_keeps_the_mark_of_its_methods() {
        let kind = LevelCell::new(StatsLevel::Base);
        kind.mark_methods();
        kind.set(StatsLevel::Disabled);
        assert!(LevelCell::has_methods(kind.raw()));
        assert_eq!(LevelCell::level(kind.raw()), StatsLevel::Disabled);
    }

    #[test]
    fn what_is_off_stays_off() {
        let kind = LevelCell::new(StatsLevel::Detailed);
        kind.mark_methods();
        kind.switch_off();
        kind.set(StatsLevel::Base);
        assert!(!kind.mark_methods());
        assert_eq!(LevelCell::level(kind.raw()), StatsLevel::Disabled);
        assert!(!LevelCell::has_methods(kind.raw()));
        assert!(LevelCell::is_disabled(kind.raw()));
    }

    #[test]
    fn a_method_follows_its_kind_until_it_has_a_level_of_its_own() {
        let method = LevelCell::inherit();
        assert_eq!(method.own(), None);
        method.set_own(Some(StatsLevel::Detailed));
        assert_eq!(method.own(), Some(StatsLevel::Detailed));
        method.set_own(None);
        assert_eq!(method.own(), None);
    }
}
