//! What a thread keeps for a telemetry: its shard, a pool of records, and caches that turn texts and label sets into
//! numbers without a lock.

use super::Engine;
use super::cells::Cells;
use super::kind::Kind;
use super::live::Live;
use super::metric_set::MetricSet;
use super::shard::Shard;
use crate::ids::Rng;
use crate::label::{LabelId, Labels, Space};
use crate::redact::{Looking, Place};
use crate::sync::try_lock;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Local {
    engine: &'static Engine,
    /// The address of its telemetry, where this thread's part of it is good as it lies here; 0 where it is first asked which
    /// process this is.
    at_once: usize,
    /// The process it was made in.
    generation: u32,
    pub(crate) shard: Arc<Shard>,
    pub(crate) owned: bool,
    /// It is the one that threads share at their ends, and goes back there.
    fallback: bool,
    /// Records to be used again, from the front; as many places as it may hold.
    pool: Box<[Option<Box<Live>>]>,
    pooled: usize,
    series: Box<[SeriesSlot; SERIES]>,
    texts: Box<[TextSlot; TEXTS]>,
    pub(crate) rng: Rng,
    /// An empty buffer for moving records about, so that it need not be made each time.
    scratch: Vec<Box<Live>>,
    next: Option<Box<Local>>,
}

const SERIES: usize = 256;
const TEXTS: usize = 64;

#[derive(Clone, Debug, Default)]
pub(crate) struct SeriesSlot {
    labels: Labels,
    set: u32,
    pub(crate) series: u32,
    pub(crate) cells: Option<Cells>,
}

impl SeriesSlot {
    /// Without a branch but the last.
    #[inline(always)]
    fn holds(&self, set: &MetricSet, labels: Labels) -> bool {
        let differs = (self.labels.0[0] ^ labels.0[0])
            | (self.labels.0[1] ^ labels.0[1])
            | u64::from(self.set ^ u32::from(set.id));
        differs == 0 && self.cells.is_some()
    }
}

#[derive(Debug, Default)]
struct TextSlot {
    space: u32,
    id: LabelId,
    text: Option<Arc<str>>,
}

impl Local {
    pub(crate) fn new(engine: &'static Engine, shard: Arc<Shard>) -> Self {
        Self {
            engine,
            at_once: if engine.config.looks_for_forks {
                0
            } else {
                std::ptr::from_ref(engine).addr()
            },
            generation: engine.settle(),
            owned: shard.owned,
            fallback: false,
            shard,
            pool: std::iter::repeat_with(|| None)
                .take(engine.config.pool)
                .collect(),
            pooled: 0,
            series: Box::new(std::array::from_fn(|_| SeriesSlot::default())),
            texts: Box::new(std::array::from_fn(|_| TextSlot::default())),
            rng: Rng::from_entropy(),
            scratch: Vec::new(),
            next: None,
        }
    }

    /// The process it was made in.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// A record from the pool, as it was left: the caller sets every field of the operation.
    #[inline(always)]
    pub(crate) fn take(&mut self, kind: &'static Kind) -> Box<Live> {
        match self.unpool() {
            Some(live) => live,
            None => self.refill(kind),
        }
    }

    #[inline(always)]
    fn unpool(&mut self) -> Option<Box<Live>> {
        let last = self.pooled.wrapping_sub(1);
        let live = self.pool.get_mut(last)?.take();
        self.pooled = last;
        live
    }

    #[inline(always)]
    fn pool(&mut self, live: Box<Live>) {
        if let Some(place) = self.pool.get_mut(self.pooled) {
            // Empty, so there is nothing to drop.
            std::mem::forget(place.replace(live));
            self.pooled += 1;
        }
    }

    #[cold]
    fn refill(&mut self, kind: &'static Kind) -> Box<Live> {
        let shard = self.shard.clone();
        if let Some(mut returned) = try_lock(&shard.returned) {
            returned.drain(..).for_each(|live| self.pool(live));
        }
        self.unpool().unwrap_or_else(|| Live::fresh(kind))
    }

    #[inline(always)]
    pub(crate) fn recycle(&mut self, mut live: Box<Live>) {
        live.clear();
        self.pool(live);
    }

