//! Who uses a device.

use super::{unsigned, version_of};
use crate::answer::{Answer, Code};
use crate::entry::{self, Seen};
use crate::gpu::Process;
use crate::out::{Array, InOut};
use crate::script::Kind;
use crate::value::Micros;
use nvml_wrapper_sys::bindings::*;
use std::ffi::{c_uint, c_ulonglong};

/// How often the driver looks what processes do. Nobody documents it; a sixth of a second is the shortest of its windows.
const PERIOD: Micros = 166_667;

/// What NVML gives where it knows of no number.
const UNAVAILABLE: u64 = NVML_VALUE_NOT_AVAILABLE as i64 as u64;

impl Seen<'_> {
    /// Processes of the device, or of the part of it.
    fn processes(&self) -> impl Iterator<Item = (u32, &Process)> {
        let gpu = self.gpu();
        let part = self.part.and_then(|part| gpu.parts.get(&part));
        let is_here = move |process: &Process| {
            part.is_none_or(|part| process.gpu_instance == part.gpu_instance)
        };
        let all = gpu.processes.iter().map(|(&pid, process)| (pid, process));
        all.filter(move |(_, process)| is_here(process))
    }

    fn running(
        &self,
        kind: Kind,
        mut count: InOut<c_uint>,
        infos: &Array<nvmlProcessInfo_t>,
    ) -> Answer<()> {
        let of_kind = self.processes().filter(|(_, process)| process.kind == kind);
        let rows: Vec<nvmlProcessInfo_t> = of_kind
            .map(|(pid, process)| nvmlProcessInfo_t {
                pid,
                usedGpuMemory: match process.memory.get() {
                    Ok(memory) => memory.at(self.now).max(0) as u64,
                    Err(_) => UNAVAILABLE,
                },
                gpuInstanceId: process.gpu_instance,
                computeInstanceId: process.compute_instance,
            })
            .collect();
        let room = sized(count.get()?, rows.len())?;
        if rows.is_empty() {
            return Ok(());
        }
        infos.fill(rows, room)
    }

    /// What each process did in the last window, if that is newer than what the caller has seen.
    fn shares(&self, since: u64) -> Answer<(u64, Vec<(u32, u32)>)> {
        self.is_whole()?;
        let at = self.now - self.now % PERIOD;
        let stamp = self.world.clock.stamp(at);
        let busy = self.processes().filter_map(|(pid, process)| {
            let sm = process.sm.get().ok()?.at(at);
            (sm > 0).then(|| (pid, unsigned(sm)))
        });
        let rows: Vec<_> = busy.collect();
        // Nothing new is no success.
        if rows.is_empty() || stamp <= since {
            return Err(Code::NOT_FOUND);
        }
        Ok((stamp, rows))
    }
}

/// The room that a caller has, which is told what it needs.
fn sized(count: &mut c_uint, needed: usize) -> Answer<usize> {
    let room = std::mem::replace(count, needed as c_uint) as usize;
    if room < needed {
        return Err(Code::INSUFFICIENT_SIZE);
    }
    Ok(room)
}

device_calls! { any_device:
    fn nvmlDeviceGetComputeRunningProcesses_v3(|seen| count: InOut<c_uint>, infos: Array<nvmlProcessInfo_t>) {
        seen.running(Kind::Compute, count, &infos)
    }
    fn nvmlDeviceGetGraphicsRunningProcesses_v3(|seen| count: InOut<c_uint>, infos: Array<nvmlProcessInfo_t>) {
        seen.running(Kind::Graphics, count, &infos)
    }
    fn nvmlDeviceGetMPSComputeRunningProcesses_v3(|seen| count: InOut<c_uint>, infos: Array<nvmlProcessInfo_t>) {
        seen.running(Kind::Mps, count, &infos)
    }
    fn nvmlDeviceGetProcessUtilization(|seen| rows: Array<nvmlProcessUtilizationSample_t>, count: InOut<c_uint>, since: c_ulonglong) {
        let (timeStamp, shares) = seen.shares(since)?;
        let count = count.get()?;
        // Without a place to put them it is told how many there can be.
        if rows.is_null() {
            *count = 0;
        }
        let room = sized(count, shares.len())?;
        let samples = shares.into_iter().map(|(pid, smUtil)| nvmlProcessUtilizationSample_t {
            pid,
            timeStamp,
            smUtil,
            memUtil: 0,
            encUtil: 0,
            decUtil: 0,
        });
        rows.fill(samples, room)
    }
    fn nvmlDeviceGetProcessesUtilizationInfo(|seen| info: InOut<nvmlProcessesUtilizationInfo_t>) {
        let info = info.get()?;
        if info.version != version_of::<nvmlProcessesUtilizationInfo_t>(1) {
            return Err(Code::VERSION);
        }
        let (timeStamp, shares) = seen.shares(info.lastSeenTimeStamp)?;
        if info.procUtilArray.is_null() {
            info.processSamplesCount = 0;
        }
        let room = sized(&mut info.processSamplesCount, shares.len())?;
        // SAFETY: it is not null, or there would have been no room; the contract is that it has as much as it says.
        let rows = unsafe { Array::of(info.procUtilArray) };
        let samples = shares.into_iter().map(|(pid, smUtil)| nvmlProcessUtilizationInfo_v1_t {
            timeStamp,
            pid,
            smUtil,
            memUtil: 0,
            encUtil: 0,
            decUtil: 0,
            jpgUtil: 0,
            ofaUtil: 0,
        });
        rows.fill(samples, room)
    }
}
