//! What reading may cost: a share of one core in calls of the driver's, over all devices that are watched.
//!
//! Each group of readings learns what it costs where it runs. From that follows which share of a core it would take at the pace of its
//! tier, and from the shares of all groups of all devices how much more rarely each is read:
//!
//! - What keeps its pace does, as long as it takes no more than [`KEPT`] of the budget; beyond that all of it is stretched alike.
//! - What is left is shared by the rest. A group that would take the share s of a core is read √s times k more rarely, or at its own
//!   pace where that is less than once: k is as large as it must be. Of all ways to spend so much this is the one by which values are the
//!   least old on average, each measured in its own period: what is cheap is not held up by what is dear, and what is dear gives way the
//!   most.

use super::settings::GpuSettings;
use crate::lock::lock;
use crate::source::{Pace, ReadGroup};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The share of a budget that what keeps its pace may take.
pub(super) const KEPT: f64 = 0.875;

/// The longest that a budget stretches anything to, in seconds.
const LONGEST: f64 = 600.0;

/// What a group would take of a core at its own pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Demand {
    pub(super) share: f64,
    pub(super) pace: Pace,
}

/// How much more rarely groups are read than at their own pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    /// What keeps its pace, so many times.
    keeps: f64,
    /// Others, so many times the root of their share.
    rest: f64,
}

impl Stretch {
    pub(super) const NONE: Self = Self {
        keeps: 1.0,
        rest: 0.0,
    };

    /// So many times more rarely; at least once.
    pub(super) fn of(self, demand: Demand) -> f64 {
        match demand.pace {
            Pace::Keeps => self.keeps,
            Pace::Stretches | Pace::Constant => (self.rest * demand.share.sqrt()).max(1.0),
        }
    }

    /// What is read so many seconds apart at its own pace, as it is then.
    pub(super) fn interval(self, nominal: f64, demand: Demand) -> f64 {
        (nominal * self.of(demand)).min(LONGEST.max(nominal))
    }

    /// By which all together take no more than `allowed`.
    fn to_hold<'a>(allowed: f64, demands: impl Iterator<Item = &'a Demand> + Clone) -> Self {
        let keeps = |demand: &&Demand| demand.pace == Pace::Keeps;
        let kept: f64 = { demands.clone() }
            .filter(keeps)
            .map(|demand| demand.share)
            .sum();
        let stretch = (kept / (allowed * KEPT)).max(1.0);
        let left = allowed - kept / stretch;
        let rest = demands.filter(|demand| !keeps(demand));
        // Where those that are not stretched were taken to be, the others were given too little: k falls until it stands.
        let mut k = f64::INFINITY;
        loop {
            let (mut roots, mut whole) = (0.0, 0.0);
            for demand in rest.clone() {
                let root = demand.share.sqrt();
                match k * root < 1.0 {
                    true => whole += demand.share,
                    false => roots += root,
                }
            }
            let next = roots / (left - whole);
            // It is no number where nothing is left to stretch.
            if !next.is_finite() || next <= 0.0 {
                return Self {
                    keeps: stretch,
                    rest: 0.0,
                };
            }
            if next >= k {
                return Self {
                    keeps: stretch,
                    rest: k,
                };
            }
            k = next;
        }
    }
}

/// How often groups are read of so many devices alike, if each takes so long.
pub(super) fn plan(
    settings: &GpuSettings,
    costs: &[(ReadGroup, Duration)],
    devices: u32,
) -> Vec<Duration> {
    let demands = costs.iter().map(|(group, cost)| {
        let nominal = settings.pace(group).as_secs_f64();
        let demand = Demand {
            share: cost.as_secs_f64() / nominal,
            pace: group.pace(),
        };
        (nominal, demand)
    });
    let demands: Vec<(f64, Demand)> = demands.collect();
    let stretch = settings.budget().map_or(Stretch::NONE, |allowed| {
        // Those of one device hold its part.
        let demands = demands.iter().map(|(_, demand)| demand);
        Stretch::to_hold(allowed / f64::from(devices.max(1)), demands)
    });
    let interval = |(nominal, demand): (f64, Demand)| {
        Duration::try_from_secs_f64(stretch.interval(nominal, demand)).unwrap_or(Duration::MAX)
    };
    demands.into_iter().map(interval).collect()
}

/// The budget of all devices that one monitor watches.
#[derive(Debug)]
pub(super) struct Budget {
    allowed: Option<f64>,
    demands: Mutex<Vec<(u64, Vec<Demand>)>>,
    members: AtomicU64,
}

impl Budget {
    pub(super) fn new(allowed: Option<f64>) -> Self {
        Self {
            allowed,
            demands: Mutex::default(),
            members: AtomicU64::new(0),
        }
    }

