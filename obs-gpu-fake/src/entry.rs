//! The way into a call: counted, held up and refused as scripts say, and never left by a panic.

use crate::answer::{Answer, Code};
use crate::clock::Deadline;
use crate::gpu::Gpu;
use crate::script::{Numbered, Stall};
use crate::value::{Micros, random};
use crate::world::{self, NO_GPU, World};
use nvml_wrapper_sys::bindings::{nvmlDevice_t, nvmlReturn_enum_NVML_SUCCESS, nvmlReturn_t};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::MutexGuard;
use std::time::Duration;

/// A device that a call is about, or a part of one.
pub(crate) struct Seen<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) slot: usize,
    /// Which part, where it is one.
    pub(crate) part: Option<u32>,
    pub(crate) now: Micros,
    /// How long the call was held up.
    pub(crate) held: Micros,
}

impl Seen<'_> {
    pub(crate) fn gpu(&self) -> &Gpu {
        &self.world.gpus[self.slot]
    }
}

/// Runs what a C function does. A panic must not reach C: it is an unknown error.
pub(crate) fn guarded(body: impl FnOnce() -> Answer<()>) -> nvmlReturn_t {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => nvmlReturn_enum_NVML_SUCCESS,
        Ok(Err(Code(code))) => code,
        Err(_) => Code::UNKNOWN.0,
    }
}

/// A call about the driver, which may come before it is initialised.
pub(crate) fn early(
    name: &'static str,
    body: impl FnOnce(&mut World) -> Answer<()>,
) -> nvmlReturn_t {
    guarded(|| {
        let (mut world, _) = held(name, None);
        if world.absent {
            return Err(Code::DRIVER_NOT_LOADED);
        }
        refused(world.fails.of(name))?;
        body(&mut world)
    })
}

/// A call about the driver.
pub(crate) fn driver(
    name: &'static str,
    body: impl FnOnce(&mut World) -> Answer<()>,
) -> nvmlReturn_t {
    early(name, |world| {
        world.ready()?;
        body(world)
    })
}

