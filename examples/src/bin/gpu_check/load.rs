//! A load, which this program does not have: somebody starts one beside it, or a script plays it.

use crate::Result;
use obs_examples::gpus::{Gpus, Source};
use obs_gpu::{Calls, DeviceInfo, GpuDevice, GpuSource, Quantity, Readings, Tier};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long somebody has to start one.
const PATIENCE: Duration = Duration::from_secs(60);
/// From where on a device is under load, in millionths.
const BUSY: i64 = 500_000;
/// How devices that are played are at rest, and under load.
const AT_REST: &str = "+0 * util=0; +0 * power=75_000; +0 * clock.sm=345";
const LOADED: &str = "+0 * util=90~8/100; +0 * power=620_000~40_000/100; +0 * clock.sm=1980";

/// Who is asked for one.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    gpus: &'a Gpus,
    source: &'a Source,
    devices: &'a [DeviceInfo],
}

impl<'a> Load<'a> {
    pub(crate) fn new(gpus: &'a Gpus, source: &'a Source, devices: &'a [DeviceInfo]) -> Self {
        Self {
            gpus,
            source,
            devices,
        }
    }

    /// There is none as yet: of real devices that is as it is.
    pub(crate) fn rest(&self) -> Result<()> {
        match self.gpus.fake() {
            Some(fake) => Ok(fake.push(AT_REST)?),
            None => Ok(()),
        }
    }

    /// Returns when there is one, or when nobody started one in time: how busy devices were is printed with what was measured.
    pub(crate) fn begin(&self) -> Result<()> {
        if let Some(fake) = self.gpus.fake() {
            return Ok(fake.push(LOADED)?);
        }
        eprintln!(
            "Start a load beside this now. It is waited for, {} s at most, until a device is half busy.",
            PATIENCE.as_secs()
        );
        let mut calls = Calls::unwatched();
        let opened = self.devices.iter();
        let opened = opened.filter_map(|info| self.source.open(&info.id, &mut calls).ok());
        let mut opened: Vec<Box<dyn GpuDevice>> = opened.collect();
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && !opened.iter_mut().any(is_busy) {
            sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}

fn is_busy(device: &mut Box<dyn GpuDevice>) -> bool {
    let mut readings = Readings::new();
    let read = device.read(Tier::Fast, &mut readings, &mut Calls::unwatched());
    let busy = readings.value(Quantity::Utilization);
    read.is_ok() && busy.is_some_and(|busy| busy >= BUSY)
}
