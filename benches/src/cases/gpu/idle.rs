//! Devices that say nothing: what there is of a device, and nothing of what it says.

use obs_gpu::{
    Calls, DeviceId, DeviceInfo, GpuDevice, GpuEvents, GpuProcess, GpuSource, LinkReading,
    Readings, SourceError, Tier,
};

/// So many of them.
#[derive(Debug)]
pub(super) struct Idle(pub(super) u32);

impl GpuSource for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn devices(&self, _: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
        let info = |at| DeviceInfo::new(DeviceId::new(format!("GPU-{at}")), at, "nobody");
        Ok((0..self.0).map(info).collect())
    }

    fn open(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuDevice>, SourceError> {
        Ok(Box::new(Self(1)))
    }

    fn events(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuEvents>, SourceError> {
        Err(SourceError::Unsupported)
    }
}

impl GpuDevice for Idle {
    fn read(&mut self, _: Tier, _: &mut Readings, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }

    fn links(&mut self, _: &mut Vec<LinkReading>, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }

    fn processes(&mut self, _: &mut Vec<GpuProcess>, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }
}
