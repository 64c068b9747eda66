//! Which groups of one device are due, what they cost, and how often each is read.

use super::Shared;
use super::budget::{Budget, Demand, Stretch};
use crate::calls::Spent;
use crate::quantity::{Quantity, Tier};
use crate::reading::{Reading, Readings};
use crate::source::{Pace, ReadGroup};
use obs_core::{Moment, Telemetry};
use std::sync::Arc;
use std::time::Duration;

/// Readings at its own pace before a group is stretched. What the very first takes is forgotten: it wakes up a driver and asks for what
/// is not there.
const FIRST: u32 = 2;
/// How much of a new cost counts at least, and how many times what is known it can be: one call that took long is no rule.
const WEIGHT: f64 = 0.125;
const AT_MOST: f64 = 8.0;

/// How long what was settled stands. What calls take does not change from one turn to the next, and all groups of all devices are
/// looked at to know what that makes of each.
const SETTLED: Duration = Duration::from_millis(900);

/// The pace of one device's groups.
#[derive(Debug)]
pub(super) struct Paces {
    budget: Arc<Budget>,
    member: u64,
    groups: Vec<Paced>,
    /// What is asked for once in a turn of the slow tier, beside its groups.
    processes: Cost,
    /// By which group each quantity is read.
    of: [u8; Quantity::COUNT],
    /// What is read by which group, or how often, is not what it was when that was asked last.
    changed: bool,
    settled: Option<Moment>,
}

#[derive(Debug)]
struct Paced {
    group: ReadGroup,
    cost: Cost,
    /// What turns of its tier are apart, what it is read apart at its own pace, and as it is now, in seconds.
    turn: f64,
    nominal: f64,
    interval: f64,
    /// When it was read last, or should have been.
    base: Option<Moment>,
    /// It said of something that it should have it, and did not say it.
    failed: bool,
}

/// No group.
const NONE: u8 = u8::MAX;