    /// The series of a label set and its cells here, from this thread's cache or the telemetry's map; the slot it is in.
    #[inline(always)]
    pub(crate) fn series(&mut self, set: &MetricSet, labels: Labels) -> (u8, &SeriesSlot) {
        let index = labels.hash8(set.id);
        let slot = &mut self.series[usize::from(index)];
        if !slot.holds(set, labels) {
            Self::series_slow(slot, self.engine, &self.shard, set, labels);
        }
        (index, slot)
    }

    /// The cells of a series that [`series`](Self::series) found in slot `index`, perhaps on another thread.
    #[inline(always)]
    pub(crate) fn cells_again(&self, set: &MetricSet, index: u8, series: u32) -> Option<&Cells> {
        let slot = &self.series[usize::from(index)];
        match &slot.cells {
            Some(cells) if slot.series == series => Some(cells),
            _ => self.shard.cells(series, set.cells),
        }
    }

    #[cold]
    #[inline(never)]
    fn series_slow(
        slot: &mut SeriesSlot,
        engine: &Engine,
        shard: &Shard,
        set: &MetricSet,
        labels: Labels,
    ) {
        let series = engine.registry.series(set, labels);
        let cells = shard.cells(series, set.cells).cloned();
        *slot = SeriesSlot {
            labels,
            set: u32::from(set.id),
            series,
            cells,
        };
    }

    /// The number of a text that this thread has met before.
    #[inline(always)]
    pub(crate) fn known(&self, space: &Space, text: &str) -> Option<LabelId> {
        let slot = &self.texts[slot_of(space.uid(), text)];
        if slot.space == space.uid()
            && let Some(known) = &slot.text
            && **known == *text
        {
            return Some(slot.id);
        }
        None
    }

    #[inline(always)]
    pub(crate) fn intern(&mut self, space: &Space, text: &str) -> LabelId {
        match self.known(space, text) {
            Some(id) => id,
            None => {
                let slot = &mut self.texts[slot_of(space.uid(), text)];
                Self::intern_slow(slot, self.engine, space, text)
            }
        }
    }

    #[cold]
    fn intern_slow(
        slot: &mut TextSlot,
        engine: &'static Engine,
        space: &Space,
        text: &str,
    ) -> LabelId {
        if let Some(by) = engine.looking()
            && space.is_shown()
        {
            return Self::intern_redacted(slot, by, space, text);
        }
        let (id, known) = space.intern(text);
        if let Some(known) = known {
            *slot = TextSlot {
                space: space.uid(),
                id,
                text: Some(known),
            };
        }
        id
    }

    /// The number of what a redactor leaves of the text; the thread knows it by the text itself.
    fn intern_redacted(slot: &mut TextSlot, by: Looking<'_>, space: &Space, text: &str) -> LabelId {
        let Some(left) = by.left(Place::Label, space.key().as_str(), text) else {
            return LabelId::ABSENT;
        };
        let (id, known) = space.intern(&left);
        if known.is_some() && !crate::redact::is_within() {
            *slot = TextSlot {
                space: space.uid(),
                id,
                text: Some(text.into()),
            };
        }
        id
    }

    pub(crate) fn scratch(&mut self) -> Vec<Box<Live>> {
        std::mem::take(&mut self.scratch)
    }

