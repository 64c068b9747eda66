//! What a service starts, and holds for as long as it wants to watch.

use crate::device::DeviceId;
use crate::sampler::{Gpu, GpuSettings, Shared};
use crate::source::GpuSource;
use obs_core::{Error, Telemetry};
use std::fmt;
use std::sync::Arc;

/// Watches the GPUs of a source and shows what they say, beside everything else that the telemetry has.
///
/// ```
/// # #[cfg(feature = "nvml")] {
/// use obs_core::Telemetry;
/// use obs_gpu::{GpuMonitor, GpuSettings, NvmlSource};
///
/// let telemetry = Telemetry::builder().build()?;
/// let monitor = GpuMonitor::new(&telemetry, NvmlSource::new(&telemetry), GpuSettings::new())?;
///
/// // Anywhere, also where a request is answered: no lock, no memory, nobody is asked.
/// for gpu in monitor.gpus() {
///     if let Some(sample) = gpu.sample() {
///         let age = telemetry.between(sample.at(), telemetry.now());
///         println!("{}: {:?} ppm busy, {:?} mW, {age:?} ago", gpu.id(), sample.utilization(), sample.power());
///     }
/// }
/// # let _ = monitor;
/// # }
/// # Ok::<(), obs_core::Error>(())
/// ```
///
/// What it emits, by name, unit and attributes, which devices have it and what reading it costs is in
/// `docs/gpu.md`; the table itself is [`metrics`](crate::metrics).
///
/// No driver is ever asked on the path of a request or of a scrape: threads of its own read each device, and everybody else sees what
/// was read last, with its age. What is older than three of its periods is left out of metrics, never repeated as if it were new. A
/// driver that hangs holds up the one thread that asked it: the device counts as one that does not answer, at the deadline, and
/// the others are read as before. The thread is not waited for, at the end either.
///
/// Dropping it ends the watching and takes back what it showed; so does the telemetry's shutdown. [`Gpu`]s that somebody still holds
/// keep what they had.
///
/// A telemetry [without threads](obs_core::Builder::manual) has devices read inside its collections, in three quarters of the time
/// that an observable has. What is promised then is less: a call that hangs holds up the collection, as nobody is there to find it
/// late; the ring has as many samples as there are collections; what happened in between is known from what was counted.
#[must_use = "dropping it ends the watching"]
pub struct GpuMonitor {
    shared: Arc<Shared>,
}

impl GpuMonitor {
    /// Begins to watch. Where there is no driver yet, it is looked for again from time to time.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(
        telemetry: &Telemetry,
        source: impl GpuSource,
        settings: GpuSettings,
    ) -> Result<Self, Error> {
        let shared = Shared::start_up(telemetry, Arc::new(source), settings)?;
        let weak = Arc::downgrade(&shared);
        let mut shown = shared.metrics.shown(telemetry);
        telemetry.observe(
            move || match weak.upgrade().filter(|shared| !shared.is_closed()) {
                Some(shared) => {
                    shared.round_here();
                    shown.show(&shared);
                }
                None => shown.take_back(),
            },
        );
        Ok(Self { shared })
    }

    /// The devices that are there, parts of devices after the whole that they are of.
    pub fn gpus(&self) -> Vec<Gpu> {
        self.shared.gpus()
    }

    /// One of them.
    pub fn gpu(&self, id: &DeviceId) -> Option<Gpu> {
        self.gpus().into_iter().find(|gpu| gpu.id() == id)
    }
}

impl Drop for GpuMonitor {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for GpuMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuMonitor")
            .field("source", &self.shared.source)
            .field("settings", &self.shared.settings)
            .field("gpus", &self.gpus())
            .finish()
    }
}
