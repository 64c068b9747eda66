//! A whole device with the parts that it may be in, read on one thread: if it hangs, they all do.

pub(crate) use super::hang::Hang;

use super::Shared;
use super::board::Stamp;
use super::gpu::Gpu;
use super::schedule::Schedule;
use crate::calls::Calls;
use crate::device::DeviceId;
use crate::lock::lock;
use crate::quantity::Tier;
use crate::reading::{Reading, Readings};
use crate::source::{GpuDevice, GpuProcess, LinkReading, SourceError};
use obs_core::Moment;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A whole device and its parts: what the finder says, and the reader does.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) gpu: Gpu,
    pub(super) hang: Arc<Hang>,
    pub(super) state: Mutex<GroupState>,
    /// The driver asks for something else than before, as it reported.
    pub(super) asks: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct GroupState {
    /// Whether it is in the driver's list.
    pub(super) listed: bool,
    /// Parts that are in the driver's list.
    pub(super) parts: Vec<Gpu>,
    /// How often the list of parts changed.
    pub(super) changes: u64,
    /// Whether its threads are there: that which reads, and that which waits for events.
    pub(super) alive: [bool; 2],
}

impl Group {
    /// Whether one of its threads goes on; one that does not says so by this.
    pub(super) fn goes_on(&self, thread: usize, closed: bool) -> bool {
        let mut state = lock(&self.state);
        state.alive[thread] = state.listed && !closed;
        state.alive[thread]
    }

    /// The whole and its parts.
    pub(crate) fn gpus(&self) -> Vec<Gpu> {
        let parts = &lock(&self.state).parts;
        std::iter::once(&self.gpu).chain(parts).cloned().collect()
    }
}

/// Reads a group.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) group: Arc<Group>,
    /// Says to the watchdog that somebody makes these calls.
    _used: Arc<()>,
    schedule: Schedule,
    devices: Vec<Device>,
    changes: Option<u64>,
    tools: Tools,
}

/// What one device after another is read with.
#[derive(Debug)]
struct Tools {
    calls: Calls,
    links: Vec<LinkReading>,
    processes: Vec<GpuProcess>,
}

/// One of a group, as it is read.
#[derive(Debug)]
struct Device {
    gpu: Gpu,
    open: Option<Box<dyn GpuDevice>>,
    readings: Readings,
    /// When it may be asked again, and how long it is left in peace then.
    again: Option<(Moment, Duration)>,
    /// When the fast tier was read in this turn, and when the ring got its last sample.
    fast: Option<Stamp>,
    kept: Option<Moment>,
}

impl Reader {
    pub(super) fn new(shared: &Shared, group: &Arc<Group>, calls: Calls, used: Arc<()>) -> Self {
        Self {
            group: group.clone(),
            _used: used,
            schedule: Schedule::new(shared.telemetry.now()),
            devices: Vec::new(),
            changes: None,
            tools: Tools {
                calls,
                links: Vec::new(),
                processes: Vec::new(),
            },
        }
    }

    /// Reads what is due, and says how long nothing is.
    pub(super) fn turn(&mut self, shared: &Shared) -> Duration {
        let now = shared.telemetry.now();
        let (mut due, missed) = self.schedule.due(shared, now);
        // What the driver asks for is of the slow tier, and is not waited for once it is another.
        due[Tier::Slow as usize] |= self.group.asks.swap(false, Ordering::AcqRel);
        // Without threads turns come when somebody collects; none is missed.
        if missed > 0 && shared.manual.is_none() {
            shared
                .metrics
                .calls
                .missed(self.group.gpu.id().as_str(), missed);
        }
        if due.iter().any(|due| *due) {
            self.follow_parts();
            for device in &mut self.devices {
                for tier in Tier::ALL.into_iter().filter(|tier| due[*tier as usize]) {
                    if !self.tools.read(shared, device, tier) {
                        break;
                    }
                }
                finish(shared, device);
            }
        }
        self.schedule.rest(shared, shared.telemetry.now())
    }

    /// Takes up the parts that came and lets go of those that went.
    fn follow_parts(&mut self) {
        let state = lock(&self.group.state);
        if self.changes == Some(state.changes) {
            return;
        }
        self.changes = Some(state.changes);
        let wanted: Vec<Gpu> = std::iter::once(&self.group.gpu)
            .chain(&state.parts)
            .cloned()
            .collect();
        drop(state);
        let known =
            |devices: &[Device], id: &DeviceId| devices.iter().any(|one| one.gpu.id() == id);
        self.devices
            .retain(|one| wanted.iter().any(|gpu| gpu.id() == one.gpu.id()));
        for gpu in wanted {
            if !known(&self.devices, gpu.id()) {
                self.devices.push(Device {
                    gpu,
                    open: None,
                    readings: Readings::new(),
                    again: None,
                    fast: None,
                    kept: None,
                });
            }
        }
    }
}

