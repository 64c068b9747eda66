//! Which process this is: a child that was forked has its parent's memory, none of its threads, and perhaps locks that
//! nobody will ever release.
//!
//! A fork is noticed by the process id, which costs a system call: so it is asked for where that does not count (in manual
//! mode, when a thread first records, when a lock is busy), and what was found out last is one load.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

/// The process as it was known last: how many forks there were before it, as far as they were noticed, and its id.
static KNOWN: AtomicU64 = AtomicU64::new(0);

const fn generation_of(known: u64) -> u32 {
    (known >> 32) as u32
}

/// Asks which process this is. The answer is another one than before in a child that was forked meanwhile.
pub fn notice() -> u32 {
    let pid = std::process::id();
    let known = KNOWN.load(Ordering::Acquire);
    if known as u32 == pid {
        return generation_of(known);
    }
    notice_anew(known, pid)
}

#[cold]
fn notice_anew(known: u64, pid: u32) -> u32 {
    let first = known == 0;
    let generation = generation_of(known).wrapping_add(u32::from(!first));
    let now = u64::from(generation) << 32 | u64::from(pid);
    match KNOWN.compare_exchange(known, now, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            if !first {
                // Or the child would go on with its parent's ids.
                crate::ids::reseed();
            }
            generation
        }
        // Another thread of this process was first.
        Err(now) => generation_of(now),
    }
}

/// What [`notice`] said last.
#[inline(always)]
pub(crate) fn generation() -> u32 {
    generation_of(KNOWN.load(Ordering::Relaxed))
}

/// What a child has anew. Whoever implements it takes no lock: in a child nobody may be there to release it.
pub(crate) trait Anew {
    /// As it was at its beginning.
    fn anew(&self) -> Self;
}

impl<T: Default> Anew for Mutex<T> {
    fn anew(&self) -> Self {
        Self::default()
    }
}

/// Something of which each process has one of its own. That of its parent is left where it is, in whatever state.
pub struct PerProcess<T> {
    born: u32,
    own: T,
    childs: OnceLock<Box<Self>>,
}

impl<T> PerProcess<T> {
    /// This process's.
    pub fn new(own: T) -> Self {
        Self {
            born: generation(),
            own,
            childs: OnceLock::new(),
        }
    }

    /// That of the process it was made in.
    pub(crate) fn first(&self) -> &T {
        &self.own
    }

    /// This process's, made by `make` from its parent's if there is none yet.
    #[inline]
    pub fn get(&self, make: impl Fn(&T) -> T) -> &T {
        if self.born == generation() {
            return &self.own;
        }
        self.of_child(&make)
    }

    #[cold]
    #[inline(never)]
    fn of_child(&self, make: &dyn Fn(&T) -> T) -> &T {
        let mut this = self;
        while this.born != generation() {
            if let Some(child) = this.childs.get() {
                this = child;
                continue;
            }
            // Made before it is set, so that a fork in between leaves nothing half made.
            let made = Box::new(Self::new(make(&this.own)));
            if let Err(second) = this.childs.set(made) {
                drop(second);
            }
        }
        &this.own
    }
}

impl<T: Anew> Deref for PerProcess<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.get(T::anew)
    }
}

impl<T: Default> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.own.fmt(f)
    }
}

/// What is known and must be known in a child too, behind a lock that a child gets anew. Where the lock was busy when the
/// process forked nobody can say what is behind it, and the child begins with `lost`.
pub(crate) struct Kept<T> {
    lock: PerProcess<RwLock<T>>,
    lost: fn() -> T,
}

impl<T: Clone> Kept<T> {
    pub(crate) fn new(value: T, lost: fn() -> T) -> Self {
        Self {
            lock: PerProcess::new(RwLock::new(value)),
            lost,
        }
    }

    fn here(&self) -> &RwLock<T> {
        self.lock.get(|parents| {
            RwLock::new(match parents.try_read() {
                Ok(known) => known.clone(),
                Err(TryLockError::Poisoned(known)) => known.into_inner().clone(),
                Err(TryLockError::WouldBlock) => (self.lost)(),
            })
        })
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        match self.here().try_read() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => {
                notice();
                let waited = self.here().read();
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        match self.here().try_write() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => {
                notice();
                let waited = self.here().write();
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        }
    }
}

impl<T: Clone + Default> Default for Kept<T> {
    fn default() -> Self {
        Self::new(T::default(), T::default)
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}
