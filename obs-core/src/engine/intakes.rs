//! What comes from the user's OpenTelemetry SDK, and waits for the collector's round (feature `sdk`).

use crate::courier::Signal;
use crate::fork::Kept;
use std::sync::{Arc, Weak};

/// One place where encoded items wait.
pub(crate) trait Waiting: Send + Sync {
    /// Leaves everything with the couriers.
    fn hand_over(&self);
    /// From now on nothing is taken; what is there waits for the last [`hand_over`](Self::hand_over).
    fn close(&self);
    /// Adds what was counted here to the telemetry's counts.
    fn settle(&self);
    /// Which signal, and how many items wait.
    fn waiting(&self) -> (Signal, u64);
}

/// All of them. They belong to the processors of the user's providers.
#[derive(Default)]
pub(crate) struct Intakes(Kept<Vec<Weak<dyn Waiting>>>);

impl Intakes {
    pub(crate) fn add(&self, intake: Weak<dyn Waiting>) {
        self.0.write().push(intake);
    }

    pub(crate) fn hand_over(&self) {
        self.each(|intake| intake.hand_over());
    }

    pub(crate) fn close(&self) {
        self.each(|intake| intake.close());
    }

    pub(crate) fn settle(&self) {
        self.each(|intake| intake.settle());
    }

    /// Items of a signal that wait here.
    pub(crate) fn waiting(&self, of: Signal) -> u64 {
        let mut waiting = 0;
        self.each(|intake| {
            let (signal, items) = intake.waiting();
            waiting += if signal == of { items } else { 0 };
        });
        waiting
    }

    /// Not under the lock: what is handed over may be dropped, and drop what registered here.
    fn each(&self, call: impl FnMut(&Arc<dyn Waiting>)) {
        let intakes: Vec<Arc<dyn Waiting>> = {
            let mut all = self.0.write();
            all.retain(|intake| intake.strong_count() > 0);
            all.iter().filter_map(Weak::upgrade).collect()
        };
        intakes.iter().for_each(call);
    }
}

impl std::fmt::Debug for Intakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Intakes")
            .field(&self.0.read().len())
            .finish()
    }
}
