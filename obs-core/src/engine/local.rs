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
use crate::sync::try_lock;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Local {
    engine: &'static Engine,
    pub(crate) shard: Arc<Shard>,
    owned: bool,
    pool: Vec<Box<Live>>,
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
struct SeriesSlot {
    labels: Labels,
    set: u32,
    series: u32,
    cells: Option<Cells>,
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
            owned: shard.owned,
            shard,
            pool: Vec::new(),
            series: Box::new(std::array::from_fn(|_| SeriesSlot::default())),
            texts: Box::new(std::array::from_fn(|_| TextSlot::default())),
            rng: Rng::from_entropy(),
            scratch: Vec::new(),
            next: None,
        }
    }

    /// A record from the pool, as it was left: the caller sets every field of the operation.
    #[inline(always)]
    pub(crate) fn take(&mut self, kind: &'static Kind) -> Box<Live> {
        match self.pool.pop() {
            Some(live) => live,
            None => self.refill(kind),
        }
    }

    #[cold]
    fn refill(&mut self, kind: &'static Kind) -> Box<Live> {
        if let Some(mut returned) = try_lock(&self.shard.returned) {
            std::mem::swap(&mut *returned, &mut self.pool);
        }
        self.pool.pop().unwrap_or_else(|| Live::fresh(kind))
    }

    #[inline(always)]
    pub(crate) fn recycle(&mut self, mut live: Box<Live>) {
        live.clear();
        if self.pool.len() < self.engine.config.pool {
            self.pool.push(live);
        }
    }

    /// The series of a label set and its cells here: this thread's cache, then the telemetry's map. Says too whether
    /// the cells are this thread's own.
    #[inline(always)]
    pub(crate) fn series(
        &mut self,
        set: &MetricSet,
        labels: Labels,
    ) -> (u32, Option<&Cells>, bool) {
        let slot = &mut self.series[labels.hash8(set.id)];
        if slot.labels != labels || slot.set != u32::from(set.id) || slot.cells.is_none() {
            Self::series_slow(slot, self.engine, &self.shard, set, labels);
        }
        (slot.series, slot.cells.as_ref(), self.owned)
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

    #[inline(always)]
    pub(crate) fn intern(&mut self, space: &Space, text: &str) -> LabelId {
        let slot = &mut self.texts[quick_hash(text.as_bytes()) % TEXTS];
        if slot.space == space.uid()
            && let Some(known) = &slot.text
            && **known == *text
        {
            return slot.id;
        }
        Self::intern_slow(slot, space, text)
    }

    #[cold]
    fn intern_slow(slot: &mut TextSlot, space: &Space, text: &str) -> LabelId {
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

    pub(crate) fn scratch(&mut self) -> Vec<Box<Live>> {
        std::mem::take(&mut self.scratch)
    }

    pub(crate) fn put_scratch(&mut self, empty: Vec<Box<Live>>) {
        if empty.is_empty() && empty.capacity() <= 4096 {
            self.scratch = empty;
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let mut pool = std::mem::take(&mut self.pool);
        self.shard.give_back(&mut pool, self.engine.config.pool);
        self.engine.release(&self.shard);
    }
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
    /// is past its end, or where `work` of another call is below us on the stack.
    #[inline(always)]
    pub(crate) fn with_local<R>(&'static self, work: impl FnOnce(&mut Local) -> R) -> R {
        LOCAL.with(|cell| {
            let mut local = match cell.take() {
                Some(local) if std::ptr::eq(local.engine, self) => local,
                other => match self.find_local(other) {
                    Some(local) => local,
                    None => return self.with_fallback(work),
                },
            };
            let result = work(&mut local);
            crate::context::put(cell, Some(local));
            result
        })
    }

    /// Brings this telemetry's part to the front of the thread's list, or makes it.
    #[cold]
    fn find_local(&'static self, mut chain: Option<Box<Local>>) -> Option<Box<Local>> {
        let found = unlink(&mut chain, self).or_else(|| {
            if GONE.get() {
                return None;
            }
            // Touching it registers its destructor, which hands the shards on when the thread ends.
            EXIT.try_with(|_| ()).ok()?;
            Some(Box::new(Local::new(self, self.acquire())))
        });
        match found {
            Some(mut local) => {
                local.next = chain;
                Some(local)
            }
            None => {
                LOCAL.with(|cell| cell.set(chain));
                None
            }
        }
    }

    #[cold]
    fn with_fallback<R>(&'static self, work: impl FnOnce(&mut Local) -> R) -> R {
        let mut fallback = crate::sync::lock_std(&self.fallback);
        work(fallback.get_or_insert_with(|| Local::new(self, self.common_shard())))
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