    /// A number for one more that shares it.
    pub(super) fn join(&self) -> u64 {
        self.members.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts down what one of them would take, and says by how much it is to give way.
    pub(super) fn settle(&self, member: u64, wants: impl Iterator<Item = Demand>) -> Stretch {
        let Some(allowed) = self.allowed else {
            return Stretch::NONE;
        };
        let mut all = lock(&self.demands);
        let at = match all.iter().position(|(of, _)| *of == member) {
            Some(at) => at,
            None => {
                all.push((member, Vec::new()));
                all.len() - 1
            }
        };
        let mine = &mut all[at].1;
        mine.clear();
        mine.extend(wants);
        Stretch::to_hold(allowed, all.iter().flat_map(|(_, demands)| demands))
    }

    /// One of them is there no longer, and leaves its part to the others.
    pub(super) fn leave(&self, member: u64) {
        lock(&self.demands).retain(|(of, _)| *of != member);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn demand(share: f64, pace: Pace) -> Demand {
        Demand { share, pace }
    }

    fn taken(stretch: Stretch, demands: &[Demand]) -> f64 {
        let taken = demands
            .iter()
            .map(|demand| demand.share / stretch.of(*demand));
        taken.sum()
    }

    #[test]
    fn where_there_is_enough_nothing_is_stretched() {
        let demands = [demand(0.001, Pace::Keeps), demand(0.003, Pace::Stretches)];
        let stretch = Stretch::to_hold(0.005, demands.iter());
        assert_eq!(demands.map(|demand| stretch.of(demand)), [1.0, 1.0]);
        assert_eq!(Stretch::to_hold(0.005, [].iter()), Stretch::NONE);
    }

    #[test]
    fn what_is_dear_gives_way_and_what_keeps_its_pace_does_not() {
        let demands = [
            demand(0.001, Pace::Keeps),
            demand(0.016, Pace::Stretches),
            demand(0.004, Pace::Stretches),
            demand(0.000_01, Pace::Stretches),
        ];
        let stretch = Stretch::to_hold(0.005, demands.iter());
        let by = demands.map(|demand| stretch.of(demand));
        // Four times as dear: twice as rare.
        assert_eq!((by[0], by[3]), (1.0, 1.0));
        assert!((by[1] / by[2] - 2.0).abs() < 1e-9, "{by:?}");
        assert!((taken(stretch, &demands) - 0.005).abs() < 1e-9, "{by:?}");
    }

    #[test]
    fn what_keeps_its_pace_leaves_an_eighth() {
        let demands = [demand(0.01, Pace::Keeps), demand(0.01, Pace::Stretches)];
        let stretch = Stretch::to_hold(0.004, demands.iter());
        assert!((0.01 / stretch.of(demands[0]) - 0.0035).abs() < 1e-9);
        assert!((0.01 / stretch.of(demands[1]) - 0.0005).abs() < 1e-9);
    }

    #[test]
    fn devices_share_it_and_one_that_goes_leaves_its_part() {
        let budget = Budget::new(Some(0.005));
        let dear = || [demand(0.005, Pace::Stretches)].into_iter();
        let (first, second) = (budget.join(), budget.join());
        let alone = budget
            .settle(first, dear())
            .of(demand(0.005, Pace::Stretches));
        let both = budget
            .settle(second, dear())
            .of(demand(0.005, Pace::Stretches));
        assert!((alone - 1.0).abs() < 1e-9 && (both - 2.0).abs() < 1e-9);
        budget.leave(first);
        let left = budget
            .settle(second, dear())
            .of(demand(0.005, Pace::Stretches));
        assert!((left - 1.0).abs() < 1e-9);
        let none = Budget::new(None);
        assert_eq!(none.settle(none.join(), dear()), Stretch::NONE);
    }

    proptest! {
        #[test]
        fn all_together_take_what_they_may_and_no_less(
            shares in proptest::collection::vec((0.0_f64..0.05, any::<bool>()), 0..40),
            allowed in 0.000_01_f64..0.05,
        ) {
            let demands: Vec<Demand> = shares
                .into_iter()
                .map(|(share, keeps)| demand(share, if keeps { Pace::Keeps } else { Pace::Stretches }))
                .collect();
            let stretch = Stretch::to_hold(allowed, demands.iter());
            let taken = taken(stretch, &demands);
            prop_assert!(taken <= allowed * (1.0 + 1e-9), "{taken} of {allowed}");
            // Nothing is stretched for nothing.
            let whole: f64 = demands.iter().map(|demand| demand.share).sum();
            let rest = demands.iter().any(|demand| stretch.of(*demand) > 1.0 + 1e-9 && demand.pace != Pace::Keeps);
            if rest {
                prop_assert!((taken - allowed).abs() < allowed * 1e-6, "{taken} of {allowed}, of {whole}");
            }
        }
    }
}
