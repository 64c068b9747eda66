//! Which shards there are, and whose they are: a thread's own while it lives, then the next thread's; one for all
//! threads beyond the number that may own one.

use crate::sync::{Mutex, lock};
use std::sync::Arc;

/// `S` is a shard; the models of the tests put mere cells there.
#[derive(Debug)]
pub(crate) struct Shards<S> {
    inner: Mutex<Inner<S>>,
    /// How many may be owned.
    most: usize,
}

#[derive(Debug)]
struct Inner<S> {
    all: Vec<Arc<S>>,
    owned: usize,
    /// Owned ones whose thread has ended.
    free: Vec<Arc<S>>,
    common: Option<Arc<S>>,
}

impl<S> Shards<S> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                all: Vec::new(),
                owned: 0,
                free: Vec::new(),
                common: None,
            }),
            most,
        }
    }

    /// Whether somebody holds it, who may be in another process.
    #[cfg(not(loom))]
    pub(crate) fn is_busy(&self) -> bool {
        crate::sync::try_lock(&self.inner).is_none()
    }

    #[cfg(loom)]
    pub(crate) fn is_busy(&self) -> bool {
        false
    }

    /// How many may be owned.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// A shard for a thread that records for the first time: one that a thread left, a fresh one, or the common one.
    /// `make` is told whether what it makes is owned.
    pub(crate) fn acquire(&self, make: impl FnOnce(bool) -> S) -> Arc<S> {
        let mut inner = lock(&self.inner);
        if let Some(left) = inner.free.pop() {
            return left;
        }
        if inner.owned < self.most {
            inner.owned += 1;
            let shard = Arc::new(make(true));
            inner.all.push(shard.clone());
            return shard;
        }
        inner.common(make)
    }

    pub(crate) fn common(&self, make: impl FnOnce(bool) -> S) -> Arc<S> {
        lock(&self.inner).common(make)
    }

    /// The thread of this owned shard has ended; its numbers stay and count. The lock is what lets the next thread
    /// see the last of them, which were written without a read-modify-write.
    pub(crate) fn release(&self, shard: Arc<S>) {
        lock(&self.inner).free.push(shard);
    }

    pub(crate) fn all(&self) -> Vec<Arc<S>> {
        lock(&self.inner).all.clone()
    }
}

impl<S> Inner<S> {
    fn common(&mut self, make: impl FnOnce(bool) -> S) -> Arc<S> {
        if let Some(common) = &self.common {
            return common.clone();
        }
        let common = Arc::new(make(false));
        self.all.push(common.clone());
        self.common = Some(common.clone());
        common
    }
}
