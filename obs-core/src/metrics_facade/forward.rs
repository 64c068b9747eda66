//! Recordings handed on to another recorder: code of others, in users' calls.

use super::series::Series;
use crate::contain::contain;
use crate::engine::Engine;
use ::metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Recorder};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Another recorder.
pub(super) struct Forward {
    to: Box<dyn Recorder + Send + Sync>,
    ward: Ward,
}

/// Who calls out, and where panics are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ward {
    engine: &'static Engine,
    id: u32,
}

thread_local! {
    /// The forwards that this thread is in: one that records to us itself is not told of that.
    static INSIDE: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Takes it off the list again, also where it panics.
struct Inside;

impl Inside {
    /// `None` if the thread is in it already, or past its end.
    fn enter(id: u32) -> Option<Self> {
        let enter = |inside: &RefCell<Vec<u32>>| {
            let mut inside = inside.borrow_mut();
            let new = !inside.contains(&id);
            if new {
                inside.push(id);
            }
            new
        };
        // Made only if it entered: one that did not would take whoever did off the list.
        INSIDE.try_with(enter).ok()?.then(|| Self)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().pop());
    }
}

impl Ward {
    fn call<T>(self, work: impl FnOnce() -> T) -> Option<T> {
        let _inside = Inside::enter(self.id)?;
        let given = contain(work);
        if given.is_none() {
            self.engine.counts.panics.add(1);
        }
        given
    }
}

impl Forward {
    pub(super) fn new(engine: &'static Engine, to: Box<dyn Recorder + Send + Sync>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            to,
            ward: Ward { engine, id },
        }
    }

    pub(super) fn call<T>(&self, work: impl FnOnce(&dyn Recorder) -> T) -> Option<T> {
        self.ward.call(|| work(&*self.to))
    }

    /// Ours and what `ask` gets of theirs. Theirs is asked for each time and not kept: an exporter forgets metrics that were
    /// idle, and what was kept would then count for nobody.
    pub(super) fn both<T>(
        &self,
        ours: Arc<Series>,
        ask: impl FnOnce(&dyn Recorder) -> T,
    ) -> Arc<Both<T>> {
        let theirs = self.call(ask);
        let ward = self.ward;
        Arc::new(Both { ours, theirs, ward })
    }
}

/// A series of ours and one of theirs.
pub(super) struct Both<T> {
    ours: Arc<Series>,
    theirs: Option<T>,
    ward: Ward,
}

impl<T> Both<T> {
    fn tell(&self, work: impl FnOnce(&T)) {
        if let Some(theirs) = &self.theirs {
            self.ward.call(|| work(theirs));
        }
    }
}

impl<T> Drop for Both<T> {
    fn drop(&mut self) {
        if let Some(theirs) = self.theirs.take() {
            self.ward.call(|| drop(theirs));
        }
    }
}

impl CounterFn for Both<Counter> {
    fn increment(&self, by: u64) {
        CounterFn::increment(&*self.ours, by);
        self.tell(|theirs| theirs.increment(by));
    }

    fn absolute(&self, total: u64) {
        self.ours.absolute(total);
        self.tell(|theirs| theirs.absolute(total));
    }
}

impl GaugeFn for Both<Gauge> {
    fn increment(&self, by: f64) {
        GaugeFn::increment(&*self.ours, by);
        self.tell(|theirs| theirs.increment(by));
    }

    fn decrement(&self, by: f64) {
        self.ours.decrement(by);
        self.tell(|theirs| theirs.decrement(by));
    }

    fn set(&self, value: f64) {
        self.ours.set(value);
        self.tell(|theirs| theirs.set(value));
    }
}

impl HistogramFn for Both<Histogram> {
    fn record(&self, value: f64) {
        self.ours.record(value);
        self.tell(|theirs| theirs.record(value));
    }

    fn record_many(&self, value: f64, count: usize) {
        self.ours.record_many(value, count);
        self.tell(|theirs| theirs.record_many(value, count));
    }
}