impl Paces {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: budget.clone(),
            member: budget.join(),
            groups: Vec::new(),
            processes: Cost::default(),
            of: [NONE; Quantity::COUNT],
            changed: true,
            settled: None,
        }
    }

    /// The device was opened: these are its groups, all of them due. What is known of those that it had before stays known.
    pub(super) fn open(&mut self, groups: &[ReadGroup], shared: &Shared) {
        let mut before = std::mem::take(&mut self.groups);
        self.of = [NONE; Quantity::COUNT];
        self.changed = true;
        self.groups = { groups.iter() }
            .map(|group| {
                let turn = shared.settings.period(group.tier()).as_secs_f64();
                let nominal = shared.settings.pace(group).as_secs_f64();
                let known = before.iter_mut().find(|known| known.group == *group);
                let (cost, interval) = match known {
                    Some(known) => (known.cost, known.interval),
                    None => (Cost::default(), nominal),
                };
                Paced {
                    group: *group,
                    cost,
                    turn,
                    nominal,
                    interval,
                    base: None,
                    failed: false,
                }
            })
            .collect();
    }

    /// The groups of a tier that are to be read in a turn of it, by their places. `asked`: what keeps its pace is, whatever it was
    /// stretched to.
    pub(super) fn due(
        &self,
        (tier, asked): (Tier, bool),
        now: Moment,
        telemetry: &Telemetry,
    ) -> impl Iterator<Item = usize> + use<> {
        let mut due = 0_u64;
        for (at, paced) in self.groups.iter().enumerate() {
            let asked = asked && paced.group.pace() == Pace::Keeps;
            if paced.group.tier() == tier && (asked || paced.is_due(now, telemetry)) {
                due |= 1_u64.checked_shl(at as u32).unwrap_or(0);
            }
        }
        (0..64).filter(move |at| due & (1 << at) != 0)
    }

    pub(super) fn group(&self, at: usize) -> Option<ReadGroup> {
        self.groups.get(at).map(|paced| paced.group)
    }

    /// A group was read, for so much, and this is what its tier left so far.
    pub(super) fn was_read(
        &mut self,
        at: usize,
        now: Moment,
        spent: Spent,
        read: &Readings,
        shared: &Shared,
    ) {
        let Some(paced) = self.groups.get_mut(at) else {
            return;
        };
        let mut failed = false;
        for (quantity, reading) in read.iter() {
            let of = &mut self.of[quantity as usize];
            if reading == Reading::Unread || quantity.tier() != paced.group.tier() {
                continue;
            }
            // Those that groups before it left are theirs.
            if *of == NONE {
                *of = at as u8;
                self.changed = true;
            }
            let is_mine = usize::from(*of) == at;
            failed |= is_mine && matches!(reading, Reading::Failed(_));
        }
        self.was_asked(at, now, spent, failed, shared);
    }

    /// The same of one that gave an error: it took as long, and is asked again no sooner.
    pub(super) fn was_asked(
        &mut self,
        at: usize,
        now: Moment,
        spent: Spent,
        failed: bool,
        shared: &Shared,
    ) {
        let Some(paced) = self.groups.get_mut(at) else {
            return;
        };
        paced.failed = failed;
        let before = paced.cost.learned;
        paced.cost.learn(spent, shared.settings.deadline);
        // What it takes is known from now on: it is not read once more as if it took nothing.
        self.changed |= before < FIRST && paced.cost.learned == FIRST;
        paced.note_turn(now, &shared.telemetry);
    }

    /// The same of what is asked beside the groups.
    pub(super) fn processes_were_read(&mut self, spent: Spent, shared: &Shared) {
        self.processes.learn(spent, shared.settings.deadline);
    }

    /// Says what it all costs, and takes up how often each is read from now on.
    pub(super) fn settle(&mut self, shared: &Shared) {
        let slow = shared.settings.period(Tier::Slow).as_secs_f64();
        let processes = Demand {
            share: self.processes.seconds / slow,
            pace: Pace::Keeps,
        };
        let demands = self.groups.iter().map(Paced::demand);
        let stretch = self.budget.settle(self.member, demands.chain([processes]));
        for paced in &mut self.groups {
            self.changed |= paced.stretch(stretch);
        }
    }

    /// It is not read for now, and leaves its part to the others.
    pub(super) fn pause(&self) {
        self.budget.leave(self.member);
    }

    /// Whether it is time to settle: the last time was about a second ago, or the groups or what they read are new.
    pub(super) fn is_to_settle(&mut self, now: Moment, telemetry: &Telemetry) -> bool {
        let is_old = |settled| telemetry.between(settled, now) >= SETTLED;
        let is_to = self.changed || self.settled.is_none_or(is_old);
        if is_to {
            self.settled = Some(now);
        }
        is_to
    }

    /// Whether what is said below is not what it was when this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// How often a group is read now.
    pub(super) fn interval_of(&self, quantity: Quantity) -> Option<Duration> {
        let at = usize::from(self.of[quantity as usize]);
        self.groups.get(at).map(Paced::interval)
    }

    /// How often those are that may be stretched, by name.
    pub(super) fn intervals(&self) -> impl Iterator<Item = (&'static str, Duration)> + '_ {
        let groups = self.groups.iter();
        let others = groups.filter(|paced| paced.group.pace() != Pace::Constant);
        others.map(|paced| (paced.group.name(), paced.interval()))
    }

    /// How often links are read.
    pub(super) fn links_interval(&self) -> Option<Duration> {
        let mut groups = self.groups.iter();
        groups
            .find(|paced| paced.group.has_links())
            .map(Paced::interval)
    }

    /// Whether processes are asked for with a group: the first of the slow tier.
    pub(super) fn has_processes(&self, at: usize) -> bool {
        let mut groups = self.groups.iter();
        groups.position(|paced| paced.group.tier() == Tier::Slow) == Some(at)
    }

    /// How often processes are read.
    pub(super) fn processes_interval(&self) -> Option<Duration> {
        let mut groups = self.groups.iter();
        groups
            .find(|paced| paced.group.tier() == Tier::Slow)
            .map(Paced::interval)
    }
}

impl Drop for Paces {
    fn drop(&mut self) {
        self.budget.leave(self.member);
    }
}

