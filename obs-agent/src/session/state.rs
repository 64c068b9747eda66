//! All shards of a ledger, and what is counted over them.

use super::entry::Entry;
use super::event::EndReason;
use super::seen::Seen;
use super::shard::Shard;
use obs_core::notice_fork;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// What a ledger did so far: created = live + idle + evicted + closed + shutdown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerCounts {
    /// Sessions that were new to it.
    pub created: u64,
    /// Sessions that it holds.
    pub live: u64,
    /// What they take of the memory, in bytes, with what holds them.
    pub bytes: u64,
    /// Sessions that were idle for too long.
    pub idle: u64,
    /// Sessions whose room was needed.
    pub evicted: u64,
    /// Sessions that were closed by hand.
    pub closed: u64,
    /// Sessions that were there at the shutdown.
    pub shutdown: u64,
}

/// How much a ledger holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) sessions: u64,
    pub(super) bytes: usize,
    pub(super) tools: usize,
}

/// Of one process.
#[derive(Debug)]
pub(super) struct State {
    /// The process, by how often it was forked.
    born: u32,
    shards: Box<[Part]>,
    hasher: RandomState,
    live: AtomicU64,
    bytes: AtomicUsize,
    created: AtomicU64,
    ended: [AtomicU64; EndReason::ALL.len()],
}

#[derive(Debug)]
struct Part {
    shard: Mutex<Shard>,
    /// When its oldest session was seen, in ticks: where the room of one is needed, that of the oldest is taken.
    oldest: AtomicU64,
}

/// So few sessions need no more shards.
const PER_SHARD: u64 = 64;
const MOST_SHARDS: u64 = 16;

impl State {
    pub(super) fn new(most_sessions: u64) -> Self {
        let shards = { most_sessions / PER_SHARD }.clamp(1, MOST_SHARDS);
        let part = || Part {
            shard: Mutex::default(),
            oldest: AtomicU64::new(u64::MAX),
        };
        Self {
            born: notice_fork(),
            shards: std::iter::repeat_with(part).take(shards as usize).collect(),
            hasher: RandomState::new(),
            live: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            created: AtomicU64::new(0),
            ended: Default::default(),
        }
    }

    fn part(&self, id: &str) -> &Part {
        let hash = self.hasher.hash_one(id) as usize;
        &self.shards[hash % self.shards.len()]
    }

    /// What `work` makes of the shard of that id.
    pub(super) fn with<R>(&self, id: &str, work: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        self.visit(self.part(id), work)
    }

    /// `None` where the lock is of a process that this one was forked from, and its holder is there.
    fn visit<R>(&self, part: &Part, work: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        let mut shard = self.lock(&part.shard)?;
        let before = shard.bytes;
        let done = work(&mut shard);
        let more = shard.bytes.wrapping_sub(before);
        self.bytes.fetch_add(more, Ordering::Relaxed);
        let oldest = { shard.oldest_seen() }.map_or(u64::MAX, |seen| seen.to_bits());
        part.oldest.store(oldest, Ordering::Relaxed);
        Some(done)
    }

    /// Adds one that ended to its session.
    pub(super) fn add(&self, id: &str, seen: &Seen<'_>, most: Most) {
        self.with(id, |shard| {
            if !shard.closed && shard.add(id, seen, most.tools) {
                self.created.fetch_add(1, Ordering::Relaxed);
                self.live.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    #[inline]
    pub(super) fn is_over(&self, most: Most) -> bool {
        self.live.load(Ordering::Relaxed) > most.sessions
            || self.bytes.load(Ordering::Relaxed) > most.bytes
    }

    /// The session that was not seen for longest. Of several threads that look for it at once each takes another one.
    pub(super) fn take_oldest(&self) -> Option<Box<Entry>> {
        let oldest = |part: &&Part| part.oldest.load(Ordering::Relaxed);
        let part = self.shards.iter().min_by_key(oldest)?;
        let taken = self.visit(part, |shard| {
            self.taken(shard.take_oldest(), EndReason::Evicted)
        });
        taken.flatten()
    }

    /// Takes those that `is_it` says are to end, one after another, with no lock held while `told` looks at them.
    pub(super) fn take_while(
        &self,
        reason: EndReason,
        is_it: impl Fn(&Shard) -> bool,
        mut told: impl FnMut(Box<Entry>),
    ) -> usize {
        let mut count = 0;
        for part in &self.shards {
            let take = |shard: &mut Shard| match is_it(shard) {
                true => self.taken(shard.take_oldest(), reason),
                false => None,
            };
            while let Some(entry) = self.visit(part, take).flatten() {
                count += 1;
                told(entry);
            }
        }
        count
    }

    pub(super) fn take_named(&self, id: &str) -> Option<Box<Entry>> {
        let take = |shard: &mut Shard| self.taken(shard.take_named(id), EndReason::Closed);
        self.with(id, take).flatten()
    }

    /// Under the lock, so that whoever counts finds it on one side.
    fn taken(&self, entry: Option<Box<Entry>>, reason: EndReason) -> Option<Box<Entry>> {
        if entry.is_some() {
            self.live.fetch_sub(1, Ordering::Relaxed);
            self.ended[reason as usize].fetch_add(1, Ordering::Relaxed);
        }
        entry
    }

    /// From now on nothing is taken.
    pub(super) fn close(&self) {
        for part in &self.shards {
            self.visit(part, |shard| shard.closed = true);
        }
    }

    /// Each shard in turn.
    pub(super) fn each(&self, mut look: impl FnMut(&Shard)) {
        for part in &self.shards {
            self.visit(part, |shard| look(shard));
        }
    }

    pub(super) fn counts(&self) -> LedgerCounts {
        let ended = |reason: EndReason| self.ended[reason as usize].load(Ordering::Relaxed);
        LedgerCounts {
            created: self.created.load(Ordering::Relaxed),
            live: self.live.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed) as u64,
            idle: ended(EndReason::Idle),
            evicted: ended(EndReason::Evicted),
            closed: ended(EndReason::Closed),
            shutdown: ended(EndReason::Shutdown),
        }
    }

    /// Data behind it is whole between any two statements, so a panic elsewhere is no reason to stop counting.
    fn lock<'a>(&self, shard: &'a Mutex<Shard>) -> Option<MutexGuard<'a, Shard>> {
        match shard.try_lock() {
            Ok(shard) => Some(shard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if notice_fork() != self.born => None,
            Err(TryLockError::WouldBlock) => {
                Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }
}
