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
    avoided: Vec<DeviceId>,
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
            avoided: Vec::new(),
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
            avoided: Vec::new(),
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
            return call();
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
            watched.durations(name).record(took.as_secs_f64());
        }
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
