//! What one device used, window by window, and whose it was.

use super::owner::{Foreign, Owner};
use super::split::split;
use super::{Claims, Held, MOST_OWNERS};
use crate::device::DeviceId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What was read of a device at the end of a window. Absent is `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Nanoseconds since the reading before.
    pub(crate) nanos: u64,
    /// Millijoules since the driver was loaded, where that was read with it.
    pub(crate) energy: Option<u64>,
    /// Milliwatts at its end.
    pub(crate) power: Option<u64>,
    /// Share of the window in which something ran, in millionths.
    pub(crate) utilization: Option<u32>,
    /// Bytes in use.
    pub(crate) memory: Option<u64>,
    /// Processes that are known to be others, with their bytes and their share of time in millionths, as far as the driver says.
    pub(crate) others: Vec<(Foreign, Option<u64>, Option<u32>)>,
}

impl Window {
    /// About as much as was used in it; of a device that does not say its power as if it were one watt. Something, so that a window
    /// counts.
    fn microjoules(&self) -> u64 {
        let power = u128::from(self.power.unwrap_or(1_000));
        let energy = u128::from(self.nanos) * power / 1_000_000;
        u64::try_from(energy).unwrap_or(u64::MAX).max(1)
    }
}

/// What owners have used of one device since the ledger was opened, and have now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// Millijoules by owner; their sum is what the device's counter grew by.
    pub energy: BTreeMap<Owner, u64>,
    /// Nanoseconds in which something ran, by owner; their sum is each window times its utilisation.
    pub busy: BTreeMap<Owner, u64>,
    /// Bytes in use now, by owner; their sum is what the device has in use. Empty where that is unknown.
    pub memory: BTreeMap<Owner, u64>,
    /// Windows in which claims said that they have more memory than is in use.
    pub over_claimed: u64,
    /// How often the device's counter of energy began anew: what was used between the last reading and that is not known.
    pub began_anew: u64,
}

/// The books of one device. One thread keeps them.
#[derive(Debug)]
pub(crate) struct Ledger {
    device: DeviceId,
    claims: Claims,
    energy: Option<u64>,
    /// Whose the windows were since energy was read, in microjoules by the power that there was: which share of it each has.
    pending: BTreeMap<Owner, u64>,
    /// Work of each claim that was settled before, by its address: a claim lives for as long as it stands here.
    settled: HashMap<usize, (Arc<Held>, u64)>,
    totals: Settled,
}

/// A claim in one window.
struct Worked {
    owner: Owner,
    work: u64,
    memory: Option<u64>,
    held: bool,
}

impl Ledger {
    /// The books of `device`, whose owners are those of `claims`.
    pub(crate) fn new(device: DeviceId, claims: &Claims) -> Self {
        Self {
            device,
            claims: claims.clone(),
            energy: None,
            pending: BTreeMap::new(),
            settled: HashMap::new(),
            totals: Settled::default(),
        }
    }

    /// Settles a window and gives the totals.
    pub(crate) fn settle(&mut self, window: &Window) -> &Settled {
        let worked = self.worked();
        let busy = { window.utilization }.map(|share| {
            (u128::from(window.nanos) * u128::from(share.min(1_000_000)) / 1_000_000) as u64
        });
        let shares = Shares::of(&worked, window);
        self.book_energy(&shares, window);
        // What did not run was nobody's time.
        shares.book(&mut self.totals.busy, busy.unwrap_or_default());
        self.totals.memory.clear();
        if let Some(used) = window.memory {
            self.totals.over_claimed +=
                u64::from(room(&mut self.totals.memory, used, &worked, window));
        }
        &self.totals
    }

    /// The totals, as they are.
    pub(crate) fn settled(&self) -> &Settled {
        &self.totals
    }

    /// The device is gone: nobody has anything of it.
    pub(crate) fn has_nothing(&mut self) {
        self.totals.memory.clear();
    }

    /// Of how many claims the work stands in it.
    #[cfg(test)]
    pub(super) fn many(&self) -> usize {
        self.settled.len()
    }

    /// What each claim did since the window before.
    fn worked(&mut self) -> Vec<Worked> {
        let listed = self.claims.on(&self.device);
        let mut worked = Vec::with_capacity(listed.len());
        // What is not listed any more has made room for others, and does not stand here for ever.
        let mut settled = std::mem::take(&mut self.settled);
        for (held, released) in listed {
            let key = Arc::as_ptr(&held) as usize;
            let work = held.work.load(Ordering::Relaxed);
            let before = settled.remove(&key).map_or(0, |(_, before)| before);
            let done = work.wrapping_sub(before);
            worked.push(Worked {
                owner: held.owner.clone(),
                work: done,
                memory: held.memory_on(&self.device).filter(|_| !released),
                held: !released,
            });
            if !released {
                self.settled.insert(key, (held, work));
            }
        }
        worked
    }

    /// Energy may be read less often than the rest. What was used since it was read is split over all windows since then.
    fn book_energy(&mut self, shares: &Shares, window: &Window) {
        let Some(total) = window.energy else {
            // A window in which nothing was read is part of the next.
            if window.power.or(window.utilization.map(u64::from)).is_some() {
                shares.book(&mut self.pending, window.microjoules());
            }
            return;
        };
        let energy = self.spent(total);
        if self.pending.is_empty() {
            return shares.book(&mut self.totals.energy, energy);
        }
        shares.book(&mut self.pending, window.microjoules());
        let (owners, weights): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().unzip();
        for (owner, part) in owners.iter().zip(split(energy, &weights)) {
            if part > 0 {
                let sum = place(&mut self.totals.energy, owner);
                *sum = sum.saturating_add(part);
            }
        }
    }

    /// Millijoules since the reading before. A counter that fell began anew: what it says it counted since.
    fn spent(&mut self, total: u64) -> u64 {
        match self.energy.replace(total) {
            Some(before) if total >= before => total - before,
            Some(_) => {
                self.totals.began_anew += 1;
                total
            }
            None => 0,
        }
    }
}

/// Whose the time of a window was.
struct Shares {
    /// Of other processes, with their share of time in millionths.
    others: Vec<(Owner, u64)>,
    /// What is left of it for those here.
    left: u64,
    /// Who that is, by work.
    here: Vec<(Owner, u64)>,
}

impl Shares {
    fn of(worked: &[Worked], window: &Window) -> Self {
        let share = |share: u32| u64::from(share.min(1_000_000));
        let others: Vec<(Owner, u64)> = { window.others.iter() }
            .map(|(other, _, time)| (Owner::Process(other.clone()), share(time.unwrap_or(0))))
            .filter(|(_, share)| *share > 0)
            .collect();
        let theirs: u64 = others.iter().map(|(_, share)| share).sum();
        let left = window
            .utilization
            .map_or(1_000_000, share)
            .saturating_sub(theirs);
        let told = worked.iter().any(|claim| claim.work > 0);
        let here = match told {
            true => { worked.iter() }
                .map(|claim| (claim.owner.clone(), claim.work))
                .collect(),
            false => vec![(rest(worked, window), 1)],
        };
        Self {
            // Where somebody says that he worked, or nobody else did, some of it is theirs whatever the driver's own window says.
            left: left.max(u64::from(told || others.is_empty())),
            others,
            here,
        }
    }

    fn book(&self, totals: &mut BTreeMap<Owner, u64>, total: u64) {
        let weights = |shares: &[(Owner, u64)]| -> Vec<u64> {
            shares.iter().map(|(_, weight)| *weight).collect()
        };
        let mut outer = weights(&self.others);
        outer.push(self.left);
        let mut outer = split(total, &outer);
        let here = split(outer.pop().unwrap_or_default(), &weights(&self.here));
        let owners = self
            .others
            .iter()
            .zip(outer)
            .chain(self.here.iter().zip(here));
        for ((owner, _), part) in owners.filter(|(_, part)| *part > 0) {
            let sum = place(totals, owner);
            *sum = sum.saturating_add(part);
        }
    }
}

/// Where an owner's part stands.
fn place<'t>(totals: &'t mut BTreeMap<Owner, u64>, owner: &Owner) -> &'t mut u64 {
    let owner = match owner {
        Owner::Claim { .. } | Owner::Process(_) => {
            owner.or_other(|owner| totals.contains_key(owner) || totals.len() < MOST_OWNERS)
        }
        own => own.clone(),
    };
    totals.entry(owner).or_default()
}

/// Whose a window is in which nobody says that he worked.
fn rest(worked: &[Worked], window: &Window) -> Owner {
    let mut holders = worked.iter().filter(|claim| claim.held);
    match (window.utilization, holders.next(), holders.next()) {
        (Some(0), ..) => Owner::Idle,
        (_, Some(one), None) if window.others.is_empty() => one.owner.clone(),
        _ => Owner::Unattributed,
    }
}

/// Whose the memory is. True where claims say that they have more than there is.
fn room(totals: &mut BTreeMap<Owner, u64>, used: u64, worked: &[Worked], window: &Window) -> bool {
    let mut left = used;
    let mut give = |owner: Owner, bytes: u64| {
        let bytes = bytes.min(left);
        left -= bytes;
        if bytes > 0 {
            *place(totals, &owner) += bytes;
        }
        left
    };
    // What the driver says stands before what anybody claims.
    let mut unclaimed = used;
    for (foreign, bytes, _) in &window.others {
        unclaimed = give(Owner::Process(foreign.clone()), bytes.unwrap_or_default());
    }
    let claimed: Vec<u64> = { worked.iter() }
        .map(|claim| claim.memory.unwrap_or_default())
        .collect();
    let sum = claimed
        .iter()
        .fold(0_u64, |sum, &bytes| sum.saturating_add(bytes));
    let over = sum > unclaimed;
    let given = if over {
        split(unclaimed, &claimed)
    } else {
        claimed
    };
    for (claim, bytes) in worked.iter().zip(given) {
        unclaimed = give(claim.owner.clone(), bytes);
    }
    give(Owner::Unattributed, unclaimed);
    over
}
