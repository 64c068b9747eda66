//! No byte of the heap is asked for where a device is looked at: its last sample, its history, its state.
//!
//! A binary of its own with one test: it counts the allocations of the whole process.

use obs_core::setup::environment::Environment;
use obs_core::{Clock, ManualClock, Telemetry};
use obs_gpu::{
    Calls, DeviceId, DeviceInfo, GpuDevice, GpuEvents, GpuMonitor, GpuProcess, GpuSettings,
    GpuSource, LinkReading, Quantity, Reading, Readings, SourceError, Tier,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::time::Duration;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One device that is busy.
#[derive(Debug)]
struct Busy;

impl GpuSource for Busy {
    fn name(&self) -> &'static str {
        "busy"
    }

    fn devices(&self, _: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
        Ok(vec![DeviceInfo::new(DeviceId::new("GPU-1"), 0, "nobody")])
    }

    fn open(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuDevice>, SourceError> {
        Ok(Box::new(Self))
    }

    fn events(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuEvents>, SourceError> {
        Err(SourceError::Unsupported)
    }
}

impl GpuDevice for Busy {
    fn read(&mut self, _: Tier, into: &mut Readings, _: &mut Calls) -> Result<(), SourceError> {
        into.set(Quantity::Utilization, Reading::Value(990_000));
        Ok(())
    }

    fn links(&mut self, _: &mut Vec<LinkReading>, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }

    fn processes(&mut self, _: &mut Vec<GpuProcess>, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }
}

#[test]
fn looking_at_a_device_takes_no_memory() {
    let clock = ManualClock::new();
    let builder = Telemetry::builder().with_environment(Environment::from_fn(|_| None));
    let telemetry = builder.manual().with_clock(Clock::manual(&clock)).build();
    let telemetry = telemetry.expect("usable");
    let monitor = GpuMonitor::new(&telemetry, Busy, GpuSettings::new()).expect("no threads");
    let began = telemetry.now();
    for _ in 0..100 {
        telemetry.prometheus();
        clock.advance(Duration::from_secs(1));
    }
    let gpu = monitor.gpus().remove(0);
    let before = HEAP.stats();
    let mut seen = 0;
    for _ in 0..100 {
        seen += black_box(gpu.sample())
            .and_then(|sample| sample.utilization())
            .unwrap_or(0);
        gpu.history(began, telemetry.now(), |sample| {
            seen += sample.utilization().unwrap_or(0)
        });
        black_box(gpu.state());
    }
    let after = HEAP.stats();
    assert_eq!(seen, 100 * 990_000 + 100 * 100 * 990_000);
    assert_eq!(after.allocations, before.allocations);
    assert_eq!(after.bytes_allocated, before.bytes_allocated);
}
