//! Calls of a driver: how long each takes, and whether one is out that does not come back.

use crate::device::DeviceId;
use crate::lock::lock;
use crate::metrics::CallMetrics;
use obs_core::{BoundHistogram, Moment, Telemetry};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The calls that one thread makes. A source hands each call of its driver's to it, by the name that the driver has for it; it
/// notes when the call began, for the watchdog, and how long it took, for `obs.gpu.call.duration`.
#[derive(Debug)]
pub struct Calls {
    watched: Option<Watched>,
    told: Option<Told>,
    avoided: Vec<DeviceId>,
    spent: Spent,
}

/// What calls took, but for those that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) calls: u64,
    pub(crate) time: Duration,
}

/// Where a call is, as [`Calls::told`] says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEdge {
    /// It is about to be made.
    Begins,
    /// It is back.
    Ends,
}

struct Told(Box<dyn FnMut(&'static str, CallEdge) + Send>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

struct Watched {
    telemetry: Telemetry,
    metrics: Arc<CallMetrics>,
    out: Arc<Out>,
    /// Called when one is back that had been given up.
    back: Box<dyn Fn(&Out) + Send>,
    /// What this thread has called by now; a source has a few dozen.
    known: Vec<(&'static str, BoundHistogram)>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}

impl Calls {
    /// For calls that nobody watches: tests of a source, programs that ask once.
    pub fn unwatched() -> Self {
        Self {
            watched: None,
            told: None,
            avoided: Vec::new(),
            spent: Spent::default(),
        }
    }

    /// What calls took since this was asked last. Of calls that nobody watches nothing is known.
    pub(crate) fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// For calls of which a program wants to know when each begins and ends: to measure them one by one, which histograms do not.
    /// Nobody else watches them.
    pub fn told(tell: impl FnMut(&'static str, CallEdge) + Send + 'static) -> Self {
        Self {
            told: Some(Told(Box::new(tell))),
            ..Self::unwatched()
        }
    }

    pub(crate) fn new(
        telemetry: &Telemetry,
        metrics: Arc<CallMetrics>,
        back: Box<dyn Fn(&Out) + Send>,
    ) -> (Self, Arc<Out>) {
        let out = Arc::new(Out::default());
        let watched = Watched {
            telemetry: *telemetry,
            metrics,
            out: out.clone(),
            back,
            known: Vec::new(),
        };
        let this = Self {
            watched: Some(watched),
            ..Self::unwatched()
        };
        (this, out)
    }

    /// Makes a call. `name` is what the driver calls it, and always the same: `nvmlDeviceGetPowerUsage`.
    pub fn time<T>(&mut self, name: &'static str, call: impl FnOnce() -> T) -> T {
        self.make(name, Duration::ZERO, call)
    }

    /// Makes a call that waits, for something else than the driver, `at_most` so long.
    pub fn wait<T>(
        &mut self,
        name: &'static str,
        at_most: Duration,
        call: impl FnOnce() -> T,
    ) -> T {
        self.make(name, at_most, call)
    }

    /// Whether a device is not to be asked anything now: a call to it is out that does not come back, and the next one would not
    /// either. A source that knows what stands in its place says that, and goes on with the others.
    pub fn is_avoided(&self, device: &DeviceId) -> bool {
        self.avoided.contains(device)
    }

    pub(crate) fn avoid(&mut self, devices: Vec<DeviceId>) {
        self.avoided = devices;
    }

    fn make<T>(&mut self, name: &'static str, allowed: Duration, call: impl FnOnce() -> T) -> T {
        let Some(watched) = &mut self.watched else {
            return self.make_told(name, call);
        };
        let telemetry = watched.telemetry;
        let began = telemetry.now();
        watched.out.begin(began, name, allowed);
        // A call that unwinds is out no longer either.
        let out = Back(watched);
        let answer = call();
        drop(out);
        // What waits is as long as it may be; how long says nothing of the driver.
        if allowed.is_zero() {
            let took = telemetry.between(began, telemetry.now());
            self.spent.calls += 1;
            self.spent.time = self.spent.time.saturating_add(took);
            watched.durations(name).record(took.as_secs_f64());
        }
        answer
    }

    fn make_told<T>(&mut self, name: &'static str, call: impl FnOnce() -> T) -> T {
        let Some(Told(tell)) = &mut self.told else {
            return call();
        };
        tell(name, CallEdge::Begins);
        let answer = call();
        tell(name, CallEdge::Ends);
        answer
    }
}

impl Watched {
    fn durations(&mut self, name: &'static str) -> BoundHistogram {
        // By address: the same literal may have two, and then has two entries.
        let known = self
            .known
            .iter()
            .find(|(known, _)| std::ptr::eq(*known, name));
        if let Some((_, bound)) = known {
            return *bound;
        }
        let bound = self.metrics.durations(name);
        self.known.push((name, bound));
        bound
    }
}

struct Back<'a>(&'a Watched);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        let out = &self.0.out;
        out.end();
        if out.overdue.swap(false, SeqCst) {
            (self.0.back)(out);
        }
    }
}

/// The call of one thread that is out now, as the watchdog sees it.
#[derive(Debug, Default)]
pub(crate) struct Out {
    /// When it began, zero where none is out.
    since: AtomicU64,
    /// Nanoseconds that it may take beyond the deadline.
    allowed: AtomicU64,
    name: Mutex<&'static str>,
    /// Whether the watchdog finds it late. Taken away by the thread, when it is back.
    pub(crate) overdue: AtomicBool,
    /// Whether it counts among those of its device that are late; changed under the device's lock.
    pub(crate) counted: AtomicBool,
}

impl Out {
    fn begin(&self, at: Moment, name: &'static str, allowed: Duration) {
        self.allowed.store(allowed.as_nanos() as u64, SeqCst);
        *lock(&self.name) = name;
        self.since.store(at.to_bits(), SeqCst);
    }

    fn end(&self) {
        self.since.store(0, SeqCst);
    }

    /// When the call that is out began, and how much longer than others it may take.
    pub(crate) fn out(&self) -> Option<(Moment, Duration)> {
        let since = Moment::from_bits(self.since.load(SeqCst))?;
        Some((since, Duration::from_nanos(self.allowed.load(SeqCst))))
    }

    /// What the call that is out, or was last, is called.
    pub(crate) fn name(&self) -> &'static str {
        *lock(&self.name)
    }

    /// Whether the same call is still out.
    pub(crate) fn is_out_since(&self, since: Moment) -> bool {
        self.since.load(SeqCst) == since.to_bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn who_wants_to_know_is_told_before_and_after_each_call() {
        let (tell, told) = mpsc::channel();
        let mut calls = Calls::told(move |name, edge| tell.send((name, edge)).expect("heard"));
        let heard = calls.time("first", || told.try_recv());
        assert_eq!(heard, Ok(("first", CallEdge::Begins)));
        assert_eq!(calls.wait("second", Duration::from_secs(1), || 7), 7);
        let rest: Vec<_> = told.try_iter().collect();
        let expected = [
            ("first", CallEdge::Ends),
            ("second", CallEdge::Begins),
            ("second", CallEdge::Ends),
        ];
        assert_eq!(rest, expected);
    }
}
