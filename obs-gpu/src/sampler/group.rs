//! A whole device with the parts that it may be in, read on one thread: if it hangs, they all do.

pub(crate) use super::hang::Hang;

use super::Shared;
use super::board::Stamp;
use super::gpu::Gpu;
use super::pace::Paces;
use super::schedule::Schedule;
use crate::calls::Calls;
use crate::device::DeviceId;
use crate::lock::lock;
use crate::quantity::{Quantity, Tier};
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
    paces: Paces,
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
        let asks = self.group.asks.swap(false, Ordering::AcqRel);
        due[Tier::Slow as usize] |= asks;
        // Without threads turns come when somebody collects; none is missed.
        if missed > 0 && shared.manual.is_none() {
            shared
                .metrics
                .calls
                .missed(self.group.gpu.id().as_str(), missed);
        }
        if due.iter().any(|due| *due) {
            self.follow_parts(shared);
            for device in &mut self.devices {
                for tier in Tier::ALL.into_iter().filter(|tier| due[*tier as usize]) {
                    let asked = asks && tier == Tier::Slow;
                    if !self.tools.read(shared, device, (tier, asked)) {
                        break;
                    }
                }
                device.settle(shared, now);
                finish(shared, device);
            }
        }
        self.schedule.rest(shared, shared.telemetry.now())
    }

    /// Takes up the parts that came and lets go of those that went.
    fn follow_parts(&mut self, shared: &Shared) {
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
        // One that went and came back meanwhile has its name, and is another one.
        self.devices
            .retain(|one| wanted.iter().any(|gpu| gpu.is(&one.gpu)));
        for gpu in wanted {
            if !known(&self.devices, gpu.id()) {
                self.devices.push(Device {
                    gpu,
                    open: None,
                    readings: Readings::new(),
                    paces: Paces::new(&shared.budget),
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
    gpu.board(|board| gpu.publish(board, fast, age(shared, fast), keep));
    if keep {
        device.kept = Some(fast.at);
    }
}

/// How old what was read at a moment is at this one.
fn age(shared: &Shared, now: Stamp) -> impl Fn(Moment) -> Duration {
    move |at| shared.telemetry.between(at, now.at)
}

impl Device {
    /// Takes up how often all of it is read from now on, and says so.
    fn settle(&mut self, shared: &Shared, now: Moment) {
        if !self.paces.is_to_settle(now, &shared.telemetry) {
            return;
        }
        // One that is left in peace takes nothing; what it takes is put down again when it is back.
        if self.again.is_some() {
            self.paces.pause();
            self.gpu.board(|board| board.intervals.clear());
            return;
        }
        self.paces.settle(shared);
        if !self.paces.take_changed() {
            return;
        }
        let paces = &self.paces;
        let too_old = |interval| shared.settings.too_old_at(interval);
        self.gpu.board(|board| {
            for quantity in Quantity::ALL {
                if let Some(interval) = paces.interval_of(*quantity) {
                    board.too_old[*quantity as usize] = too_old(interval);
                }
            }
            board.links_too_old = paces.links_interval().map_or(board.links_too_old, too_old);
            let processes = paces.processes_interval();
            board.processes_too_old = processes.map_or(board.processes_too_old, too_old);
            board.intervals.clear();
            board.intervals.extend(paces.intervals());
        });
    }
}

impl Tools {
    /// Reads what is due of a tier of one device, and says whether it can be read.
    fn read(&mut self, shared: &Shared, device: &mut Device, (tier, asked): (Tier, bool)) -> bool {
        if device.open.is_none() {
            let now = shared.telemetry.now();
            if device.again.is_some_and(|(again, _)| now < again) {
                return false;
            }
            match shared.source.open(device.gpu.id(), &mut self.calls) {
                Ok(open) => {
                    device.paces.open(open.groups(), shared);
                    device.open = Some(open);
                }
                Err(error) => return self.failed(shared, device, tier, error),
            }
        }
        let (links, processes) = match self.read_groups(shared, device, (tier, asked)) {
            Ok(Some(read)) => read,
            // Nothing of it is due.
            Ok(None) => return true,
            Err(error) => return self.failed(shared, device, tier, error),
        };
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
        if links {
            self.read_links(shared, device);
        }
        if processes {
            self.read_processes(shared, device);
        }
        device.open.is_some()
    }

    /// Reads the groups of a tier that are due. What belongs to the tier and is not read is unread afterwards; the rest is as it was
    /// read last. Says whether links and processes are to be asked for, or that nothing was due.
    fn read_groups(
        &mut self,
        shared: &Shared,
        device: &mut Device,
        (tier, asked): (Tier, bool),
    ) -> Result<Option<(bool, bool)>, SourceError> {
        let Some(open) = device.open.as_mut() else {
            return Ok(None);
        };
        let began = shared.telemetry.now();
        let (mut read, mut links, mut processes) = (false, false, false);
        let due = device.paces.due((tier, asked), began, &shared.telemetry);
        for at in due {
            let Some(group) = device.paces.group(at) else {
                continue;
            };
            if !read {
                device
                    .gpu
                    .board(|board| device.readings.clone_from(&board.readings));
                device.readings.forget(tier);
            }
            self.calls.take_spent();
            let asked = open.read_group(&group, &mut device.readings, &mut self.calls);
            let spent = self.calls.take_spent();
            if let Err(error) = asked {
                // How soon one says that it is lost is no cost of what it was asked for.
                if !matches!(error, SourceError::Lost(_)) {
                    device.paces.was_asked(at, began, spent, true, shared);
                }
                return Err(error);
            }
            device
                .paces
                .was_read(at, began, spent, &device.readings, shared);
            read = true;
            links |= group.has_links();
            processes |= device.paces.has_processes(at);
        }
        Ok(read.then_some((links, processes)))
    }

    /// Puts down what was read, and shows it.
    fn took(&mut self, shared: &Shared, device: &mut Device, tier: Tier, now: Stamp) -> bool {
        let telemetry = &shared.telemetry;
        let seconds = |from, to| telemetry.between(from, to).as_secs_f64();
        let gpu = &device.gpu;
        let began_anew = gpu.board(|board| {
            let began_anew = board.take(tier, &device.readings, now);
            if device.readings.get(Quantity::NvlinkSent) != Reading::Unread && tier == NVLINK {
                board.rate_nvlink(now.at, seconds);
            }
            // At once: what comes next may hang.
            if tier == Tier::Fast {
                gpu.publish(board, now, age(shared, now), false);
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
        self.calls.take_spent();
        let asked = open.processes(&mut self.processes, &mut self.calls);
        let spent = self.calls.take_spent();
        let now = if asked.is_ok() {
            device.paces.processes_were_read(spent, shared);
            Some(shared.stamp())
        } else {
            // Whoever used it before may not do so now.
            self.processes.clear();
            None
        };
        device.gpu.board(|board| {
            board.processes.clear();
            board.processes.extend_from_slice(&self.processes);
            board.processes_read = now;
        });
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

/// Where what goes over NVLink is read.
const NVLINK: Tier = Quantity::NvlinkSent.tier();
