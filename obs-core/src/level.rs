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

    /// Its name in lower case, for settings and messages: `detailed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Base => "base",
            Self::Detailed => "detailed",
        }
    }

    /// The level that [`as_str`](Self::as_str) names so.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Disabled, Self::Base, Self::Detailed];
        all.into_iter().find(|level| level.as_str() == name)
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
/// What is in the cell is lent for a time; what it falls back to is beside it, in `BEFORE`: a level, or 3 for the mark of a
/// method that follows its kind.
const LENT: u8 = 0x04;
const BEFORE: u8 = 0x18;
const INHERITED: u8 = 0x18;

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
                .compare_exchange(old, change(old), Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
        false
    }

    pub(crate) fn set_own(&self, level: Option<StatsLevel>) {
        // As there: in one order with what is lent and given back.
        self.0
            .swap(level.map_or(MARK, |level| level as u8), Ordering::Relaxed);
    }

    /// Lends a kind a level: it falls back to the one it has, unless another is set meanwhile. Says whether it is not off.
    pub(crate) fn lend(&self, level: StatsLevel) -> bool {
        self.change(|old| {
            let before = if old & LENT == 0 {
                (old & LEVEL) << 3
            } else {
                old & BEFORE
            };
            (old & MARK) | LENT | before | level as u8
        })
    }

    /// The same for a method, which may fall back to following its kind.
    pub(crate) fn lend_own(&self, level: StatsLevel) {
        self.change(|old| {
            let before = match old {
                old if old & MARK != 0 => INHERITED,
                old if old & LENT == 0 => (old & LEVEL) << 3,
                old => old & BEFORE,
            };
            LENT | before | level as u8
        });
    }

    /// The time is over. What was set meanwhile stays.
    pub(crate) fn give_back(&self) {
        self.change(|old| match (old & LENT, old & BEFORE) {
            (0, _) => old,
            (_, INHERITED) => MARK,
            (_, before) => (old & MARK) | before >> 3,
        });
    }

    pub(crate) fn is_lent(&self) -> bool {
        self.raw() & LENT != 0
    }

    /// Says whether the kind is not off.
    pub(crate) fn mark_methods(&self) -> bool {
        self.change(|old| old | MARK)
    }

    /// Strikes the mark off if no method has a level of its own, so that starts are as quick as before. `any` looks: a
    /// method's level is set before its mark, so either it is seen here or the mark comes after this.
    pub(crate) fn unmark_methods(&self, any: impl Fn() -> bool) {
        if !any() && self.change(|old| old & !MARK) && any() {
            self.mark_methods();
        }
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
        raw & (MARK | LEVEL) == StatsLevel::Disabled as u8
    }

    /// The method's own level, if it has one.
    #[inline(always)]
    pub(crate) fn own(&self) -> Option<StatsLevel> {
        let raw = self.raw();
        (raw & MARK == 0).then(|| StatsLevel::from_u8(raw & LEVEL))
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
    fn what_is_lent_falls_back_to_what_was_before_and_lending_again_does_not_hide_it() {
        for before in [None, Some(StatsLevel::Disabled), Some(StatsLevel::Base)] {
            let method = LevelCell::inherit();
            method.set_own(before);
            for lent in [StatsLevel::Detailed, StatsLevel::Disabled] {
                method.lend_own(lent);
                assert_eq!(method.own(), Some(lent));
            }
            method.give_back();
            assert_eq!((method.own(), method.raw() & LENT), (before, 0));
        }
        let kind = LevelCell::new(StatsLevel::Base);
        kind.mark_methods();
        assert!(kind.lend(StatsLevel::Disabled) && kind.lend(StatsLevel::Detailed));
        assert_eq!(LevelCell::level(kind.raw()), StatsLevel::Detailed);
        kind.give_back();
        assert_eq!(kind.raw(), MARK | StatsLevel::Base as u8);
    }

    #[test]
    fn the_mark_of_a_kind_goes_with_the_last_level_of_a_method() {
        let (kind, method) = (LevelCell::new(StatsLevel::Base), LevelCell::inherit());
        kind.mark_methods();
        kind.unmark_methods(|| true);
        assert!(LevelCell::has_methods(kind.raw()));
        kind.unmark_methods(|| method.own().is_some());
        assert_eq!(kind.raw(), StatsLevel::Base as u8);
        // Set by another while this looks.
        let looked = std::cell::Cell::new(false);
        kind.mark_methods();
        kind.unmark_methods(|| looked.replace(true));
        assert!(LevelCell::has_methods(kind.raw()));
        kind.switch_off();
        kind.unmark_methods(|| false);
        assert!(LevelCell::is_disabled(kind.raw()) && !LevelCell::has_methods(kind.raw()));
    }

    #[test]
    fn what_is_set_while_another_is_lent_stays() {
        let (kind, method) = (LevelCell::new(StatsLevel::Base), LevelCell::inherit());
        kind.lend(StatsLevel::Detailed);
        method.lend_own(StatsLevel::Detailed);
        kind.set(StatsLevel::Disabled);
        method.set_own(None);
        kind.give_back();
        method.give_back();
        assert!(LevelCell::is_disabled(kind.raw()));
        assert_eq!(method.own(), None);
    }

    #[test]
    fn a_kind_that_is_lent_disabled_is_disabled_and_one_that_is_off_cannot_be_lent() {
        let kind = LevelCell::new(StatsLevel::Detailed);
        kind.lend(StatsLevel::Disabled);
        assert!(LevelCell::is_disabled(kind.raw()));
        kind.switch_off();
        assert!(!kind.lend(StatsLevel::Detailed));
        kind.give_back();
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
