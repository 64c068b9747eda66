//! The family of a trace in this process: the verdict on it and the finished children that wait for it.
//!
//! Only a root that the head decision left out has one, and only once it has a child or a handle. Children on other
//! threads, and children that outlive the root, read the verdict here.

use crate::sync::{AtomicU8, AtomicU64, Mutex, Ordering, lock};

/// What was decided about a trace in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verdict {
    Pending = 0,
    Keep = 1,
    Drop = 2,
}

/// `T` is the finished record; the models of the tests put a number there.
#[derive(Debug)]
pub(crate) struct Family<T> {
    verdict: AtomicU8,
    /// When the root started, in ticks.
    started: AtomicU64,

    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    waiting: Vec<T>,
    bytes: usize,
    truncated: u64,
}

/// What a decision leaves to its caller, beside the children that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) verdict: Verdict,
    /// Of the children that waited.
    pub(crate) bytes: usize,
    /// How many children had been let go by now.
    pub(crate) truncated: u64,
    /// Whether this was the decision.
    pub(crate) first: bool,
}

/// What became of a child that ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parked<T> {
    /// It waits for the root.
    Waiting,
    /// The trace is decided: the child is given back with the verdict.
    Decided(T, Verdict),
    /// Too many wait already: the child is given back and counted.
    NoRoom(T),
}

impl<T> Family<T> {
    pub(crate) fn new(root_start: u64) -> Self {
        Self {
            verdict: AtomicU8::new(Verdict::Pending as u8),
            started: AtomicU64::new(root_start),
            inner: Mutex::new(Inner {
                waiting: Vec::new(),
                bytes: 0,
                truncated: 0,
            }),
        }
    }

    /// For the next root of the same pooled record; nobody else holds it.
    pub(crate) fn reset(&self, root_start: u64) {
        let mut inner = lock(&self.inner);
        inner.waiting.clear();
        inner.bytes = 0;
        inner.truncated = 0;
        self.started.store(root_start, Ordering::Relaxed);
        self.verdict
            .store(Verdict::Pending as u8, Ordering::Release);
    }

    #[inline]
    pub(crate) fn verdict(&self) -> Verdict {
        match self.verdict.load(Ordering::Acquire) {
            0 => Verdict::Pending,
            1 => Verdict::Keep,
            _ => Verdict::Drop,
        }
    }

    /// Parks a finished child of `bytes`, unless the trace is decided or has no room.
    pub(crate) fn park(&self, child: T, bytes: usize, most: usize, most_bytes: usize) -> Parked<T> {
        let mut inner = lock(&self.inner);
        // Under the lock: `decide` takes the waiting ones under it, so none can be added behind its back.
        match self.verdict() {
            Verdict::Pending => {}
            decided => return Parked::Decided(child, decided),
        }
        if inner.waiting.len() >= most || inner.bytes + bytes > most_bytes {
            inner.truncated += 1;
            return Parked::NoRoom(child);
        }
        inner.bytes += bytes;
        inner.waiting.push(child);
        Parked::Waiting
    }

    /// Decides, once, as [`decide`](Self::decide) does, which still has to give back the children that wait.
    pub(crate) fn settle(&self, verdict: Verdict) -> Verdict {
        let _inner = lock(&self.inner);
        match self.verdict() {
            Verdict::Pending => {
                self.verdict.store(verdict as u8, Ordering::Release);
                verdict
            }
            decided => decided,
        }
    }

    /// Decides, once: the first verdict stands. Gives back the children that waited, in `into`, which is empty.
    pub(crate) fn decide(&self, verdict: Verdict, into: &mut Vec<T>) -> Decided {
        let mut inner = lock(&self.inner);
        let first = self.verdict() == Verdict::Pending;
        let verdict = match self.verdict() {
            Verdict::Pending => {
                self.verdict.store(verdict as u8, Ordering::Release);
                verdict
            }
            decided => decided,
        };
        debug_assert!(into.is_empty());
        std::mem::swap(&mut inner.waiting, into);
        Decided {
            verdict,
            bytes: std::mem::take(&mut inner.bytes),
            truncated: inner.truncated,
            first,
        }
    }

    /// Counts a child that was let go without having waited. Says what is decided by now: what is counted after that is in
    /// no [`Decided`].
    pub(crate) fn count_truncated(&self) -> Verdict {
        let mut inner = lock(&self.inner);
        inner.truncated += 1;
        self.verdict()
    }

    /// Gives the waiting children away without deciding: the root is too old, or memory is short.
    pub(crate) fn shed(&self, into: &mut Vec<T>) -> usize {
        let mut inner = lock(&self.inner);
        inner.truncated += inner.waiting.len() as u64;
        into.append(&mut inner.waiting);
        std::mem::take(&mut inner.bytes)
    }

    /// When the root started, and how many bytes wait.
    pub(crate) fn state(&self) -> (u64, usize) {
        let bytes = lock(&self.inner).bytes;
        (self.started(), bytes)
    }

    /// How many children wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.inner).waiting.len()
    }

    #[inline]
    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }
}
