//! Parts of devices that are used as devices.

use super::unsigned;
use crate::answer::{Answer, Code};
use crate::entry::{self, Seen, handle};
use crate::gpu::Part;
use crate::metric::Level;
use crate::out::Out;
use nvml_wrapper_sys::bindings::*;
use std::ffi::c_uint;

impl Seen<'_> {
    fn this_part(&self) -> Answer<&Part> {
        let part = self.part.and_then(|part| self.gpu().parts.get(&part));
        part.ok_or(Code::INVALID_ARGUMENT)
    }

    fn can_be_parted(&self) -> Answer<u32> {
        match (self.part, self.gpu().profile.mig) {
            (None, parts @ 1..) => Ok(parts),
            _ => Err(Code::NOT_SUPPORTED),
        }
    }
}

device_calls! { any_device:
    fn nvmlDeviceGetMigMode(|seen| current: Out<c_uint>, pending: Out<c_uint>) {
        seen.can_be_parted()?;
        let mode = unsigned(seen.level(Level::MigMode)?);
        current.put(mode)?;
        pending.put(mode)
    }
    fn nvmlDeviceGetMaxMigDeviceCount(|seen| count: Out<c_uint>) {
        // Zero where it is not in parts, or cannot be.
        let in_parts = seen.level(Level::MigMode).is_ok_and(|mode| mode != 0);
        count.put(if in_parts { seen.can_be_parted()? } else { 0 })
    }
    fn nvmlDeviceGetMigDeviceHandleByIndex(|seen| index: c_uint, device: Out<nvmlDevice_t>) {
        seen.can_be_parted()?;
        if !seen.gpu().parts_seen(seen.now).any(|part| part == index) {
            return Err(Code::NOT_FOUND);
        }
        device.put(handle(seen.slot, Some(index)))
    }
    fn nvmlDeviceIsMigDeviceHandle(|seen| is_part: Out<c_uint>) {
        is_part.put(seen.part.is_some().into())
    }
    fn nvmlDeviceGetDeviceHandleFromMigDeviceHandle(|seen| whole: Out<nvmlDevice_t>) {
        seen.this_part()?;
        whole.put(handle(seen.slot, None))
    }
    fn nvmlDeviceGetGpuInstanceId(|seen| id: Out<c_uint>) {
        id.put(seen.this_part()?.gpu_instance)
    }
    fn nvmlDeviceGetComputeInstanceId(|seen| id: Out<c_uint>) {
        id.put(seen.this_part()?.compute_instance)
    }
    fn nvmlDeviceGetAttributes_v2(|seen| attributes: Out<nvmlDeviceAttributes_t>) {
        let part = seen.this_part()?;
        let profile = &seen.gpu().profile;
        attributes.put(nvmlDeviceAttributes_t {
            multiprocessorCount: profile.multiprocessors * part.slices / profile.mig.max(1),
            sharedCopyEngineCount: part.slices,
            sharedDecoderCount: 0,
            sharedEncoderCount: 0,
            sharedJpegCount: 0,
            sharedOfaCount: 0,
            gpuInstanceSliceCount: part.slices,
            computeInstanceSliceCount: part.slices,
            memorySizeMB: part.bytes.max(0) as u64 >> 20,
        })
    }
}
