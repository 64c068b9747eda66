//! The bytes of all calls together that wait for their ends.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How much may be held, and is.
#[derive(Debug)]
pub(crate) struct Pool {
    held: AtomicUsize,
    cap: usize,
}

impl Pool {
    pub(crate) const fn new(cap: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            cap,
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.cap);
        let taken = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok()
    }
}

/// What one holds of it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pool: &'static Pool,
    bytes: usize,
}

impl Share {
    pub(crate) const fn of(pool: &'static Pool) -> Self {
        Self { pool, bytes: 0 }
    }

    /// Whether there is room for so many more.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let grown = self.pool.take(bytes);
        if grown {
            self.bytes += bytes;
        }
        grown
    }

    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.pool.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn release(&mut self) {
        self.shrink(self.bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_back() {
        static POOL: Pool = Pool::new(100);
        let mut one = Share::of(&POOL);
        assert!(one.grow(60));
        let mut other = Share::of(&POOL);
        assert!(!other.grow(41));
        assert!(other.grow(40));
        assert!(!one.grow(1));
        drop(other);
        assert!(one.grow(40));
        drop(one);
        assert_eq!(POOL.held.load(Ordering::Relaxed), 0);
    }
}
