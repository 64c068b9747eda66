//! One device of the world, as scripts have made it so far.

use crate::answer::{Answer, Code};
use crate::metric::{Level, Total};
use crate::profile::Profile;
use crate::script::{ALL, Kind, Stall, Value};
use crate::value::{Count, Counter, Micros, Shape, Signal};
use std::collections::BTreeMap;

/// Something that is asked for, and whether asking is refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reported<T> {
    pub(crate) of: T,
    refused: Option<u32>,
}

impl<T> Reported<T> {
    pub(crate) fn get(&self) -> Answer<&T> {
        match self.refused {
            None => Ok(&self.of),
            Some(code) => Err(Code(code)),
        }
    }
}

impl Reported<Signal> {
    pub(crate) fn flat(value: i64) -> Self {
        Self {
            of: Signal::flat(value),
            refused: None,
        }
    }

    /// Takes what a script says; a total's steps are not for it.
    pub(crate) fn take(&mut self, at: Micros, value: Value, seed: u64) {
        self.refused = None;
        match value {
            Value::Becomes(Shape::Noise {
                middle,
                spread,
                every,
                ..
            }) => self.of.set(
                at,
                Shape::Noise {
                    middle,
                    spread,
                    every,
                    seed,
                },
            ),
            Value::Becomes(shape) => self.of.set(at, shape),
            Value::RampFromHere(to, over) => {
                let from = self.of.at(at);
                self.of.set(at, Shape::Ramp { from, to, over });
            }
            Value::Add(more) => {
                let now = self.of.at(at);
                self.of.set(at, Shape::Flat(now + more));
            }
            Value::Refused(code) => self.refused = Some(code),
        }
    }
}

/// Calls by their name, or `*`.
#[derive(Clone, Debug)]
pub(crate) struct ByCall<T>(BTreeMap<String, T>);

impl<T> Default for ByCall<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy> ByCall<T> {
    pub(crate) fn set(&mut self, call: String, value: T) {
        self.0.insert(call, value);
    }

    /// What is said of the call itself goes before what is said of all.
    pub(crate) fn of(&self, call: &str) -> Option<T> {
        self.0.get(call).or_else(|| self.0.get("*")).copied()
    }
}

/// A process that uses a device.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) kind: Kind,
    pub(crate) memory: Reported<Signal>,
    pub(crate) sm: Reported<Signal>,
    pub(crate) gpu_instance: u32,
    pub(crate) compute_instance: u32,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            kind: Kind::Compute,
            memory: Reported::flat(0),
            sm: Reported::flat(0),
            gpu_instance: ALL,
            compute_instance: ALL,
        }
    }
}

/// A part of a device that is used as one.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) gpu_instance: u32,
    pub(crate) compute_instance: u32,
    pub(crate) slices: u32,
    pub(crate) bytes: i64,
    pub(crate) used: Reported<Signal>,
}

#[derive(Debug)]
pub(crate) struct Gpu {
    pub(crate) profile: Profile,
    /// On the bus at all.
    pub(crate) present: bool,
    pub(crate) lost: bool,
    pub(crate) fails: ByCall<u32>,
    pub(crate) stalls: ByCall<Stall>,
    pub(crate) fields: BTreeMap<(u32, u32), Reported<Signal>>,
    pub(crate) gpm: BTreeMap<(u32, u32), Reported<Signal>>,
    pub(crate) processes: BTreeMap<u32, Process>,
    pub(crate) parts: BTreeMap<u32, Part>,
    pub(crate) last_xid: u64,
    levels: BTreeMap<(Level, u32), Reported<Signal>>,
    totals: BTreeMap<(Total, u32), Reported<Counter>>,
}

impl Gpu {
    pub(crate) fn new(profile: Profile) -> Self {
        let mut totals = BTreeMap::new();
        for &(total, value) in &profile.totals {
            let mut counter = Reported::<Counter>::default();
            counter.of.set(0, value);
            totals.insert((total, ALL), counter);
        }
        let signals = |of: &[(u32, Value)]| {
            let taken = of.iter().map(|&(id, value)| {
                let mut signal = Reported::<Signal>::default();
                signal.take(0, value, 0);
                ((id, ALL), signal)
            });
            taken.collect()
        };
        Self {
            present: true,
            lost: false,
            fails: ByCall::default(),
            stalls: ByCall::default(),
            fields: signals(&profile.fields),
            gpm: signals(&profile.gpm_metrics),
            processes: BTreeMap::new(),
            parts: BTreeMap::new(),
            last_xid: 0,
            levels: profile
                .levels
                .iter()
                .map(|&(level, value)| ((level, ALL), Reported::flat(value)))
                .collect(),
            totals,
            profile,
        }
    }

