//! One device, read again and again for a while, with the time of each call.

use obs_examples::gpus::Source;
use obs_gpu::{
    CallEdge, Calls, DeviceId, GpuDevice, GpuSource, Quantity, ReadGroup, Readings, SourceError,
    Tier,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often tiers are read: denser than a monitor does, so that there is enough to find a p99 in. Counters of GPM want 100 ms.
const PERIODS: [(Tier, Duration); 3] = [
    (Tier::Fast, Duration::from_millis(25)),
    (Tier::Second, Duration::from_millis(125)),
    (Tier::Slow, Duration::from_millis(250)),
];

/// How long calls took, by name.
pub(crate) type ByCall = BTreeMap<&'static str, Vec<Duration>>;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub(crate) calls: ByCall,
    /// How long it took to read each of its groups, in their order.
    pub(crate) groups: Vec<(ReadGroup, Vec<Duration>)>,
    /// What was said last.
    pub(crate) readings: Readings,
    /// Links that are up, of how many.
    pub(crate) links: (usize, usize),
    pub(crate) processes: usize,
    /// In millionths, as often as it was read.
    pub(crate) utilization: Vec<i64>,
    /// Why it could not be read, at last.
    pub(crate) failure: Option<SourceError>,
}

/// Reads it, for so long.
pub(crate) fn sweep(source: &Source, device: &DeviceId, time: Duration) -> Swept {
    let mut swept = Swept::default();
    // What it does not have is found out first: asking for that is no work of a monitor's.
    let mut unwatched = Calls::unwatched();
    let mut opened = match source.open(device, &mut unwatched) {
        Ok(opened) => opened,
        Err(failure) => {
            swept.failure = Some(failure);
            return swept;
        }
    };
    for tier in Tier::ALL {
        swept.read(&mut *opened, tier, &mut unwatched);
    }
    swept.utilization.clear();
    swept.groups.clear();

    let times = Arc::new(Mutex::new(ByCall::new()));
    let mut calls = timed(&times);
    let began = Instant::now();
    let mut due = PERIODS.map(|(tier, _)| (tier, Duration::ZERO));
    loop {
        let now = began.elapsed();
        if now >= time {
            break;
        }
        for ((tier, due), (_, period)) in due.iter_mut().zip(PERIODS) {
            if *due <= now {
                swept.read(&mut *opened, *tier, &mut calls);
                *due = now + period;
            }
        }
        sleep(Duration::from_millis(5));
    }
    drop(calls);
    swept.calls = std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner));
    swept
}

/// Calls that note how long each takes.
fn timed(times: &Arc<Mutex<ByCall>>) -> Calls {
    let (times, mut began) = (times.clone(), Instant::now());
    Calls::told(move |name, edge| match edge {
        CallEdge::Begins => began = Instant::now(),
        CallEdge::Ends => {
            let took = began.elapsed();
            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
            times.entry(name).or_default().push(took);
        }
    })
}

impl Swept {
    fn read(&mut self, device: &mut dyn GpuDevice, tier: Tier, calls: &mut Calls) {
        self.failure = None;
        for group in device.groups().iter().filter(|group| group.tier() == tier) {
            let began = Instant::now();
            self.failure = device.read_group(group, &mut self.readings, calls).err();
            self.took(group, began.elapsed());
            if self.failure.is_some() {
                break;
            }
        }
        match tier {
            Tier::Fast => {
                let busy = self.readings.value(Quantity::Utilization);
                self.utilization.extend(busy);
            }
            Tier::Second => {
                let mut links = Vec::new();
                if device.links(&mut links, calls).is_ok() {
                    let up = links.iter().filter(|link| link.up == Some(true));
                    self.links = (up.count(), links.len());
                }
            }
            Tier::Slow => {
                let mut processes = Vec::new();
                if device.processes(&mut processes, calls).is_ok() {
                    self.processes = processes.len();
                }
            }
        }
    }

    fn took(&mut self, group: &ReadGroup, time: Duration) {
        match self.groups.iter_mut().find(|(known, _)| known == group) {
            Some((_, times)) => times.push(time),
            None => self.groups.push((*group, vec![time])),
        }
    }
}