/// Shows the sample of a turn in which the fast tier was read, with what else was read in it. Its moment is that of the fast tier.
fn finish(shared: &Shared, device: &mut Device) {
    let Some(fast) = device.fast.take() else {
        return;
    };
    let telemetry = &shared.telemetry;
    let step = shared.settings.history.mul_f64(0.9);
    let since = device.kept.map(|kept| telemetry.between(kept, fast.at));
    let keep = since.is_none_or(|since| since >= step);
    let gpu = &device.gpu;
    gpu.board(|board| gpu.publish(board, fast, fresh(shared, fast), keep));
    if keep {
        device.kept = Some(fast.at);
    }
}

/// Whether what was read of a tier is not too old for a sample of this moment.
fn fresh(shared: &Shared, now: Stamp) -> impl Fn(Tier, Stamp) -> bool {
    move |tier, stamp| {
        let age = shared.telemetry.between(stamp.at, now.at);
        age <= shared.settings.too_old(tier)
    }
}

impl Tools {
    /// Reads a tier of one device, and says whether it can be read.
    fn read(&mut self, shared: &Shared, device: &mut Device, tier: Tier) -> bool {
        if device.open.is_none() {
            let now = shared.telemetry.now();
            if device.again.is_some_and(|(again, _)| now < again) {
                return false;
            }
            match shared.source.open(device.gpu.id(), &mut self.calls) {
                Ok(open) => device.open = Some(open),
                Err(error) => return self.failed(shared, device, tier, error),
            }
        }
        let Some(open) = device.open.as_mut() else {
            return false;
        };
        if let Err(error) = open.read(tier, &mut device.readings, &mut self.calls) {
            return self.failed(shared, device, tier, error);
        }
        device.again = None;
        let now = shared.stamp();
        let began_anew = self.took(shared, device, tier, now);
        if device.gpu.set_lost(None) || began_anew {
            // Whoever knows that it does not have something asks once more.
            if began_anew {
                device.open = None;
            }
            shared.tell(|listener| listener.returned(&device.gpu, now.at));
            device.gpu.hang().note_return();
            shared.changed.notify_all();
        }
        shared.tell(|listener| listener.read(&device.gpu, now.at, tier, &device.readings));
        match tier {
            Tier::Second => self.read_links(shared, device),
            Tier::Slow => self.read_processes(shared, device),
            Tier::Fast => {}
        }
        device.open.is_some()
    }

    /// Puts down what was read, and shows it.
    fn took(&mut self, shared: &Shared, device: &mut Device, tier: Tier, now: Stamp) -> bool {
        let telemetry = &shared.telemetry;
        let seconds = |from, to| telemetry.between(from, to).as_secs_f64();
        let gpu = &device.gpu;
        let began_anew = gpu.board(|board| {
            let began_anew = board.take(tier, &device.readings, now);
            if tier == Tier::Second {
                board.rate_nvlink(now.at, seconds);
            }
            // At once: what comes next may hang.
            if tier == Tier::Fast {
                gpu.publish(board, now, fresh(shared, now), false);
            }
            began_anew
        });
        if tier == Tier::Fast {
            device.fast = Some(now);
        }
        began_anew
    }

    /// What belongs to links and processes is what the last turn said, or nothing.
    fn read_links(&mut self, shared: &Shared, device: &mut Device) {
        let Some(open) = device.open.as_mut() else {
            return;
        };
        self.links.clear();
        if open.links(&mut self.links, &mut self.calls).is_ok() {
            let now = shared.stamp();
            device.gpu.board(|board| board.take_links(&self.links, now));
        }
    }

    fn read_processes(&mut self, shared: &Shared, device: &mut Device) {
        let Some(open) = device.open.as_mut() else {
            return;
        };
        self.processes.clear();
        if open.processes(&mut self.processes, &mut self.calls).is_ok() {
            let now = shared.stamp();
            device.gpu.board(|board| {
                board.processes.clear();
                board.processes.extend_from_slice(&self.processes);
                board.processes_read = Some(now);
            });
        }
    }

    /// It could not be read. Where it is gone it is left in peace for a while, longer each time.
    fn failed(
        &mut self,
        shared: &Shared,
        device: &mut Device,
        tier: Tier,
        error: SourceError,
    ) -> bool {
        let lost = matches!(error, SourceError::Lost(_));
        let reading = match error {
            SourceError::Lost(code) | SourceError::Failed(code) => Reading::Failed(code),
            SourceError::Unsupported => Reading::Unsupported,
            SourceError::Absent => Reading::Unread,
        };
        let tiers = Tier::ALL.into_iter().filter(|one| lost || *one == tier);
        device
            .gpu
            .board(|board| tiers.for_each(|tier| board.lose(tier, reading)));
        let now = shared.telemetry.now();
        if !lost {
            shared.tell(|listener| listener.failed(&device.gpu, now, error));
        }
        if lost || device.open.is_none() {
            let (first, most) = shared.settings.back_off;
            let pause = device
                .again
                .map_or(first, |(_, pause)| (pause * 2).min(most));
            device.again = shared.after(now, pause).map(|again| (again, pause));
            device.open = None;
            if let SourceError::Lost(code) = error
                && device.gpu.set_lost(Some(code))
            {
                shared.tell(|listener| listener.lost(&device.gpu, now, code));
            }
        }
        device.open.is_some()
    }
}
