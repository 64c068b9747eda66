//! What steps do.

use super::World;
use crate::events::{Event, RECOVERY, XID};
use crate::gpu::{Part, Reported};
use crate::metric::Level;
use crate::script::{ALL, Action, MigStep, ProcessStep, Target, Value};
use crate::value::Micros;

impl World {
    pub(super) fn apply(&mut self, at: Micros, target: Target, action: &Action, seed: u64) {
        match target {
            Target::Driver => self.apply_to_driver(action),
            Target::Gpu(slot) => self.apply_to(slot, at, action, seed),
            Target::EveryGpu => {
                for slot in 0..self.gpus.len() {
                    // Each with a noise of its own.
                    self.apply_to(slot, at, action, seed ^ (slot as u64) << 56);
                }
            }
        }
    }

    fn apply_to_driver(&mut self, action: &Action) {
        match action {
            Action::DriverAbsent(absent) => {
                self.absent = *absent;
                if *absent {
                    // Unloading it ends what was initialised; what hangs in it is none of a script's business any more.
                    self.inits = 0;
                    self.sets.clear();
                    self.samples.clear();
                }
            }
            Action::DriverVersion(version) => self.driver.clone_from(version),
            Action::Fails(call, code) => self.fails.set(call.clone(), *code),
            Action::Stalls(call, stall) => self.stalls.set(call.clone(), *stall),
            _ => {}
        }
    }

    fn apply_to(&mut self, slot: usize, at: Micros, action: &Action, seed: u64) {
        let gpu = &mut self.gpus[slot];
        match action {
            Action::Level(level, scope, value) => {
                gpu.take_level(*level, *scope, (at, *value), seed);
                if *level == Level::Recovery {
                    let asked = gpu.level(Level::Recovery, ALL, at).unwrap_or(0) as u64;
                    self.happens(Event::new(slot, RECOVERY, asked));
                }
            }
            Action::Total(total, scope, value) => gpu.take_total(*total, *scope, at, *value),
            Action::Rate(total, scope, value) => gpu.take_rate(*total, *scope, (at, *value), seed),
            Action::Field(id, scope, value) => {
                take(gpu.fields.entry((*id, *scope)), at, *value, seed);
            }
            Action::Gpm(id, scope, value) => take(gpu.gpm.entry((*id, *scope)), at, *value, seed),
            Action::Lost(lost) => gpu.lost = *lost,
            Action::Fails(call, code) => gpu.fails.set(call.clone(), *code),
            Action::Stalls(call, stall) => gpu.stalls.set(call.clone(), *stall),
            Action::Xid(code, gpu_instance) => {
                gpu.last_xid = *code;
                let mut event = Event::new(slot, XID, *code);
                event.gpu_instance = *gpu_instance;
                self.happens(event);
            }
            Action::Event(kind, data) => self.happens(Event::new(slot, *kind, *data)),
            Action::Process(pid, ProcessStep::Gone) => {
                gpu.processes.remove(pid);
            }
            Action::Process(pid, step) => {
                let process = gpu.processes.entry(*pid).or_default();
                match *step {
                    ProcessStep::Gone => {}
                    ProcessStep::Kind(kind) => process.kind = kind,
                    ProcessStep::Memory(value) => process.memory.take(at, value, seed),
                    ProcessStep::Sm(value) => process.sm.take(at, value, seed),
                    ProcessStep::GpuInstance(id) => process.gpu_instance = id,
                    ProcessStep::ComputeInstance(id) => process.compute_instance = id,
                }
            }
            Action::Mig(index, MigStep::Gone) => {
                gpu.parts.remove(index);
            }
            Action::Mig(index, MigStep::Is(gpu_instance, compute_instance, slices, bytes)) => {
                let part = Part {
                    gpu_instance: *gpu_instance,
                    compute_instance: *compute_instance,
                    slices: *slices,
                    bytes: *bytes,
                    used: Reported::flat(0),
                };
                gpu.parts.insert(*index, part);
            }
            Action::Mig(index, MigStep::Used(value)) => {
                if let Some(part) = gpu.parts.get_mut(index) {
                    part.used.take(at, *value, seed);
                }
            }
            Action::Remove => gpu.present = false,
            Action::Add => gpu.present = true,
            Action::Reset => gpu.reset(at),
            Action::DriverAbsent(_) | Action::DriverVersion(_) => {}
        }
    }
}

fn take<K: Ord>(
    entry: std::collections::btree_map::Entry<'_, K, Reported<crate::value::Signal>>,
    at: Micros,
    value: Value,
    seed: u64,
) {
    entry.or_default().take(at, value, seed);
}
