//! A source whose devices do what a test says.

use obs_gpu::{
    Calls, DeviceId, DeviceInfo, Event, GpuDevice, GpuEvents, GpuProcess, GpuSource, LinkReading,
    ProcessKind, Quantity, Reading, Readings, SourceError, Tier,
};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Devices, and what they are to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    world: Mutex<World>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    /// There is no driver.
    pub(crate) absent: bool,
    pub(crate) listed: Vec<DeviceInfo>,
    pub(crate) devices: HashMap<String, Device>,
    /// The search does not come back.
    pub(crate) search_stalls: bool,
    pub(crate) searches: u32,
    /// Searches that are out, and the one that stays so.
    pub(crate) searching: u32,
    pub(crate) stalled_search: Option<u32>,
    /// Devices that the last search was not to ask.
    pub(crate) avoided: Vec<DeviceId>,
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) values: HashMap<Quantity, Reading>,
    pub(crate) links: Vec<LinkReading>,
    pub(crate) processes: Vec<GpuProcess>,
    pub(crate) processes_error: Option<SourceError>,
    /// Calls do not come back while this is.
    pub(crate) stalls: bool,
    /// How long each call takes.
    pub(crate) takes: Duration,
    pub(crate) error: Option<SourceError>,
    pub(crate) panics: bool,
    pub(crate) event_error: Option<SourceError>,
    pub(crate) events: VecDeque<Event>,
    /// What was done.
    pub(crate) opened: u32,
    pub(crate) registered: u32,
    pub(crate) reads: [u32; 3],
    pub(crate) inside: u32,
    pub(crate) most_inside: u32,
}

impl Default for Device {
    fn default() -> Self {
        let values = [
            (Quantity::Utilization, 370_000),
            (Quantity::MemoryUsed, 20 << 30),
            (Quantity::MemoryTotal, 80 << 30),
            (Quantity::Power, 412_500),
            (Quantity::Energy, 1_000),
            (Quantity::SmClock, 990_000_000),
            (Quantity::SmClockMax, 1_980_000_000),
            (Quantity::ThrottleReasons, 0x4 | 0x1000),
            (Quantity::Temperature, 54_000),
            (Quantity::DramActive, 250_000),
            (Quantity::NvlinkSent, 0),
            (Quantity::NvlinkReceived, 0),
            (Quantity::EccCorrected, 3),
        ];
        Self {
            values: values
                .map(|(quantity, value)| (quantity, Reading::Value(value)))
                .into(),
            links: Vec::new(),
            processes: vec![GpuProcess::new(4711, ProcessKind::Compute)],
            processes_error: None,
            stalls: false,
            takes: Duration::ZERO,
            error: None,
            panics: false,
            event_error: None,
            events: VecDeque::new(),
            opened: 0,
            registered: 0,
            reads: [0; 3],
            inside: 0,
            most_inside: 0,
        }
    }
}

pub(crate) fn uuid(index: u32) -> String {
    format!("GPU-0000000{index}")
}

impl Script {
    /// So many devices that are well.
    pub(crate) fn of(many: u32) -> Self {
        let script = Self::default();
        (0..many).for_each(|index| script.add(index));
        script
    }

    pub(crate) fn add(&self, index: u32) {
        let mut info = DeviceInfo::new(DeviceId::new(uuid(index)), index, "NVIDIA");
        info.model = Some("NVIDIA H100 80GB HBM3".into());
        info.driver_version = Some("580.95.05".into());
        let mut world = self.world();
        world.devices.entry(uuid(index)).or_default();
        world.listed.push(info);
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().expect("no test panics here")
    }

