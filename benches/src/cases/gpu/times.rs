//! How soon a fault closes a gate: from the moment at which the library has it, by all threads, with the settings that it ships with.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use obs_core::Telemetry;
use obs_gpu::{
    Cause, DeviceId, GateState, GpuGate, GpuHealth, GpuMonitor, GpuSettings, GpuState,
    HealthSettings, NvmlSource,
};
use obs_gpu_fake::{Count, Fake};

use super::{DEVICES, fake, until, until_all_are_read};
use crate::harness::lived::{Length, Told};

/// What a call may take, as it ships.
const DEADLINE: Duration = Duration::from_millis(500);

/// Eight devices; the second one falls ill.
struct Live {
    telemetry: Telemetry,
    health: GpuHealth,
    monitor: GpuMonitor,
    ill: DeviceId,
    gate: GpuGate,
    // Dropped last: whoever hangs is in it.
    fake: Fake,
}

impl Live {
    fn new() -> Result<Self, String> {
        let fake = fake("real");
        let telemetry = Telemetry::builder().build().expect("usable");
        let health = GpuHealth::new(&telemetry, HealthSettings::new());
        let settings = GpuSettings::new()
            .with_deadline(DEADLINE)
            .with_listener(Arc::new(health.clone()));
        let source = NvmlSource::with_library(&telemetry, fake.library());
        let monitor = GpuMonitor::new(&telemetry, source, settings).expect("threads");
        until_all_are_read(&monitor)?;
        let listen = fake.until(Count::Listening, DEVICES.into(), Duration::from_secs(10));
        if !listen {
            return Err(String::from("not all devices' events are waited for"));
        }
        let ill = monitor.gpus()[1].id().clone();
        Ok(Self {
            gate: health.gate(&ill),
            telemetry,
            health,
            monitor,
            ill,
            fake,
        })
    }

    fn push(&self, step: &str) -> Result<(), String> {
        self.fake.push(step).map_err(|error| error.to_string())
    }

    fn closes(&self) -> Result<(), String> {
        until("the gate is closed", || {
            self.gate.state() == GateState::Isolated
        })
    }

    /// An operator says that it is well.
    fn clear(&self) -> Result<(), String> {
        self.health.clear(&self.ill, self.telemetry.now());
        until("the gate is open", || self.gate.is_serving())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Whoever hangs is let go.
        let _ = self.fake.reset("gpus = H100");
    }
}

/// From the library's event to a gate that a router finds closed.
pub(crate) fn xid(length: Length, told: &mut Told) -> Result<String, String> {
    let live = Live::new()?;
    let mut times = Vec::new();
    for _ in 0..length.of(50, 2) {
        let listening = live.fake.until(Count::Listening, DEVICES.into(), DEADLINE);
        let pushed = Instant::now();
        live.push("+0 1 xid=79")?;
        live.closes()?;
        times.push(pushed.elapsed());
        if !listening {
            return Err(String::from("a device's events were not waited for"));
        }
        live.clear()?;
    }
    told.put_times(&times);
    Ok(format!("{} XIDs", times.len()))
}

/// From the moment at which a call that does not come back is late to a gate that a router finds closed.
pub(crate) fn hang(length: Length, told: &mut Told) -> Result<String, String> {
    let live = Live::new()?;
    let mut times = Vec::new();
    for _ in 0..length.of(7, 1) {
        live.push("+0 1 stall:nvmlDeviceGetMemoryInfo_v2=forever")?;
        live.closes()?;
        let seen = live.telemetry.now();
        let report = live.health.report(&live.ill);
        let mut known = report.evidence.iter();
        let hang = known.find(|known| known.cause == Cause::NotAnswering);
        let since = hang.ok_or("the gate is closed for something else")?.since;
        let took = live.telemetry.between(since, seen);
        times.push(took.checked_sub(DEADLINE).ok_or("before the deadline")?);
        live.push("+0 1 stall:nvmlDeviceGetMemoryInfo_v2=0")?;
        let gpu = live.monitor.gpu(&live.ill).ok_or("it is gone")?;
        until("it answers", || gpu.state() == GpuState::Answering)?;
        live.clear()?;
    }
    told.put_times(&times);
    Ok(format!("{} calls that hung", times.len()))
}
