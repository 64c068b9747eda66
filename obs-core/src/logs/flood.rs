//! Flood control: how many events of one call site pass in an interval, and what is said about those that did not.

use super::site::Site;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How many events of one call site pass. Windows of the interval follow each other, so that at most twice as many
/// pass within one interval that lies across two of them.
///
/// Call sites beyond the first 8,000 or so share the budget of one.
///
/// What is held back is counted, in [`EngineCounts::log_flood`](crate::EngineCounts::log_flood) and in a line of its own that
/// follows when the interval is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Flood {
    pub(super) interval: Duration,
    pub(super) events: u32,
    pub(super) errors: u32,
}

impl Default for Flood {
    /// 100 events a second, 1,000 of level `ERROR`.
    fn default() -> Self {
        Self::new(100, Duration::from_secs(1))
    }
}

impl Flood {
    /// `events` in each `interval` (at least a millisecond), and ten times as many of level `ERROR`.
    pub fn new(events: u32, interval: Duration) -> Self {
        Self {
            interval: interval.max(Duration::from_millis(1)),
            events,
            errors: events.saturating_mul(10),
        }
    }

    /// With another number of events of level `ERROR`.
    pub fn with_errors(mut self, errors: u32) -> Self {
        self.errors = errors;
        self
    }

    /// Everything passes.
    pub fn off() -> Self {
        Self::new(u32::MAX, Duration::from_secs(1))
    }

    fn budget(&self, site: &Site) -> u32 {
        if site.is_error() {
            self.errors
        } else {
            self.events
        }
    }
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) passes: bool,
    /// How many were held back in windows before, which nobody was told of.
    pub(super) before: u64,
}

impl Verdict {
    const PASSES: Self = Self {
        passes: true,
        before: 0,
    };
    const HELD_BACK: Self = Self {
        passes: false,
        before: 0,
    };
}

/// All call sites that ever spoke: a table that grows by blocks and is read without a lock.
pub(super) struct Sites {
    flood: Flood,
    interval: u64,
    first: Block,
    /// All call sites for which there was no place.
    others: Slot,
    /// Whether anything was held back since the last sweep.
    pending: AtomicBool,
    /// The window of the last sweep, or of the first word since then that waits.
    swept: AtomicU64,
}

const SLOTS: usize = 128;
const PROBES: usize = 8;
/// 8,192 call sites.
const BLOCKS: usize = 64;

struct Block {
    slots: Box<[Slot]>,
    next: OnceLock<Box<Block>>,
}

#[derive(Default)]
pub(super) struct Slot {
    site: OnceLock<Site>,
    /// The window in the upper half, the events in it in the lower.
    state: AtomicU64,
    /// Events held back that nobody was told of.
    held: AtomicU64,
}

impl Block {
    fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            next: OnceLock::new(),
        }
    }
}

impl Slot {
    pub(super) fn site(&self) -> Option<&Site> {
        self.site.get()
    }
}

impl Sites {
    pub(super) fn new(flood: Flood) -> Self {
        let others = Slot::default();
        let _ = others.site.set(Site::others());
        Self {
            flood,
            interval: u64::try_from(flood.interval.as_nanos()).unwrap_or(u64::MAX),
            first: Block::new(),
            others,
            pending: AtomicBool::new(false),
            swept: AtomicU64::new(0),
        }
    }

    /// The place of a call site, made at its first event.
    #[inline]
    pub(super) fn of(&self, key: u64, make: impl Fn() -> Site) -> &Slot {
        let start = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        let mut block = &self.first;
        for _ in 0..BLOCKS {
            for probe in 0..PROBES {
                let slot = &block.slots[(start + probe) % SLOTS];
                if slot.site.get_or_init(&make).key() == key {
                    return slot;
                }
            }
            block = block.next.get_or_init(|| Box::new(Block::new()));
        }
        &self.others
    }

    /// What stands for everybody else, this crate among them.
    pub(super) fn others(&self) -> Option<&Site> {
        self.others.site()
    }

    /// Whether an event of this call site passes now.
    #[inline]
    pub(super) fn admit(&self, slot: &Slot, site: &Site, now: u64) -> Verdict {
        let budget = self.flood.budget(site);
        if budget == u32::MAX {
            return Verdict::PASSES;
        }
        let window = self.window(now);
        let state = slot.state.load(Ordering::Relaxed);
        if state >> 32 != window {
            return self.turn(slot, state, now, budget);
        }
        if slot.state.fetch_add(1, Ordering::Relaxed) as u32 >= budget {
            return self.hold_back(slot, now);
        }
        Verdict::PASSES
    }

    /// The first event of a window.
    #[cold]
    fn turn(&self, slot: &Slot, state: u64, now: u64, budget: u32) -> Verdict {
        let window = self.window(now);
        let turned = slot.state.compare_exchange(
            state,
            window << 32 | 1,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        match turned {
            Ok(_) => {
                let before = slot.held.swap(0, Ordering::Relaxed);
                let passes = budget > 0;
                if !passes {
                    self.hold_back(slot, now);
                }
                Verdict { passes, before }
            }
            // Another thread was first, or counted one more in the window that is over; both are rare, and one event too
            // many does no harm.
            Err(_) => {
                if slot.state.fetch_add(1, Ordering::Relaxed) as u32 >= budget {
                    return self.hold_back(slot, now);
                }
                Verdict::PASSES
            }
        }
    }

    #[cold]
    fn hold_back(&self, slot: &Slot, now: u64) -> Verdict {
        // Far from the upper half, however long the window is.
        if slot.state.load(Ordering::Relaxed) as u32 > u32::MAX / 2 {
            slot.state.fetch_sub(1 << 30, Ordering::Relaxed);
        }
        // A record about what was held back of a delivery would have to be delivered.
        if !crate::quiet::is_suppressed() {
            slot.held.fetch_add(1, Ordering::Relaxed);
            self.remind(now);
        }
        Verdict::HELD_BACK
    }

    fn window(&self, now: u64) -> u64 {
        (now / self.interval) & u64::from(u32::MAX)
    }

    /// Whether a window has gone by since anybody looked for what was held back.
    #[inline]
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.pending.load(Ordering::Relaxed)
            && self.swept.load(Ordering::Relaxed) != self.window(now)
    }

    /// There is something to tell when this window is over.
    #[cold]
    pub(super) fn remind(&self, now: u64) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.swept.store(self.window(now), Ordering::Relaxed);
        }
    }

    /// Tells of everything that was held back in windows that are over; `all`: in this one too.
    #[cold]
    pub(super) fn sweep(&self, now: u64, all: bool, mut tell: impl FnMut(&Site, u64)) {
        let window = self.window(now);
        self.swept.store(window, Ordering::Relaxed);
        // What is held back from here on sets it anew.
        if !self.pending.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut left = false;
        let mut block = Some(&self.first);
        while let Some(here) = block {
            let others = block.is_some_and(|block| std::ptr::eq(block, &self.first));
            for slot in here.slots.iter().chain(others.then_some(&self.others)) {
                if slot.held.load(Ordering::Relaxed) == 0 {
                    continue;
                }
                if !all && slot.state.load(Ordering::Relaxed) >> 32 == window {
                    left = true;
                    continue;
                }
                let held = slot.held.swap(0, Ordering::Relaxed);
                if let Some(site) = slot.site()
                    && held > 0
                {
                    tell(site, held);
                }
            }
            block = here.next.get().map(Box::as_ref);
        }
        if left {
            self.pending.store(true, Ordering::Release);
        }
    }
}

impl std::fmt::Debug for Sites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sites")
            .field("flood", &self.flood)
            .finish_non_exhaustive()
    }
}