    /// How many hold it.
    pub(crate) fn held(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Changes a device.
    pub(crate) fn device<T>(&self, index: u32, with: impl FnOnce(&mut Device) -> T) -> T {
        let mut world = self.world();
        let done = with(world.devices.get_mut(&uuid(index)).expect("a device"));
        self.0.changed.notify_all();
        done
    }

    pub(crate) fn set(&self, index: u32, quantity: Quantity, reading: Reading) {
        self.device(index, |device| device.values.insert(quantity, reading));
    }

    pub(crate) fn report(&self, index: u32, event: Event) {
        self.device(index, |device| device.events.push_back(event));
    }

    pub(crate) fn change(&self, with: impl FnOnce(&mut World)) {
        with(&mut self.world());
        self.0.changed.notify_all();
    }

    /// Goes into a device, as the driver does: for as long as it stalls.
    fn call<T>(&self, id: &str, done: impl FnOnce(&mut Device) -> T) -> T {
        let mut world = self.world();
        let device = world.devices.get_mut(id).expect("a device");
        device.inside += 1;
        device.most_inside = device.most_inside.max(device.inside);
        let takes = device.takes;
        while world.devices[id].stalls {
            world = self.0.changed.wait(world).expect("no test panics here");
        }
        if !takes.is_zero() {
            drop(world);
            std::thread::sleep(takes);
            world = self.world();
        }
        let device = world.devices.get_mut(id).expect("a device");
        device.inside -= 1;
        done(device)
    }
}

impl GpuSource for Script {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn devices(&self, calls: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
        let known: Vec<_> = self
            .world()
            .listed
            .iter()
            .map(|info| info.id.clone())
            .collect();
        let avoided = known
            .into_iter()
            .filter(|id| calls.is_avoided(id))
            .collect();
        calls.time("list", || {
            let mut world = self.world();
            world.searches += 1;
            world.avoided = avoided;
            let mine = world.searches;
            world.searching += 1;
            // What one that is stuck says in the end is what was so at its beginning.
            let (found, mut stalled) = (world.listed.clone(), false);
            let stalls = |world: &World| world.search_stalls || world.stalled_search == Some(mine);
            while stalls(&world) {
                stalled = true;
                world = self.0.changed.wait(world).expect("no test panics here");
            }
            world.searching -= 1;
            match world.absent {
                true => Err(SourceError::Absent),
                false if stalled => Ok(found),
                false => Ok(world.listed.clone()),
            }
        })
    }

    fn open(
        &self,
        device: &DeviceId,
        calls: &mut Calls,
    ) -> Result<Box<dyn GpuDevice>, SourceError> {
        let error = calls.time("open", || {
            self.call(device.as_str(), |device| {
                device.opened += 1;
                device.error
            })
        });
        match error {
            Some(error) => Err(error),
            None => Ok(Box::new(Open(self.clone(), device.as_str().into()))),
        }
    }

    fn events(
        &self,
        device: &DeviceId,
        calls: &mut Calls,
    ) -> Result<Box<dyn GpuEvents>, SourceError> {
        calls.time("register", || {
            self.device_of(device.as_str(), |device| {
                device.registered += 1;
                match device.event_error {
                    Some(SourceError::Unsupported) => Err(SourceError::Unsupported),
                    _ => Ok(()),
                }
            })
        })?;
        Ok(Box::new(Open(self.clone(), device.as_str().into())))
    }
}

impl Script {
    fn device_of<T>(&self, id: &str, with: impl FnOnce(&mut Device) -> T) -> T {
        with(self.world().devices.get_mut(id).expect("a device"))
    }
}

#[derive(Debug)]
struct Open(Script, String);

impl GpuDevice for Open {
    fn read(
        &mut self,
        tier: Tier,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let name = ["fast", "second", "slow"][tier as usize];
        calls.time(name, || {
            let panics = self.0.device_of(&self.1, |device| device.panics);
            assert!(!panics, "as the test says");
            self.0.call(&self.1, |device| {
                device.reads[tier as usize] += 1;
                if let Some(error) = device.error {
                    return Err(error);
                }
                for quantity in Quantity::ALL
                    .iter()
                    .filter(|quantity| quantity.tier() == tier)
                {
                    let reading = device.values.get(quantity);
                    into.set(*quantity, reading.copied().unwrap_or(Reading::Unsupported));
                }
                Ok(())
            })
        })
    }

    fn links(
        &mut self,
        into: &mut Vec<LinkReading>,
        _calls: &mut Calls,
    ) -> Result<(), SourceError> {
        self.0
            .call(&self.1, |device| into.extend_from_slice(&device.links));
        Ok(())
    }

    fn processes(
        &mut self,
        into: &mut Vec<GpuProcess>,
        _calls: &mut Calls,
    ) -> Result<(), SourceError> {
        self.0.call(&self.1, |device| {
            into.extend_from_slice(&device.processes);
            device.processes_error.map_or(Ok(()), Err)
        })
    }
}

impl GpuEvents for Open {
    fn wait(&mut self, at_most: Duration, calls: &mut Calls) -> Result<Option<Event>, SourceError> {
        let Self(script, id) = self;
        calls.wait("wait", at_most, || {
            let world = script.world();
            let idle = |world: &mut World| {
                let device = &world.devices[&*id];
                device.events.is_empty() && device.event_error.is_none()
            };
            let (mut world, _) = script
                .0
                .changed
                .wait_timeout_while(world, at_most, idle)
                .expect("no panic");
            let device = world.devices.get_mut(id).expect("a device");
            match device.event_error {
                Some(error) => Err(error),
                None => Ok(device.events.pop_front()),
            }
        })
    }
}
