//! NVIDIA's devices, by a library that a script plays and the real loader loads.
#![cfg(all(feature = "nvml", target_os = "linux"))]

mod driver;
mod end;
mod parts;
mod values;

use obs_core::setup::environment::Environment;
use obs_core::{Builder, Clock, ManualClock, Telemetry};
use obs_gpu::{
    Calls, DeviceId, GpuDevice, GpuSource, NvmlSource, Quantity, Reading, Readings, SourceError,
    Tier,
};
use obs_gpu_fake::Fake;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) fn builder() -> Builder {
    Telemetry::builder().with_environment(Environment::from_fn(|_| None))
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A folder that is gone with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nvml-{}-{next}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A driver of its own, and who reads it.
pub(crate) struct Rig {
    pub(crate) fake: Fake,
    pub(crate) source: NvmlSource,
    pub(crate) clock: ManualClock,
    pub(crate) calls: Calls,
    _folder: Folder,
}

impl Rig {
    /// On a clock that the test moves.
    pub(crate) fn new(script: &str) -> Self {
        Self::without(script, &[])
    }

    /// A driver whose library does not have these functions.
    pub(crate) fn without(script: &str, symbols: &[&str]) -> Self {
        let folder = Folder::new();
        let script = format!("clock = virtual\n{script}");
        let fake = Fake::install(&folder.0, symbols, &script).expect("a script");
        let clock = ManualClock::new();
        let telemetry = builder().manual().with_clock(Clock::manual(&clock)).build();
        let source = NvmlSource::with_library(&telemetry.expect("usable"), fake.library());
        Self {
            fake,
            source,
            clock,
            calls: Calls::unwatched(),
            _folder: folder,
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.fake.advance(by);
        self.clock.advance(by);
    }

    pub(crate) fn push(&self, steps: &str) {
        self.fake.push(steps).expect("steps");
    }

    pub(crate) fn ids(&mut self) -> Vec<DeviceId> {
        let devices = self.source.devices(&mut self.calls).expect("a driver");
        devices.into_iter().map(|info| info.id).collect()
    }

    /// A device by its place in the list.
    pub(crate) fn open(&mut self, at: usize) -> Box<dyn GpuDevice> {
        let id = self.ids().remove(at);
        self.source.open(&id, &mut self.calls).expect("a device")
    }

    /// Reads a tier.
    pub(crate) fn read(
        &mut self,
        device: &mut Box<dyn GpuDevice>,
        tier: Tier,
        into: &mut Readings,
    ) -> Result<(), SourceError> {
        device.read(tier, into, &mut self.calls)
    }

    /// Reads everything, a second after it was read for the first time.
    pub(crate) fn read_all(&mut self, at: usize) -> Readings {
        let mut device = self.open(at);
        let mut readings = Readings::new();
        for _ in 0..2 {
            for tier in Tier::ALL {
                self.read(&mut device, tier, &mut readings)
                    .expect("it is there");
            }
            self.advance(ms(1_000));
        }
        readings
    }
}

#[track_caller]
pub(crate) fn check(readings: &Readings, quantity: Quantity, expect: i64) {
    assert_eq!(
        readings.get(quantity),
        Reading::Value(expect),
        "{quantity:?}"
    );
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(20), "not yet: {what}");
        std::thread::sleep(ms(1));
    }
}