impl Paced {
    fn demand(&self) -> Demand {
        Demand {
            share: self.cost.seconds / self.nominal,
            pace: self.group.pace(),
        }
    }

    fn is_due(&self, now: Moment, telemetry: &Telemetry) -> bool {
        let Some(base) = self.base else {
            return true;
        };
        if self.keeps_its_turns() || (self.failed && self.group.pace() == Pace::Constant) {
            return true;
        }
        // Turns are not on time to the tick: the one that is nearest.
        let early = Duration::from_secs_f64(self.turn / 4.0);
        let due = self.after(base, telemetry);
        now.to_bits() >= due.saturating_sub(telemetry.ticks(early))
    }

    /// Whether it is read at each turn of its tier.
    fn keeps_its_turns(&self) -> bool {
        self.group.pace() != Pace::Constant && self.interval <= self.nominal
    }

    fn after(&self, base: Moment, telemetry: &Telemetry) -> u64 {
        let interval = telemetry.ticks(self.interval());
        base.to_bits().saturating_add(interval)
    }

    /// It is due an interval after it was due, so that turns that come late or early do not add up.
    fn note_turn(&mut self, now: Moment, telemetry: &Telemetry) {
        let turn = telemetry.ticks(Duration::from_secs_f64(self.turn));
        let is = now.to_bits();
        let due = self.base.map_or(is, |base| self.after(base, telemetry));
        let base = due.clamp(is.saturating_sub(turn), is.saturating_add(turn));
        self.base = Moment::from_bits(base).or(Some(now));
    }

    /// Says whether it is read as often as before no longer.
    fn stretch(&mut self, stretch: Stretch) -> bool {
        let learning = self.cost.learned < FIRST && self.group.pace() != Pace::Constant;
        let interval = match learning {
            true => self.nominal,
            false => stretch.interval(self.nominal, self.demand()),
        };
        if interval.to_bits() == self.interval.to_bits() {
            return false;
        }
        self.interval = interval;
        true
    }

    fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(self.interval).unwrap_or(Duration::MAX)
    }
}

/// What calls take, learned while they are made.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    seconds: f64,
    learned: u32,
}

impl Cost {
    fn learn(&mut self, spent: Spent, hang: Duration) {
        // What did not ask yet, as there was nothing to ask for, is not known to be cheap.
        let is_unknown = spent.calls == 0 && self.learned == 0;
        if is_unknown || spent.time >= hang {
            return;
        }
        let seconds = spent.time.as_secs_f64();
        self.seconds = match self.learned {
            0 | 1 => seconds,
            // A mean, as it is what a core pays: of all at first, and of the last ones then.
            before => {
                let weight = (1.0 / f64::from(before)).max(WEIGHT);
                // Of nothing eight times is nothing: a microsecond is a start.
                let most = AT_MOST * self.seconds.max(1e-6);
                self.seconds + weight * (seconds.min(most) - self.seconds)
            }
        };
        self.learned = self.learned.saturating_add(1);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn spent(micros: u64) -> Spent {
        Spent {
            calls: 1,
            time: Duration::from_micros(micros),
        }
    }

    #[test]
    fn a_cost_is_what_calls_take_as_a_rule() {
        let hang = Duration::from_millis(500);
        let mut cost = Cost::default();
        // The first wakes the driver.
        for micros in [90_000, 1_000, 1_200, 800] {
            cost.learn(spent(micros), hang);
        }
        assert!((cost.seconds - 0.001).abs() < 1e-9, "{cost:?}");
        // A hang is none.
        cost.learn(spent(500_000), hang);
        assert_eq!(cost.learned, 4);
        // One that took long counts as eight.
        cost.learn(spent(100_000), hang);
        assert!((cost.seconds - 0.002_75).abs() < 1e-9, "{cost:?}");
        // What stays so is learned, in a few dozen readings.
        (0..40).for_each(|_| cost.learn(spent(8_000), hang));
        assert!((cost.seconds - 0.008).abs() < 0.000_5, "{cost:?}");
        (0..80).for_each(|_| cost.learn(spent(100), hang));
        assert!((cost.seconds - 0.000_1).abs() < 0.000_01, "{cost:?}");
    }
}
