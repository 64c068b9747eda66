//! Levels of groups of methods: of all whose names begin alike, as those of one service do (`package.Service/*`).
//!
//! A method knows by one word which groups it is in, found out when it first starts after a group came into being; so a
//! start takes no lock, and none of this while no method has a level.

use super::Kind;
use crate::fork::Kept;
use crate::label::{LabelId, Labels, Space};
use crate::level::{LevelCell, StatsLevel};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many groups a kind has: bits of a word, but for [`LOOKED`].
const MOST: usize = 63;
/// It is known which groups a method is in.
const LOOKED: u64 = 1 << 63;

#[derive(Debug)]
pub(super) struct Groups {
    cells: Box<[LevelCell]>,
    /// What the names of a group's methods begin with.
    beginnings: Kept<Vec<Box<str>>>,
    /// How long each of them is.
    lengths: Box<[AtomicU64]>,
    /// Of each method by its number: a bit per group.
    of: Box<[AtomicU64]>,
}

/// What the methods begin with that `name` stands for, if it is the name of a group.
fn beginning(name: &str) -> Option<&str> {
    name.strip_suffix('*').filter(|name| name.ends_with('/'))
}

impl Groups {
    pub(super) fn new(methods: usize) -> Self {
        // Their numbers follow those of the methods, and none is that of the overflow.
        let most = match methods {
            0 => 0,
            methods => usize::from(u16::MAX).saturating_sub(methods).min(MOST),
        };
        Self {
            cells: (0..most).map(|_| LevelCell::inherit()).collect(),
            beginnings: Kept::default(),
            lengths: (0..most).map(|_| AtomicU64::new(0)).collect(),
            of: (0..methods).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(super) fn cell(&self, group: usize) -> Option<&LevelCell> {
        self.cells.get(group)
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &LevelCell> {
        self.cells.iter()
    }

    /// The number of a group, which comes into being if there is room.
    fn number(&self, beginning: &str) -> Option<usize> {
        let mut beginnings = self.beginnings.write();
        let known = beginnings.iter().position(|known| **known == *beginning);
        if known.is_some() || beginnings.len() >= self.cells.len() {
            return known;
        }
        self.lengths[beginnings.len()].store(beginning.len() as u64, Ordering::Relaxed);
        beginnings.push(beginning.into());
        // Whoever looked before this did so without it; whoever looks now waits for the lock.
        for of in &self.of {
            of.store(0, Ordering::Relaxed);
        }
        Some(beginnings.len() - 1)
    }

    fn name(&self, group: usize) -> Option<String> {
        let beginnings = self.beginnings.read();
        beginnings
            .get(group)
            .map(|beginning| format!("{beginning}*"))
    }

    /// The level of the closest group around a method that has one.
    fn level(&self, space: &Space, id: LabelId) -> Option<StatsLevel> {
        let of = self.of.get(usize::from(id.0))?;
        let groups = match of.load(Ordering::Relaxed) {
            0 => self.look(space, id, of),
            known => known,
        };
        if groups == LOOKED {
            return None;
        }
        self.closest(groups)
    }

    #[cold]
    fn look(&self, space: &Space, id: LabelId, of: &AtomicU64) -> u64 {
        let name = space.resolve(id);
        let name = name.as_ref().map(|name| name.to_text());
        let beginnings = self.beginnings.read();
        let groups = name.map_or(0, |name| bits(&beginnings, &name)) | LOOKED;
        // Under the lock, so that it is not the answer to a question of before.
        of.store(groups, Ordering::Relaxed);
        groups
    }

    fn closest(&self, groups: u64) -> Option<StatsLevel> {
        let mut left = groups & !LOOKED;
        let mut closest = None;
        while left != 0 {
            let group = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(level) = self.cells.get(group).and_then(LevelCell::own) {
                let length = self.lengths[group].load(Ordering::Relaxed);
                if closest.is_none_or(|(known, _)| known < length) {
                    closest = Some((length, level));
                }
            }
        }
        closest.map(|(_, level)| level)
    }

    /// The same for a method that has no number.
    #[cold]
    fn level_by_name(&self, name: &str) -> Option<StatsLevel> {
        let groups = bits(&self.beginnings.read(), name);
        self.closest(groups)
    }
}

fn bits(beginnings: &[Box<str>], name: &str) -> u64 {
    let groups = beginnings.iter().enumerate();
    let is_in = groups.filter(|(_, beginning)| name.starts_with(&***beginning));
    is_in.fold(0, |bits, (group, _)| bits | 1 << group)
}

impl Kind {
    /// The cell of a method or a group, by its number.
    pub(super) fn cell(&self, number: usize) -> Option<&LevelCell> {
        match number.checked_sub(self.methods.len()) {
            None => self.methods.get(number),
            Some(group) => self.groups.cell(group),
        }
    }

    /// The number of a method or a group, which gets one if there is room.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        match beginning(name) {
            Some(beginning) => {
                let group = self.groups.number(beginning)?;
                Some(self.methods.len() + group)
            }
            None => self.method_number(name),
        }
    }

    /// The name behind such a number.
    pub(super) fn name_of(&self, number: usize) -> Option<String> {
        match number.checked_sub(self.methods.len()) {
            None => {
                let value = self.method_space()?.resolve(LabelId(number as u16))?;
                Some(value.to_text().into_owned())
            }
            Some(group) => self.groups.name(group),
        }
    }

    pub(super) fn method_space(&self) -> Option<&Space> {
        self.set.spaces.get(self.descriptor.method?)
    }

    pub(super) fn group_level(&self, id: LabelId) -> Option<StatsLevel> {
        self.groups.level(self.method_space()?, id)
    }

    /// Whether any method that is known is in this group, if it is the name of one.
    pub(super) fn knows_group(&self, name: &str) -> Option<bool> {
        let beginning = beginning(name)?;
        let space = self.method_space();
        Some(space.is_some_and(|space| space.any(|method| method.starts_with(beginning))))
    }

    /// The level of an operation whose method has no number, by its name.
    pub(crate) fn level_of_name(&self, labels: Labels, method: &str) -> StatsLevel {
        let of_group = || self.groups.level_by_name(method);
        let has_any = LevelCell::has_methods(self.level.raw());
        let own = has_any.then(of_group).flatten();
        own.unwrap_or_else(|| self.level_of(labels))
    }
}
