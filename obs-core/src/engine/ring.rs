//! The way of finished records from a thread to the collector: two buffers behind a lock each.
//!
//! The thread takes whichever lock is free; the collector holds one at a time, only to swap in an empty buffer, so the
//! thread never waits for it. Nothing is copied: what travels is the record's box. Buffers are recycled, because fresh
//! ones would put their page faults on the request's thread.

use crate::sync::{AtomicUsize, Ordering, TryMutex, lock_of, lock_tried, try_lock};

#[derive(Debug)]
pub(crate) struct Ring<T> {
    halves: [TryMutex<Vec<T>>; 2],
    /// Of each half; 0 once it is closed. Read under a half's lock.
    capacity: AtomicUsize,
    /// The process it was made in.
    born: u32,
}

/// What became of a push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed<T> {
    Taken,
    /// Taken, and the half is now half full: time to wake the collector.
    HalfFull,
    /// No room: the record comes back.
    Full(T),
}

impl<T> Ring<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            halves: [TryMutex::new(Vec::new()), TryMutex::new(Vec::new())],
            capacity: AtomicUsize::new(capacity),
            born: crate::fork::generation(),
        }
    }

    #[inline]
    pub(crate) fn push(&self, item: T) -> Pushed<T> {
        let item = match try_lock(&self.halves[0]) {
            Some(mut half) => match self.put(&mut half, item) {
                Pushed::Full(item) => item,
                taken => return taken,
            },
            None => item,
        };
        // The collector holds at most one of the two, for the length of a swap.
        let Some(mut half) = lock_of(&self.halves[1], self.born) else {
            return Pushed::Full(item);
        };
        let item = match self.put(&mut half, item) {
            Pushed::Full(item) => item,
            taken => return taken,
        };
        drop(half);
        // The first was busy or full: the collector may have emptied it meanwhile. Tried once more and busy again, a
        // record would be given back although there is room.
        match lock_of(&self.halves[0], self.born) {
            Some(mut half) => self.put(&mut half, item),
            None => Pushed::Full(item),
        }
    }

    #[inline(always)]
    fn put(&self, half: &mut Vec<T>, item: T) -> Pushed<T> {
        let capacity = self.capacity.load(Ordering::Relaxed);
        if half.len() >= capacity {
            return Pushed::Full(item);
        }
        half.push(item);
        if half.len() == capacity.div_ceil(2) {
            Pushed::HalfFull
        } else {
            Pushed::Taken
        }
    }

    /// From now on there is room for nothing more; what is there waits for the last [`drain`](Self::drain). A push sees
    /// this once that drain had its half's lock, so each record is in one of the two or is given back.
    pub(crate) fn close(&self) {
        self.capacity.store(0, Ordering::Relaxed);
    }

    /// Moves everything out into `into`, which is empty afterwards only if nothing was there.
    pub(crate) fn drain(&self, spare: &mut Vec<T>, into: &mut Vec<T>) {
        for half in &self.halves {
            debug_assert!(spare.is_empty());
            std::mem::swap(&mut *lock_tried(half), spare);
            into.append(spare);
        }
    }

    /// How much waits for the collector.
    pub(crate) fn len(&self) -> usize {
        self.halves.iter().map(|half| lock_tried(half).len()).sum()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_gives_the_record_back_and_a_drained_one_takes_again() {
        let ring = Ring::new(2);
        assert_eq!(ring.push(1), Pushed::HalfFull);
        assert_eq!(ring.push(2), Pushed::Taken);
        assert_eq!(
            (ring.push(3), ring.push(4)),
            (Pushed::HalfFull, Pushed::Taken)
        );
        assert_eq!(ring.push(5), Pushed::Full(5));
        let (mut spare, mut out) = (Vec::new(), Vec::new());
        ring.drain(&mut spare, &mut out);
        assert_eq!(out, [1, 2, 3, 4]);
        assert_eq!(ring.push(5), Pushed::HalfFull);
        assert_eq!(ring.len(), 1);
    }

    #[test]
    fn a_closed_ring_gives_back_what_comes_and_keeps_what_was_there() {
        let ring = Ring::new(2);
        ring.push(1);
        ring.close();
        assert_eq!(ring.push(2), Pushed::Full(2));
        let (mut spare, mut out) = (Vec::new(), Vec::new());
        ring.drain(&mut spare, &mut out);
        assert_eq!(out, [1]);
        assert_eq!(ring.push(3), Pushed::Full(3));
    }
}
