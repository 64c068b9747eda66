//! A mutex that some only try to lock, for loom. Its own blocks whoever is about to try until the lock is free, so that
//! no `try_lock` ever fails: a flag beside, read and written at the holder's lock and release, lets it.

use super::{Mutex, MutexGuard, lock};
use loom::sync::atomic::{AtomicBool, Ordering};
use std::ops::{Deref, DerefMut};

#[derive(Debug)]
pub(crate) struct TryMutex<T> {
    inner: Mutex<T>,
    held: AtomicBool,
}

pub(crate) struct TryGuard<'a, T> {
    guard: MutexGuard<'a, T>,
    held: &'a AtomicBool,
}

impl<T> TryMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            inner: Mutex::new(value),
            held: AtomicBool::new(false),
        }
    }

    fn hold<'a>(&'a self, guard: MutexGuard<'a, T>) -> TryGuard<'a, T> {
        // Relaxed throughout: the flag must not order what the mutex does not.
        self.held.swap(true, Ordering::Relaxed);
        TryGuard {
            guard,
            held: &self.held,
        }
    }
}

impl<T: Default> Default for TryMutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

pub(crate) fn lock_tried<T>(mutex: &TryMutex<T>) -> TryGuard<'_, T> {
    mutex.hold(lock(&mutex.inner))
}

pub(crate) fn try_lock<T>(mutex: &TryMutex<T>) -> Option<TryGuard<'_, T>> {
    if mutex.held.fetch_or(false, Ordering::Relaxed) {
        return None;
    }
    mutex.inner.try_lock().ok().map(|guard| mutex.hold(guard))
}

impl<T> Deref for TryGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for TryGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Drop for TryGuard<'_, T> {
    fn drop(&mut self) {
        self.held.swap(false, Ordering::Relaxed);
    }
}