    #[inline(always)]
    pub(crate) fn put_scratch(&mut self, empty: Vec<Box<Live>>) {
        if empty.capacity() <= 4096 && self.scratch.capacity() == 0 {
            debug_assert!(empty.is_empty());
            // What was there owns nothing.
            std::mem::forget(std::mem::replace(&mut self.scratch, empty));
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.generation != crate::fork::notice() {
            // What it came with is the parent's: nobody may be there to release a lock of it, and what its records hold is
            // not to be ended a second time.
            std::mem::forget(std::mem::take(&mut self.pool));
            std::mem::forget(std::mem::take(&mut self.scratch));
            std::mem::forget(self.shard.clone());
            return;
        }
        let mut pooled = self.pool.iter_mut().map_while(Option::take).collect();
        self.shard.give_back(&mut pooled, self.engine.config.pool);
        self.engine.release(&self.shard);
    }
}

/// Where a text of a space is looked for. The same text stands in several spaces, each in a slot of its own: a proxy asks for the
/// methods that it is asked for.
#[inline(always)]
fn slot_of(space: u32, text: &str) -> usize {
    (quick_hash(text.as_bytes()) ^ space as usize) % TEXTS
}

/// Good enough to pick one of 64 slots: length, head, middle and tail.
#[inline(always)]
fn quick_hash(bytes: &[u8]) -> usize {
    let len = bytes.len();
    let word = |at: usize| match bytes.get(at..at + 8) {
        Some(eight) => u64::from_le_bytes(eight.try_into().unwrap_or_default()),
        None => 0,
    };
    let mixed = if len >= 8 {
        word(0) ^ word(len - 8).rotate_left(21) ^ word(len / 2 - 4).rotate_left(42)
    } else {
        bytes
            .iter()
            .fold(0, |mixed, byte| mixed << 8 | u64::from(*byte))
    };
    ((mixed ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
}

thread_local! {
    /// Without a destructor, so that an access is a plain load: [`EXIT`] empties it. It is usable by operations that
    /// end in other thread-locals' destructors, before and after ours.
    static LOCAL: ManuallyDrop<Cell<Option<Box<Local>>>> = const { ManuallyDrop::new(Cell::new(None)) };
    static GONE: Cell<bool> = const { Cell::new(false) };
    static EXIT: Exit = const { Exit };
}

struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        GONE.set(true);
        let mut local = LOCAL.with(|local| local.take());
        while let Some(mut this) = local {
            local = this.next.take();
        }
    }
}

impl Engine {
    /// Runs `work` with this thread's part of the telemetry. Falls back to a part that threads share where the thread
    /// is past its end.
    #[inline(always)]
    pub(crate) fn with_local<R>(&'static self, work: impl FnOnce(&mut Local) -> R) -> R {
        let mut local = self.take_local();
        let result = work(&mut local);
        self.put_local(local);
        result
    }

    /// This thread's part by value. No closure is run with it, which would be kept out of line with all that it captures
    /// in memory; whoever takes it gives it back with [`put_local`](Self::put_local).
    #[inline(always)]
    pub(crate) fn take_local(&'static self) -> Box<Local> {
        match LOCAL.with(|cell| cell.take()) {
            Some(local) if local.at_once == std::ptr::from_ref(self).addr() => local,
            other => self.find_local(other),
        }
    }

    #[inline(always)]
    pub(crate) fn put_local(&'static self, local: Box<Local>) {
        if local.fallback {
            return self.put_fallback(local);
        }
        crate::context::put(&LOCAL, Some(local));
    }

    /// Brings this telemetry's part to the front of the thread's list, or makes it.
    #[cold]
    #[inline(never)]
    fn find_local(&'static self, mut chain: Option<Box<Local>>) -> Box<Local> {
        let found = unlink(&mut chain, self)
            .filter(|local| !self.config.looks_for_forks || local.generation == self.settle());
        let found = found.or_else(|| {
            if GONE.get() {
                return None;
            }
            // Or the shard would be that of the parent.
            self.settle();
            // Touching it registers its destructor, which hands the shards on when the thread ends.
            EXIT.try_with(|_| ()).ok()?;
            Some(Box::new(Local::new(self, self.acquire())))
        });
        match found {
            Some(mut local) => {
                local.next = chain;
                local
            }
            None => {
                LOCAL.with(|cell| cell.set(chain));
                self.fallback()
            }
        }
    }

    /// One that stands by, or a further one: whoever finds it taken is one of many threads that end.
    fn fallback(&'static self) -> Box<Local> {
        let waiting = crate::sync::lock_std(&self.fallback).take();
        waiting.unwrap_or_else(|| {
            let mut local = Box::new(Local::new(self, self.common_shard()));
            local.fallback = true;
            local
        })
    }

    #[cold]
    #[inline(never)]
    fn put_fallback(&'static self, local: Box<Local>) {
        let surplus = crate::sync::lock_std(&self.fallback).replace(local);
        drop(surplus);
    }
}

/// Takes the part of `engine` out of the chain.
fn unlink(chain: &mut Option<Box<Local>>, engine: &'static Engine) -> Option<Box<Local>> {
    if std::ptr::eq(chain.as_ref()?.engine, engine) {
        let mut found = chain.take()?;
        *chain = found.next.take();
        return Some(found);
    }
    unlink(&mut chain.as_mut()?.next, engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_in_the_spaces_of_one_service_does_not_drive_itself_out() {
        for text in ["shop.Cart/Add", "GET", ""] {
            let mut slots: Vec<usize> = (1..=TEXTS as u32).map(|uid| slot_of(uid, text)).collect();
            slots.sort_unstable();
            slots.dedup();
            assert_eq!(slots.len(), TEXTS, "{text:?}");
        }
    }
}
