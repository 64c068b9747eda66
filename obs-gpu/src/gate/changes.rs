//! Telling listeners, outside of every lock that a reader takes.

use super::GateState;
use crate::device::DeviceId;
use crate::health::HealthReport;
use crate::sync::AtomicBool;
#[cfg(loom)]
use loom::sync::Mutex;
use obs_core::Telemetry;
use std::collections::VecDeque;
use std::fmt;
#[cfg(not(loom))]
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

/// A gate that became another.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GateChange {
    /// Of which device.
    pub device: DeviceId,
    /// What it was.
    pub from: GateState,
    /// What it is.
    pub to: GateState,
    /// Why an operator holds it there, where one does.
    pub held: Option<Arc<str>>,
    /// What health knows of the device, where anything was found.
    pub report: Option<Arc<HealthReport>>,
}

type Listener = Arc<dyn Fn(&GateChange) + Send + Sync>;

/// What is to be told, and who is told. One thread tells at a time, so that of one gate nobody hears the older change last.
#[derive(Default)]
pub(super) struct Changes {
    queue: Mutex<VecDeque<GateChange>>,
    listeners: Mutex<Arc<Vec<Listener>>>,
    telling: AtomicBool,
    missed: AtomicU64,
}

/// Changes that wait for a listener that does not return, at most.
const MOST: usize = 1_000;

impl Changes {
    pub(super) fn add(&self, listener: Listener) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut listeners).push(listener);
    }

    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// To be told. Called under the lock of the gate, which is what puts changes of one gate in order.
    pub(super) fn push(&self, change: GateChange) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (queue.len() >= MOST).then(|| queue.pop_front()).flatten();
        queue.push_back(change);
        drop(queue);
        if oldest.is_some() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells all there is to tell, unless somebody is at it: a listener that changes a gate is told of that when it has returned.
    pub(super) fn deliver(&self, telemetry: &Telemetry) {
        self.deliver_to(|change| {
            let listeners = self.listeners.lock();
            let listeners = listeners.unwrap_or_else(PoisonError::into_inner).clone();
            for listener in listeners.iter() {
                telemetry.contain((), || listener(change));
            }
        });
    }

    fn deliver_to(&self, mut tell: impl FnMut(&GateChange)) {
        loop {
            if self.telling.swap(true, Ordering::AcqRel) {
                return;
            }
            let telling = Telling(&self.telling);
            while let Some(change) = self.next() {
                tell(&change);
            }
            drop(telling);
            // What came after the last look, of somebody who saw us at it.
            if self.is_empty() {
                return;
            }
        }
    }

    fn next(&self) -> Option<GateChange> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front()
    }

    fn is_empty(&self) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.is_empty()
    }
}

/// Somebody tells; also where telling unwinds it is over with this.
struct Telling<'a>(&'a AtomicBool);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        // A store would do. Loom 0.7 does not know that what another exchanged before it is older, and an exchange it puts in order.
        self.0.swap(false, Ordering::AcqRel);
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

#[cfg(all(loom, test))]
mod loom_models {
    use super::*;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    #[derive(Default)]
    struct Told {
        changes: Changes,
        times: AtomicUsize,
        telling: AtomicBool,
    }

    impl Told {
        fn change(&self) {
            self.changes.push(GateChange {
                device: DeviceId::new("GPU-0"),
                from: GateState::Serving,
                to: GateState::Draining,
                held: None,
                report: None,
            });
            self.changes.deliver_to(|_| {
                let alone = !self.telling.swap(true, Ordering::AcqRel);
                assert!(alone, "two are told at once");
                self.times.fetch_add(1, Ordering::AcqRel);
                self.telling.store(false, Ordering::Release);
            });
        }
    }

    #[test]
    fn whoever_changes_a_gate_while_another_tells_all_is_told_once_and_one_after_the_other() {
        loom::model(|| {
            let told = loom::sync::Arc::new(Told::default());
            let other = {
                let told = told.clone();
                thread::spawn(move || told.change())
            };
            told.change();
            other.join().expect("no panic");
            assert_eq!(told.times.load(Ordering::Acquire), 2, "not all are told");
            assert!(told.changes.is_empty());
        });
    }
}
