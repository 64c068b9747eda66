//! Events: sets that are waited for, in real time.

use crate::answer::{Answer, Code};
use crate::clock::Deadline;
use crate::entry::{self, driver, guarded, handle};
use crate::events::{Event, EventSet, XID};
use crate::out::Out;
use crate::world::{self, World};
use nvml_wrapper_sys::bindings::*;
use std::ffi::{c_uint, c_ulonglong};
use std::time::Duration;

pub(super) const NAMES: &[&str] = &[
    "nvmlEventSetCreate",
    "nvmlEventSetFree",
    "nvmlEventSetWait_v2",
    "nvmlDeviceRegisterEvents",
    "nvmlDeviceGetSupportedEventTypes",
];

#[unsafe(no_mangle)]
extern "C" fn nvmlEventSetCreate(set: Out<nvmlEventSet_t>) -> nvmlReturn_t {
    driver("nvmlEventSetCreate", |world| {
        let number = world.new_handle();
        set.put(std::ptr::without_provenance_mut(number))?;
        world.sets.insert(number, EventSet::default());
        world::counted();
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlEventSetFree(set: nvmlEventSet_t) -> nvmlReturn_t {
    driver("nvmlEventSetFree", |world| {
        world
            .sets
            .remove(&(set as usize))
            .ok_or(Code::INVALID_ARGUMENT)?;
        world::changed();
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetSupportedEventTypes(
    device: nvmlDevice_t,
    types: Out<c_ulonglong>,
) -> nvmlReturn_t {
    entry::device("nvmlDeviceGetSupportedEventTypes", device, |seen| {
        types.put(seen.gpu().profile.events)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceRegisterEvents(
    device: nvmlDevice_t,
    types: c_ulonglong,
    set: nvmlEventSet_t,
) -> nvmlReturn_t {
    entry::device("nvmlDeviceRegisterEvents", device, |seen| {
        if types & !u64::from(nvmlEventTypeAll) != 0 {
            return Err(Code::INVALID_ARGUMENT);
        }
        if types & !seen.gpu().profile.events != 0 {
            return Err(Code::NOT_SUPPORTED);
        }
        let slot = seen.slot;
        let set = seen.world.sets.get_mut(&(set as usize));
        let registered = &mut set.ok_or(Code::INVALID_ARGUMENT)?.registered;
        match registered.iter_mut().find(|(other, _)| *other == slot) {
            Some((_, kinds)) => *kinds |= types,
            None => registered.push((slot, types)),
        }
        Ok(())
    })
}

/// The timeout is real time on either clock: a thread that listens must come back to see whether it is still wanted.
#[unsafe(no_mangle)]
extern "C" fn nvmlEventSetWait_v2(
    set: nvmlEventSet_t,
    data: Out<nvmlEventData_t>,
    timeout_ms: c_uint,
) -> nvmlReturn_t {
    let waited = guarded(|| {
        let (mut world, _) = entry::held("nvmlEventSetWait_v2", None);
        let deadline = Deadline::after(Duration::from_millis(timeout_ms.into()));
        let generation = world.generation;
        world.listening += 1;
        world::counted();
        let event = loop {
            if world.generation != generation {
                break Err(Code::UNINITIALIZED);
            }
            match next_event(&mut world, set as usize) {
                Ok(None) => {}
                other => break other,
            }
            let Some(left) = deadline.left() else {
                break Ok(None);
            };
            world = world::wait(world, Some(left));
        };
        world.listening -= 1;
        let event = event?.ok_or(Code::TIMEOUT)?;
        data.put(nvmlEventData_t {
            device: handle(event.slot, None),
            eventType: event.kind,
            eventData: match event.kind {
                // Each has its own on Linux, says the header of API 13. Older ones knew of the last one's number only.
                XID if world.only_last_xid => world
                    .gpus
                    .get(event.slot)
                    .map_or(event.data, |gpu| gpu.last_xid),
                _ => event.data,
            },
            gpuInstanceId: event.gpu_instance,
            computeInstanceId: event.compute_instance,
        })
    });
    world::counted();
    waited
}

/// What the set has, if anything. When there is nothing and a device of it is gone, waiting for it is an error.
fn next_event(world: &mut World, set: usize) -> Answer<Option<Event>> {
    world.ready()?;
    if let Some(code) = world
        .fails
        .of("nvmlEventSetWait_v2")
        .filter(|code| *code != 0)
    {
        return Err(Code(code));
    }
    let set = world.sets.get_mut(&set).ok_or(Code::INVALID_ARGUMENT)?;
    if let Some(event) = set.queue.pop_front() {
        return Ok(Some(event));
    }
    let gone = |&(slot, _): &(usize, u64)| {
        world
            .gpus
            .get(slot)
            .is_none_or(|gpu| gpu.lost || !gpu.present)
    };
    if set.registered.iter().any(gone) {
        return Err(Code::GPU_IS_LOST);
    }
    Ok(None)
}
