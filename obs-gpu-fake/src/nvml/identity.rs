//! What a device, or a part of one, is; and its memory, which parts have, too.

use super::version_of;
use crate::answer::{Answer, Code};
use crate::entry::{self, Seen};
use crate::metric::Level;
use crate::out::{InOut, Out, TextOut};
use crate::world::World;
use nvml_wrapper_sys::bindings::*;
use std::ffi::{c_int, c_uint};

/// A UUID that a device of this slot always has.
pub(crate) fn uuid(slot: usize) -> String {
    format!("GPU-0b5e12fa-4e00-4c00-8a00-{:012x}", slot + 1)
}

/// And that of a part of it.
pub(crate) fn part_uuid(slot: usize, part: u32) -> String {
    format!("MIG-0b5e12fa-4e00-5c00-8a{part:02x}-{:012x}", slot + 1)
}

pub(super) fn serial(slot: usize) -> String {
    format!("{}", 1_650_000_000_000_u64 + slot as u64)
}

/// Buses as a board with eight devices may have them.
pub(super) fn bus_id(slot: usize) -> String {
    format!("00000000:{:02X}:00.0", bus(slot))
}

pub(super) fn bus(slot: usize) -> u32 {
    0x19 + slot as u32 * 3
}

impl World {
    pub(super) fn by_uuid(&self, wanted: &str) -> Option<(usize, Option<u32>)> {
        self.listed().find_map(|slot| {
            if uuid(slot) == wanted {
                return Some((slot, None));
            }
            let mut parts = self.gpus[slot].parts_seen(self.clock.now());
            let part = parts.find(|&part| part_uuid(slot, part) == wanted)?;
            Some((slot, Some(part)))
        })
    }
}

impl Seen<'_> {
    /// What is used, what is kept by the driver and what there is, of a device or a part.
    fn memory(&self) -> Answer<(u64, u64, u64)> {
        let (used, reserved, total) = match self.part {
            None => {
                // Where the driver says nothing of its own share, it counts as used.
                let reserved = self.level(Level::MemoryReserved).unwrap_or(0);
                (
                    self.level(Level::MemoryUsed)?,
                    reserved,
                    self.level(Level::MemoryTotal)?,
                )
            }
            Some(part) => {
                let part = self.gpu().parts.get(&part).ok_or(Code::INVALID_ARGUMENT)?;
                (part.used.get()?.at(self.now), 0, part.bytes)
            }
        };
        Ok((
            used.max(0) as u64,
            reserved.max(0) as u64,
            total.max(0) as u64,
        ))
    }
}

device_calls! { any_device:
    fn nvmlDeviceGetName(|seen| name: TextOut, length: c_uint) {
        let whole = seen.gpu().profile.name;
        match seen.part.and_then(|part| seen.gpu().parts.get(&part)) {
            None => name.put(whole, length),
            Some(part) => {
                let gib = part.bytes >> 30;
                name.put(&format!("{whole} MIG {}g.{gib}gb", part.slices), length)
            }
        }
    }
    fn nvmlDeviceGetUUID(|seen| uuid: TextOut, length: c_uint) {
        match seen.part {
            None => uuid.put(&self::uuid(seen.slot), length),
            Some(part) => uuid.put(&part_uuid(seen.slot, part), length),
        }
    }
    fn nvmlDeviceGetMemoryInfo(|seen| memory: Out<nvmlMemory_t>) {
        let (used, reserved, total) = seen.memory()?;
        // The old shape has no place for what the driver keeps: it is used.
        let used = used + reserved;
        memory.put(nvmlMemory_t { total, free: total.saturating_sub(used), used })
    }
    fn nvmlDeviceGetMemoryInfo_v2(|seen| memory: InOut<nvmlMemory_v2_t>) {
        let memory = memory.get()?;
        if memory.version != version_of::<nvmlMemory_v2_t>(2) {
            return Err(Code::VERSION);
        }
        let (used, reserved, total) = seen.memory()?;
        let free = total.saturating_sub(used + reserved);
        *memory = nvmlMemory_v2_t { version: memory.version, total, reserved, free, used };
        Ok(())
    }
    fn nvmlDeviceGetIndex(|seen| index: Out<c_uint>) {
        if let Some(part) = seen.part {
            return index.put(part);
        }
        let slot = seen.slot;
        index.put(seen.world.listed().take_while(|&other| other != slot).count() as c_uint)
    }
    fn nvmlDeviceGetSerial(|seen| serial: TextOut, length: c_uint) {
        serial.put(&self::serial(seen.slot), length)
    }
    fn nvmlDeviceGetCudaComputeCapability(|seen| major: Out<c_int>, minor: Out<c_int>) {
        major.put(seen.gpu().profile.compute.0)?;
        minor.put(seen.gpu().profile.compute.1)
    }
    fn nvmlDeviceGetArchitecture(|seen| architecture: Out<nvmlDeviceArchitecture_t>) {
        architecture.put(seen.gpu().profile.architecture)
    }
    fn nvmlDeviceGetBrand(|_seen| brand: Out<nvmlBrandType_t>) {
        // All profiles are of the brand without another name.
        brand.put(nvmlBrandType_enum_NVML_BRAND_NVIDIA)
    }
    fn nvmlDeviceGetPersistenceMode(|_seen| mode: Out<nvmlEnableState_t>) {
        mode.put(nvmlEnableState_enum_NVML_FEATURE_ENABLED)
    }
    fn nvmlDeviceGetComputeMode(|_seen| mode: Out<nvmlComputeMode_t>) {
        mode.put(nvmlComputeMode_enum_NVML_COMPUTEMODE_DEFAULT)
    }
    fn nvmlDeviceGetNumGpuCores(|seen| cores: Out<c_uint>) {
        cores.put(seen.gpu().profile.cores)
    }
    fn nvmlDeviceGetMemoryBusWidth(|seen| bits: Out<c_uint>) {
        bits.put(seen.gpu().profile.bus_width)
    }
}