/// A call about a device, or a part of one.
pub(crate) fn any_device(
    name: &'static str,
    handle: nvmlDevice_t,
    body: impl FnOnce(&mut Seen<'_>) -> Answer<()>,
) -> nvmlReturn_t {
    guarded(|| {
        let (slot, part) = parts(handle).ok_or(Code::INVALID_ARGUMENT)?;
        on_slot(name, slot, part, body)
    })
}

/// A call about a whole device: parts have no such thing.
pub(crate) fn device(
    name: &'static str,
    handle: nvmlDevice_t,
    body: impl FnOnce(&mut Seen<'_>) -> Answer<()>,
) -> nvmlReturn_t {
    any_device(name, handle, |seen| match seen.part {
        None => body(seen),
        Some(_) => Err(Code::NOT_SUPPORTED),
    })
}

/// A call about the device in a slot.
pub(crate) fn on_slot(
    name: &'static str,
    slot: usize,
    part: Option<u32>,
    body: impl FnOnce(&mut Seen<'_>) -> Answer<()>,
) -> Answer<()> {
    let (mut world, held) = held(name, Some(slot));
    if world.absent {
        return Err(Code::DRIVER_NOT_LOADED);
    }
    world.ready()?;
    let gpu = world.gpus.get(slot).ok_or(Code::INVALID_ARGUMENT)?;
    if gpu.lost || !gpu.present {
        return Err(Code::GPU_IS_LOST);
    }
    let now = world.clock.now();
    if part.is_some_and(|part| !gpu.parts_seen(now).any(|seen| seen == part)) {
        return Err(Code::INVALID_ARGUMENT);
    }
    refused(gpu.fails.of(name))?;
    refused(world.fails.of(name))?;
    if gpu.profile.without.contains(&name) {
        return Err(Code::NOT_SUPPORTED);
    }
    body(&mut Seen {
        world: &mut world,
        slot,
        part,
        now,
        held,
    })
}

fn refused(code: Option<u32>) -> Answer<()> {
    match code {
        None | Some(0) => Ok(()),
        Some(code) => Err(Code(code)),
    }
}

/// Counts a call and holds it up for as long as a script, or the table of latencies, says.
pub(crate) fn held(
    name: &'static str,
    slot: Option<usize>,
) -> (MutexGuard<'static, World>, Micros) {
    let mut world = world::lock();
    let number = world.count(name, slot.map_or(NO_GPU, |slot| slot as u32));
    let latency = latency(&world, name, slot, number);
    let mut stalled = 0;
    if stall(&world, name, slot) != Stall::No {
        world = wait_out(world, name, slot, &mut stalled);
    }
    if latency == 0 {
        return (world, stalled);
    }
    drop(world);
    Deadline::after(Duration::from_micros(latency)).sleep();
    (world::lock(), stalled + latency)
}

fn stall(world: &World, name: &str, slot: Option<usize>) -> Stall {
    let of_gpu = slot.and_then(|slot| world.gpus.get(slot)?.stalls.of(name));
    of_gpu
        .or_else(|| world.stalls.of(name))
        .unwrap_or(Stall::No)
}

/// Waits by the world's clock until the stall is over, was lifted, or all is new.
fn wait_out(
    mut world: MutexGuard<'static, World>,
    name: &str,
    slot: Option<usize>,
    stalled: &mut Micros,
) -> MutexGuard<'static, World> {
    let began = world.clock.now();
    let generation = world.generation;
    world.stalled += 1;
    world::counted();
    while world.generation == generation {
        *stalled = world.clock.now() - began;
        let left = match stall(&world, name, slot) {
            Stall::No => break,
            Stall::Forever => None,
            Stall::For(time) if *stalled >= time => break,
            // Another one moves a virtual clock.
            Stall::For(_) if world.clock.is_virtual() => None,
            Stall::For(time) => Some(Duration::from_micros(time - *stalled)),
        };
        world = world::wait(world, left);
    }
    world.stalled -= 1;
    world::counted();
    world
}

/// How long this call takes, drawn from what was measured: the same numbers each time for the same seed.
fn latency(world: &World, name: &str, slot: Option<usize>, number: u64) -> Micros {
    let times = world.latencies.get(name);
    let Some(&[p50, p99, max]) = times.or_else(|| world.latencies.get("*")) else {
        return 0;
    };
    let of_call = name
        .bytes()
        .fold(slot.map_or(0, |slot| slot as u64 + 1), |hash, byte| {
            random(hash, byte.into())
        });
    quantile([p50, p99, max], random(world.seed ^ of_call, number))
}

/// Holds a call up for what it asks for by numbers, and says for how long.
pub(crate) fn held_for(name: &str, asked: impl Iterator<Item = Numbered>) -> Micros {
    let world = world::lock();
    if world.adds.is_empty() {
        return 0;
    }
    let number = world.calls(name, None);
    let times = asked.filter_map(|what| Some((what, *world.adds.get(&what)?)));
    let adds = times.map(|(what, times)| {
        let of = match what {
            Numbered::Field(id) => u64::from(id),
            Numbered::Gpm(id) => 1 << 32 | u64::from(id),
        };
        quantile(times, random(world.seed ^ random(of, 1), number))
    });
    let all = adds.sum();
    drop(world);
    Deadline::after(Duration::from_micros(all)).sleep();
    all
}

/// The value below which `share / 2^64` of all lie. Between the median and what is known of the slowest most lie near the median, by the
/// fifth power: by that the means of most of an H100's calls (`latencies/h100-580.txt`) are met within a fifth, where a straight line would double
/// some.
fn quantile([p50, p99, max]: [Micros; 3], share: u64) -> Micros {
    let ppm = (u128::from(share) * 1_000_000) >> 64;
    let (from, to, low, high) = match ppm {
        // Of the faster half nothing is known: near the middle, and at it where all are alike.
        ..500_000 => {
            let from = p50 - (p50 / 5).min(p99 - p50);
            return from + ((u128::from(p50 - from) * ppm) / 500_000) as Micros;
        }
        500_000..990_000 => (p50, p99, 500_000, 990_000),
        _ => (p99, max, 990_000, 1_000_000),
    };
    let part = (ppm - low) as f64 / (high - low) as f64;
    from + ((to - from) as f64 * part.powi(5)) as Micros
}

/// The slot and the part that a handle stands for.
fn parts(handle: nvmlDevice_t) -> Option<(usize, Option<u32>)> {
    let bits = handle as usize;
    let slot = (bits & 0xFFFF).checked_sub(1)?;
    let part = (bits >> 16).checked_sub(1).map(|part| part as u32);
    Some((slot, part))
}

/// The handle of a slot, or of a part in it: numbers, no addresses, so that a wrong one does no harm.
pub(crate) fn handle(slot: usize, part: Option<u32>) -> nvmlDevice_t {
    let part = part.map_or(0, |part| part as usize + 1);
    std::ptr::without_provenance_mut(part << 16 | (slot + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(times: [Micros; 3], per_mille: u64, expect: Micros) {
        let share = (u64::MAX / 1000) * per_mille;
        let got = quantile(times, share);
        assert!(
            got.abs_diff(expect) <= expect / 100,
            "{got} is not {expect}"
        );
    }

    #[test]
    fn times_lie_between_what_was_measured() {
        let times = [1000, 5000, 45_000];
        check(times, 0, 800);
        check(times, 250, 900);
        check(times, 500, 1000);
        // Half way there, and a thirty-second part of the way.
        check(times, 745, 1125);
        check(times, 990, 5000);
        check(times, 995, 6250);
        check(times, 1000, 45_000);
        for per_mille in [0, 100, 600, 1000] {
            check([20_000; 3], per_mille, 20_000);
        }
        assert_eq!(quantile([20_000; 3], 0), 20_000);
        check([0, 0, 9000], 300, 0);
        assert!((0..1000).all(|n| quantile(times, random(7, n)) <= 45_000));
    }

    #[test]
    fn handles_are_numbers() {
        for (slot, part) in [(0, None), (7, None), (3, Some(0)), (3, Some(6))] {
            assert_eq!(parts(handle(slot, part)), Some((slot, part)));
        }
        assert_eq!(parts(std::ptr::null_mut()), None);
    }

    #[test]
    fn a_panic_is_an_unknown_error() {
        assert_eq!(guarded(|| panic!("in a test")), 999);
        assert_eq!(guarded(|| Err(Code::TIMEOUT)), 10);
        assert_eq!(guarded(|| Ok(())), 0);
    }
}
