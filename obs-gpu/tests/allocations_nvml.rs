//! No byte of the heap is asked for where a device of NVIDIA's is read, once it is known what it does not have.
//!
//! A binary of its own with one test: it counts the allocations of the whole process. Those of the library that stands in for the
//! driver's are not among them: it has an allocator of its own.
#![cfg(all(feature = "nvml", target_os = "linux"))]

use obs_core::setup::environment::Environment;
use obs_core::{Clock, ManualClock, Telemetry};
use obs_gpu::{Calls, GpuSource, NvmlSource, Quantity, Readings, Tier};
use obs_gpu_fake::Fake;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::time::Duration;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const DEVICES: usize = 8;

#[test]
fn reading_devices_takes_no_memory() {
    let fake = Fake::start("gpus = H100*8; clock = virtual").expect("it lies beside this program");
    let clock = ManualClock::new();
    let builder = Telemetry::builder().with_environment(Environment::from_fn(|_| None));
    let telemetry = builder.manual().with_clock(Clock::manual(&clock)).build();
    let source = NvmlSource::with_library(&telemetry.expect("usable"), fake.library());
    let mut calls = Calls::unwatched();
    let infos = source.devices(&mut calls).expect("a driver");
    let mut devices: Vec<_> = infos
        .iter()
        .map(|info| source.open(&info.id, &mut calls).expect("a device"))
        .collect();
    assert_eq!(devices.len(), DEVICES);
    let mut readings = Readings::new();
    let mut sweep = |tiers: &[Tier]| {
        let before = HEAP.stats();
        for device in &mut devices {
            for tier in tiers {
                device
                    .read(*tier, &mut readings, &mut calls)
                    .expect("it is there");
            }
        }
        let after = HEAP.stats();
        fake.advance(Duration::from_secs(1));
        clock.advance(Duration::from_secs(1));
        after.allocations - before.allocations
    };
    // What is not there is found out, and room is made for the rest.
    let first: usize = (0..2).map(|_| sweep(&Tier::ALL)).sum();
    assert!(first >= DEVICES, "{first}: it counts");
    assert_eq!(sweep(&[Tier::Fast]), 0);
    assert_eq!(sweep(&[Tier::Second]), 0);
    for _ in 0..10 {
        assert_eq!(sweep(&[Tier::Fast, Tier::Second]), 0);
    }
    assert!(readings.value(Quantity::DramActive).is_some());
    assert!(readings.value(Quantity::Energy).is_some());
}
