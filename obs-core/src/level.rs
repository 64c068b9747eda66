//! How much an operation reports: [`StatsLevel`], as in Kitex, changeable while running.

use crate::sync::{AtomicU8, Ordering};

/// How much an operation of a kind, or of one of its methods, reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StatsLevel {
    /// Nothing is recorded; the cost is one branch.
    Disabled = 0,
    /// Start and finish: the span, its attributes, the metrics. No span events.
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
        let mut old = self.0.load(Ordering::Relaxed);
        while let Err(now) = self.0.compare_exchange(
            old,
            (old & MARK) | level as u8,
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            old = now;
        }
    }

    pub(crate) fn set_own(&self, level: Option<StatsLevel>) {
        self.0
            .store(level.map_or(MARK, |level| level as u8), Ordering::Relaxed);
    }

    pub(crate) fn mark_methods(&self) {
        self.0.fetch_or(MARK, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn has_methods(raw: u8) -> bool {
        raw & MARK != 0
    }

    #[inline(always)]
    pub(crate) fn level(raw: u8) -> StatsLevel {
        StatsLevel::from_u8(raw & !MARK)
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
    fn a_method_follows_its_kind_until_it_has_a_level_of_its_own() {
        let method = LevelCell::inherit();
        assert_eq!(method.own(), None);
        method.set_own(Some(StatsLevel::Detailed));
        assert_eq!(method.own(), Some(StatsLevel::Detailed));
        method.set_own(None);
        assert_eq!(method.own(), None);
    }
}
