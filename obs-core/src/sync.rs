//! The synchronisation primitives of what loom models: loom's under `--cfg loom`, the standard ones otherwise.

#[cfg(loom)]
mod tried;

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};

/// Locks, whatever became of the last holder: data behind our mutexes is whole between any two statements, so a panic
/// elsewhere (a subscriber, an allocator) is no reason to stop recording.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A mutex that some only try to lock.
#[cfg(not(loom))]
pub(crate) type TryMutex<T> = Mutex<T>;
#[cfg(loom)]
pub(crate) use tried::{TryMutex, lock_tried, try_lock};

/// The same as [`lock`] for a mutex that others [`try_lock`].
#[cfg(not(loom))]
pub(crate) use lock as lock_tried;

/// The same for a lock that must not be waited for.
#[cfg(not(loom))]
pub(crate) fn try_lock<T>(mutex: &TryMutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

/// The same for a standard mutex, under loom too.
#[cfg(not(loom))]
pub(crate) use try_lock as try_lock_std;
#[cfg(loom)]
pub(crate) fn try_lock_std<T>(mutex: &std::sync::Mutex<T>) -> Option<std::sync::MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

/// Locks, if the lock is of this process: of one that was made before a fork the holder may be in the other process.
#[cfg(not(loom))]
#[inline]
pub(crate) fn lock_of<T>(mutex: &TryMutex<T>, born: u32) -> Option<MutexGuard<'_, T>> {
    match try_lock(mutex) {
        Some(guard) => Some(guard),
        None => wait_of(mutex, born),
    }
}

#[cfg(not(loom))]
#[cold]
#[inline(never)]
fn wait_of<T>(mutex: &TryMutex<T>, born: u32) -> Option<MutexGuard<'_, T>> {
    (crate::fork::notice() == born).then(|| lock(mutex))
}

/// No model forks.
#[cfg(loom)]
pub(crate) fn lock_of<T>(mutex: &TryMutex<T>, _: u32) -> Option<tried::TryGuard<'_, T>> {
    Some(lock_tried(mutex))
}

/// For what no model runs: a standard mutex under loom, too.
#[cfg(not(loom))]
pub(crate) use lock as lock_std;
#[cfg(loom)]
pub(crate) fn lock_std<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