    /// How a level went, by its scope or else for all of them.
    pub(crate) fn signal(&self, level: Level, scope: u32) -> Answer<&Signal> {
        scoped(&self.levels, level, scope)?.get()
    }

    pub(crate) fn level(&self, level: Level, scope: u32, now: Micros) -> Answer<i64> {
        Ok(self.signal(level, scope)?.at(now))
    }

    /// What a level was on average for so long.
    pub(crate) fn mean(&self, level: Level, window: Micros, now: Micros) -> Answer<i64> {
        let signal = self.signal(level, ALL)?;
        let from = now.saturating_sub(window);
        if from == now {
            return Ok(signal.at(now));
        }
        Ok((signal.twice_sum(from, now) / (2 * i128::from(now - from))) as i64)
    }

    pub(crate) fn total(&self, total: Total, scope: u32, now: Micros) -> Answer<Count> {
        let counter = scoped(&self.totals, total, scope)?.get()?;
        let level = total
            .grows_by()
            .and_then(|level| self.levels.get(&(level, ALL)));
        Ok(counter.at(now, total.source(level.map(|level| &level.of))))
    }

    pub(crate) fn take_level(
        &mut self,
        level: Level,
        scope: u32,
        (at, value): (Micros, Value),
        seed: u64,
    ) {
        each_scope(&mut self.levels, level, scope, |one| {
            one.take(at, value, seed)
        });
    }

    pub(crate) fn take_total(&mut self, total: Total, scope: u32, at: Micros, value: Value) {
        each_scope(&mut self.totals, total, scope, |one| {
            one.refused = None;
            match value {
                Value::Becomes(shape) => {
                    let mut signal = Signal::default();
                    signal.set(at, shape);
                    one.of.set(at, signal.at(at));
                }
                Value::Add(more) => one.of.add(at, more),
                Value::Refused(code) => one.refused = Some(code),
                Value::RampFromHere(..) => {}
            }
        });
    }

    pub(crate) fn take_rate(
        &mut self,
        total: Total,
        scope: u32,
        (at, value): (Micros, Value),
        seed: u64,
    ) {
        each_scope(&mut self.totals, total, scope, |one| {
            let mut rate = Reported {
                of: std::mem::take(&mut one.of.rate),
                refused: None,
            };
            rate.take(at, value, seed);
            one.of.rate = rate.of;
        });
    }

    /// The parts that it is in; none where it is not in parts.
    pub(crate) fn parts_seen(&self, now: Micros) -> impl Iterator<Item = u32> {
        let in_parts = self
            .level(Level::MigMode, ALL, now)
            .is_ok_and(|mode| mode != 0);
        self.parts.keys().copied().filter(move |_| in_parts)
    }

    /// As after `nvidia-smi --gpu-reset`: it is back, and what is not kept on the board starts anew.
    pub(crate) fn reset(&mut self, at: Micros) {
        self.lost = false;
        self.fails = ByCall::default();
        self.stalls = ByCall::default();
        self.processes.clear();
        for (&(total, _), counter) in &mut self.totals {
            if !total.survives_reset() {
                counter.of.clear(at);
            }
        }
        for level in [Level::RemapPending, Level::Recovery, Level::RetiredPending] {
            if self.levels.contains_key(&(level, ALL)) {
                let none = Value::Becomes(Shape::Flat(0));
                self.take_level(level, ALL, (at, none), 0);
            }
        }
    }
}

fn scoped<K: Copy + Ord, T>(
    map: &BTreeMap<(K, u32), Reported<T>>,
    key: K,
    scope: u32,
) -> Answer<&Reported<T>> {
    map.get(&(key, scope))
        .or_else(|| map.get(&(key, ALL)))
        .ok_or(Code::NOT_SUPPORTED)
}

/// What is said of all scopes is said of each that has a history of its own; what is said of one gives it one.
fn each_scope<K: Copy + Ord, T: Clone + Default>(
    map: &mut BTreeMap<(K, u32), Reported<T>>,
    key: K,
    scope: u32,
    mut change: impl FnMut(&mut Reported<T>),
) {
    let common = map.get(&(key, ALL)).cloned().unwrap_or_default();
    change(map.entry((key, scope)).or_insert(common));
    if scope == ALL {
        for (&(other, own), one) in map.iter_mut() {
            if other == key && own != ALL {
                change(one);
            }
        }
    }
}
