//! The library itself: begun and ended, its versions, and how devices are found.

use crate::answer::{self, Answer, Code};
use crate::entry::{self, driver, early, guarded, handle};
use crate::out::{Out, Text, TextOut};
use crate::world::World;
use nvml_wrapper_sys::bindings::*;
use std::ffi::{c_char, c_int, c_uint};

pub(super) const NAMES: &[&str] = &[
    "nvmlInit_v2",
    "nvmlInitWithFlags",
    "nvmlShutdown",
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetNVMLVersion",
    "nvmlSystemGetCudaDriverVersion",
    "nvmlSystemGetCudaDriverVersion_v2",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetHandleBySerial",
    "nvmlDeviceGetHandleByPciBusId_v2",
];

fn begin(world: &mut World) -> Answer<()> {
    world.inits += 1;
    crate::world::counted();
    Ok(())
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInit_v2() -> nvmlReturn_t {
    early("nvmlInit_v2", begin)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> nvmlReturn_t {
    early("nvmlInitWithFlags", begin)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlShutdown() -> nvmlReturn_t {
    driver("nvmlShutdown", |world| {
        world.inits -= 1;
        if world.inits == 0 {
            world.sets.clear();
            world.samples.clear();
            crate::world::changed();
        }
        Ok(())
    })
}

/// It may be asked before the library is begun.
#[unsafe(no_mangle)]
extern "C" fn nvmlErrorString(result: nvmlReturn_t) -> *const c_char {
    answer::text(result).as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn nvmlSystemGetDriverVersion(version: TextOut, length: c_uint) -> nvmlReturn_t {
    driver("nvmlSystemGetDriverVersion", |world| {
        version.put(&world.driver, length)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlSystemGetNVMLVersion(version: TextOut, length: c_uint) -> nvmlReturn_t {
    driver("nvmlSystemGetNVMLVersion", |world| {
        version.put(&world.nvml, length)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlSystemGetCudaDriverVersion(version: Out<c_int>) -> nvmlReturn_t {
    driver("nvmlSystemGetCudaDriverVersion", |world| {
        version.put(world.cuda)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: Out<c_int>) -> nvmlReturn_t {
    driver("nvmlSystemGetCudaDriverVersion_v2", |world| {
        version.put(world.cuda)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetCount_v2(count: Out<c_uint>) -> nvmlReturn_t {
    driver("nvmlDeviceGetCount_v2", |world| {
        count.put(world.listed().count() as c_uint)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetHandleByIndex_v2(
    index: c_uint,
    device: Out<nvmlDevice_t>,
) -> nvmlReturn_t {
    find("nvmlDeviceGetHandleByIndex_v2", &device, |world| {
        world
            .listed()
            .nth(index as usize)
            .ok_or(Code::INVALID_ARGUMENT)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetHandleByUUID(uuid: Text, device: Out<nvmlDevice_t>) -> nvmlReturn_t {
    let name = "nvmlDeviceGetHandleByUUID";
    guarded(|| {
        let wanted = uuid.get().ok_or(Code::INVALID_ARGUMENT)?;
        let (slot, part) = {
            let world = crate::world::lock();
            world.ready()?;
            // One that does not answer cannot say that it is not this one.
            let lost = world.listed().any(|slot| world.gpus[slot].lost);
            let unknown = if lost {
                Code::GPU_IS_LOST
            } else {
                Code::NOT_FOUND
            };
            world.by_uuid(wanted).ok_or(unknown)?
        };
        entry::on_slot(name, slot, part, |seen| {
            device.put(handle(seen.slot, seen.part))
        })
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetHandleBySerial(serial: Text, device: Out<nvmlDevice_t>) -> nvmlReturn_t {
    find("nvmlDeviceGetHandleBySerial", &device, |world| {
        let wanted = serial.get().ok_or(Code::INVALID_ARGUMENT)?;
        let mut listed = world.listed();
        listed
            .find(|&slot| super::identity::serial(slot) == wanted)
            .ok_or(Code::NOT_FOUND)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetHandleByPciBusId_v2(
    bus_id: Text,
    device: Out<nvmlDevice_t>,
) -> nvmlReturn_t {
    find("nvmlDeviceGetHandleByPciBusId_v2", &device, |world| {
        let wanted = bus_id.get().ok_or(Code::INVALID_ARGUMENT)?;
        let mut listed = world.listed();
        // The domain has four digits in old tools and eight in new ones.
        let is_it = |slot: &usize| {
            let id = super::identity::bus_id(*slot);
            id.eq_ignore_ascii_case(wanted) || id[4..].eq_ignore_ascii_case(wanted)
        };
        listed.find(is_it).ok_or(Code::NOT_FOUND)
    })
}

/// Finds a device and goes on as a call about it: one that is lost is found, and does not answer.
fn find(
    name: &'static str,
    device: &Out<nvmlDevice_t>,
    slot: impl FnOnce(&World) -> Answer<usize>,
) -> nvmlReturn_t {
    guarded(|| {
        let slot = {
            let world = crate::world::lock();
            world.ready()?;
            slot(&world)?
        };
        entry::on_slot(name, slot, None, |seen| device.put(handle(seen.slot, None)))
    })
}
