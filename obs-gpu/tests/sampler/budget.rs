//! What reading may cost, with the times of a real device: an H100 with driver 580.159.04, as `docs/gpu.md` has them. Calls move the
//! clock, so that everything is the same each time.

use crate::{Shown, builder, ms};
use obs_core::metrics::Temporality;
use obs_core::{Clock, ManualClock, Moment, Telemetry};
use obs_gpu::{
    Calls, DeviceId, DeviceInfo, Gpu, GpuDevice, GpuEvents, GpuMonitor, GpuProcess, GpuSettings,
    GpuSource, LinkReading, Pace, Quantity, ReadGroup, Reading, Readings, SourceError, Tier,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A group, microseconds in the median, of 99 in a hundred and at most, and a quantity that is read by it.
type Row = ([u64; 3], Quantity);

const GROUPS: [ReadGroup; 10] = [
    ReadGroup::new("fast", Tier::Fast, Pace::Keeps),
    ReadGroup::new("energy", Tier::Fast, Pace::Stretches),
    ReadGroup::new("second", Tier::Second, Pace::Keeps),
    ReadGroup::new("counters", Tier::Second, Pace::Stretches),
    ReadGroup::new("engine", Tier::Second, Pace::Stretches),
    ReadGroup::new("throttle", Tier::Second, Pace::Stretches),
    ReadGroup::new("margin", Tier::Second, Pace::Stretches),
    ReadGroup::new("slow", Tier::Slow, Pace::Keeps),
    ReadGroup::new("pcie_errors", Tier::Slow, Pace::Stretches),
    ReadGroup::new("limits", Tier::Slow, Pace::Constant),
];
const ROWS: [Row; GROUPS.len()] = [
    ([73, 382, 758], Quantity::Utilization),
    ([3_366, 15_500, 16_423], Quantity::Energy),
    ([33, 158, 235], Quantity::Temperature),
    ([211, 1_289, 2_514], Quantity::DramActive),
    ([1_780, 4_154, 4_250], Quantity::EngineActive),
    ([665, 1_263, 1_299], Quantity::ThrottleThermalHardware),
    ([897, 2_699, 3_114], Quantity::TemperatureMargin),
    ([141, 429, 429], Quantity::EccCorrected),
    ([1_020, 2_694, 2_694], Quantity::PcieReplays),
    ([3_529, 12_808, 12_808], Quantity::SmClockMax),
];

#[derive(Debug, Default)]
struct Log {
    /// When each group of each device was read, since the beginning, and how long it took.
    read: BTreeMap<(u32, &'static str), Vec<(Duration, Duration)>>,
    /// What is taken of each time, in percent.
    percent: u32,
    turns: u64,
    /// What does not change does not say itself.
    fails: bool,
    /// What gives an error each time that it is asked for.
    error: Option<&'static str>,
    /// Which one has fallen off the bus.
    lost: Option<u32>,
}

/// Devices whose calls take as long as those of real ones.
#[derive(Clone, Debug)]
struct Played {
    clock: ManualClock,
    telemetry: Telemetry,
    began: Moment,
    devices: u32,
    log: Arc<Mutex<Log>>,
}

impl Played {
    fn now(&self) -> Duration {
        self.telemetry.between(self.began, self.telemetry.now())
    }

    fn is_there(&self, device: u32) -> Result<(), SourceError> {
        let lost = self.log.lock().expect("no panic").lost;
        match lost == Some(device) {
            true => Err(SourceError::Lost(15)),
            false => Ok(()),
        }
    }

    /// How long it takes this time, by numbers that are the same in each test. Most of the slower half is near the median, as it is of
    /// real devices.
    fn takes(&self, [half, most, longest]: [u64; 3]) -> Duration {
        let mut log = self.log.lock().expect("no panic");
        log.turns += 1;
        // The golden ratio's multiples fill a whole evenly.
        let share = (log.turns as f64 * 0.618_033_988_749_895).fract();
        let (from, to, low, high) = match share {
            ..0.5 => (half * 9 / 10, half, 0.0, 0.5),
            ..0.99 => (half, most, 0.5, 0.99),
            _ => (most, longest, 0.99, 1.0),
        };
        let part = f64::powi((share - low) / (high - low), 5);
        let micros = from as f64 + (to - from) as f64 * part;
        Duration::from_nanos((micros * 10.0 * f64::from(log.percent)) as u64)
    }
}

impl GpuSource for Played {
    fn name(&self) -> &'static str {
        "played"
    }

    fn devices(&self, _: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
        let info = |at| DeviceInfo::new(DeviceId::new(format!("GPU-{at}")), at, "NVIDIA");
        Ok((0..self.devices).map(info).collect())
    }

    fn open(&self, device: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuDevice>, SourceError> {
        let at = device.as_str().strip_prefix("GPU-");
        let at = at.and_then(|at| at.parse().ok()).expect("one of ours");
        self.is_there(at)?;
        Ok(Box::new(One(self.clone(), at)))
    }

    fn events(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuEvents>, SourceError> {
        Err(SourceError::Unsupported)
    }
}

#[derive(Debug)]
struct One(Played, u32);

impl GpuDevice for One {
    fn read(
        &mut self,
        tier: Tier,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let mut groups = GROUPS.iter().filter(|group| group.tier() == tier);
        groups.try_for_each(|group| self.read_group(group, into, calls))
    }

    fn groups(&self) -> &'static [ReadGroup] {
        &GROUPS
    }

    fn read_group(
        &mut self,
        group: &ReadGroup,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let Self(played, device) = self;
        played.is_there(*device)?;
        let rows = GROUPS.iter().zip(ROWS);
        let mut rows = rows.filter(|(known, _)| known.name() == group.name());
        let (_, (times, quantity)) = rows.next().expect("one of ours");
        let (began, takes) = (played.now(), played.takes(times));
        calls.time(group.name(), || played.clock.advance(takes));
        let mut log = played.log.lock().expect("no panic");
        let read = log.read.entry((*device, group.name())).or_default();
        read.push((began, takes));
        let value = Reading::Value(read.len() as i64);
        if log.error == Some(group.name()) {
            return Err(SourceError::Failed(999));
        }
        let fails = log.fails && group.pace() == Pace::Constant;
        into.set(quantity, if fails { Reading::Failed(999) } else { value });
        Ok(())
    }

    fn links(&mut self, _: &mut Vec<LinkReading>, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }

    fn processes(&mut self, _: &mut Vec<GpuProcess>, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }
}

struct Rig {
    played: Played,
    telemetry: Telemetry,
    monitor: GpuMonitor,
}

impl Rig {
    fn new(devices: u32, settings: GpuSettings) -> Self {
        let clock = ManualClock::new();
        let telemetry = builder().manual().with_clock(Clock::manual(&clock)).build();
        let telemetry = telemetry.expect("usable");
        clock.advance(ms(1));
        let played = Played {
            clock,
            telemetry,
            began: telemetry.now(),
            devices,
            log: Arc::new(Mutex::new(Log {
                percent: 100,
                ..Log::default()
            })),
        };
        let monitor = GpuMonitor::new(&telemetry, played.clone(), settings).expect("no threads");
        Self {
            played,
            telemetry,
            monitor,
        }
    }

    /// Turns of the fast tier, until then.
    fn run_to(&self, seconds: u64) {
        self.run_seeing(seconds, |_| {});
    }

    fn run_seeing(&self, seconds: u64, mut see: impl FnMut(Shown)) {
        let until = Duration::from_secs(seconds);
        while self.played.now() < until {
            see(Shown(
                self.telemetry.reader(Temporality::Cumulative).collect(),
            ));
            let turn = ms(250);
            let turns = self.played.now().as_nanos() / turn.as_nanos();
            let next = turn * (turns as u32 + 1);
            self.played.clock.advance(next - self.played.now());
        }
    }

    /// When a group of a device was read, from one second to another.
    fn read(&self, device: u32, group: &'static str, from: u64, to: u64) -> Vec<Duration> {
        let log = self.played.log.lock().expect("no panic");
        let within = Duration::from_secs(from)..Duration::from_secs(to);
        let read = log.read.get(&(device, group)).into_iter().flatten();
        let moments = read.map(|(at, _)| *at);
        moments.filter(|at| within.contains(at)).collect()
    }

    /// The share of a core that all calls took, from one second to another.
    fn share(&self, from: u64, to: u64) -> f64 {
        let log = self.played.log.lock().expect("no panic");
        let within = Duration::from_secs(from)..Duration::from_secs(to);
        let all = log.read.values().flatten();
        let took = all.filter(|(at, _)| within.contains(at));
        took.map(|(_, took)| took.as_secs_f64()).sum::<f64>() / (to - from) as f64
    }

    /// The longest that a group of a device was not read, from one second to another.
    fn longest(&self, device: u32, group: &'static str, from: u64, to: u64) -> f64 {
        let read = self.read(device, group, from, to);
        let apart = read.windows(2).map(|two| (two[1] - two[0]).as_secs_f64());
        apart.fold(0.0, f64::max)
    }

    fn gpu(&self, at: usize) -> Gpu {
        self.monitor.gpus().remove(at)
    }

    fn interval(&self, at: usize, group: &str) -> f64 {
        let intervals = self.gpu(at).intervals();
        let mut found = intervals.iter().filter(|(name, _)| *name == group);
        found.next().expect("a group").1.as_secs_f64()
    }
}

#[test]
fn eight_devices_hold_half_a_percent_and_the_fast_tier_keeps_its_pace() {
    let rig = Rig::new(8, GpuSettings::new());
    rig.run_to(90);
    // Whatever was read once is shown from then on, as old as it is.
    rig.run_seeing(300, |shown| {
        for name in ["hw.gpu.utilization", "hw.energy", "hw.temperature"] {
            assert_eq!(shown.points(name).len() % 8, 0, "{name}");
        }
        assert_eq!(shown.points("hw.energy").len(), 8);
    });
    let share = rig.share(90, 300);
    assert!((0.0042..=0.0052).contains(&share), "{share}");
    for device in 0..8 {
        assert_eq!(rig.read(device, "fast", 90, 300).len(), 4 * 210);
        assert_eq!(rig.read(device, "second", 90, 300).len(), 210);
        // Dear things give way, and none of them for ever.
        for group in ["energy", "engine", "throttle", "margin"] {
            assert!(rig.interval(device as usize, group) > 10.0, "{group}");
            assert!(rig.read(device, group, 90, 300).len() > 1, "{group}");
        }
        assert!(
            rig.interval(device as usize, "counters") < rig.interval(device as usize, "engine")
        );
        // Once, and again after ten minutes.
        assert_eq!(rig.read(device, "limits", 0, 300).len(), 1);
    }
}

#[test]
fn one_device_is_read_every_few_seconds_for_as_much() {
    let rig = Rig::new(1, GpuSettings::new());
    rig.run_to(200);
    let share = rig.share(30, 200);
    assert!((0.0045..=0.0052).contains(&share), "{share}");
    for (group, most) in [
        ("fast", 0.3),
        ("energy", 3.5),
        ("second", 1.1),
        ("counters", 2.1),
        ("engine", 4.1),
        ("throttle", 3.1),
        ("margin", 4.1),
    ] {
        let longest = rig.longest(0, group, 30, 200);
        assert!(longest < most, "{group}: {longest}");
    }
    // Even at its beginning, when nothing is known, it is read no more often than its tiers are.
    assert!(rig.share(0, 10) < 0.012, "{}", rig.share(0, 10));
}

#[test]
fn without_a_budget_all_is_read_at_the_pace_of_its_tier() {
    let rig = Rig::new(2, GpuSettings::new().without_budget());
    rig.run_to(60);
    for device in 0..2 {
        for (group, many) in [("fast", 240), ("energy", 240), ("engine", 60), ("slow", 6)] {
            assert_eq!(rig.read(device, group, 0, 60).len(), many, "{group}");
        }
    }
    assert!(rig.share(0, 60) > 0.04, "{}", rig.share(0, 60));
}

#[test]
fn another_budget_is_held_as_well() {
    // Of a small one most is read so rarely that what it takes is known by few readings.
    for (budget, most) in [(0.02, 1.06), (0.001, 1.08)] {
        let rig = Rig::new(2, GpuSettings::new().with_budget(budget));
        // Long enough for the dearest, which are read some minutes apart: one that takes long is a tenth of two minutes' worth.
        rig.run_to(660);
        let share = rig.share(60, 660);
        assert!(
            share <= budget * most && share > budget * 0.7,
            "{share} of {budget}"
        );
    }
}

#[test]
fn how_often_it_is_read_is_shown_and_says_how_old_it_may_be() {
    let rig = Rig::new(8, GpuSettings::new());
    rig.run_to(90);
    let shown = Shown(rig.telemetry.reader(Temporality::Cumulative).collect());
    let interval = rig.interval(3, "energy");
    for (group, expect) in [("energy", interval), ("fast", 0.25)] {
        let labels = [("hw.id", "GPU-3"), ("obs.gpu.read.group", group)];
        assert_eq!(shown.value("obs.gpu.read.interval", &labels), Some(expect));
    }
    let gpu = rig.gpu(3);
    let is_fresh = |quantity| {
        let now = rig.telemetry.now();
        gpu.is_fresh(quantity, |at| rig.telemetry.between(at, now))
    };
    let at = gpu.read_at(Quantity::Energy).expect("read");
    let age = || rig.telemetry.between(at, rig.telemetry.now()).as_secs_f64();
    // Nobody reads any more: what was read often is too old soon, and what was read rarely is not.
    rig.played.clock.advance(Duration::from_secs(2));
    assert!(!is_fresh(Quantity::Utilization) && is_fresh(Quantity::Energy));
    let late = Duration::from_secs_f64(interval * 3.0 + 0.4 - age());
    rig.played.clock.advance(late);
    assert!(is_fresh(Quantity::Energy), "{} of {interval}", age());
    rig.played.clock.advance(ms(200));
    assert!(!is_fresh(Quantity::Energy), "{} of {interval}", age());
}

#[test]
fn a_driver_that_becomes_quicker_is_asked_more_often_again() {
    let rig = Rig::new(1, GpuSettings::new());
    rig.run_to(60);
    assert!(rig.interval(0, "energy") > 1.0);
    rig.played.log.lock().expect("no panic").percent = 2;
    rig.run_to(180);
    assert_eq!(rig.interval(0, "energy"), 0.25);
    assert_eq!(rig.read(0, "energy", 150, 180).len(), 120);
    // And less often where it is slow again.
    rig.played.log.lock().expect("no panic").percent = 100;
    rig.run_to(300);
    assert!(rig.interval(0, "energy") > 1.0);
    assert!(rig.share(240, 300) < 0.0053, "{}", rig.share(240, 300));
}

#[test]
fn what_does_not_change_is_asked_again_until_it_says_itself() {
    let rig = Rig::new(1, GpuSettings::new());
    rig.played.log.lock().expect("no panic").fails = true;
    rig.run_to(45);
    assert_eq!(rig.read(0, "limits", 0, 45).len(), 5);
    rig.played.log.lock().expect("no panic").fails = false;
    rig.run_to(200);
    assert_eq!(rig.read(0, "limits", 45, 200).len(), 1);
    let gpu = rig.gpu(0);
    let now = rig.telemetry.now();
    // And is no older than it may be.
    assert!(gpu.is_fresh(Quantity::SmClockMax, |at| rig.telemetry.between(at, now)));
}

#[test]
fn what_is_dear_is_read_twice_and_then_less_often() {
    let rig = Rig::new(8, GpuSettings::new());
    rig.run_to(10);
    for device in 0..8 {
        assert_eq!(rig.read(device, "fast", 0, 10).len(), 40);
        // Its first reading is forgotten, and the second one says what it takes.
        assert_eq!(rig.read(device, "energy", 0, 10).len(), 2, "{device}");
        assert_eq!(rig.read(device, "engine", 0, 10).len(), 2, "{device}");
    }
}

#[test]
fn what_a_lost_device_would_take_is_for_the_others_until_it_is_back() {
    let rig = Rig::new(2, GpuSettings::new());
    let lost = |device| rig.played.log.lock().expect("no panic").lost = device;
    rig.run_to(90);
    let both = rig.interval(0, "energy");
    lost(Some(1));
    rig.run_to(93);
    let alone = rig.interval(0, "energy");
    assert!(alone < 0.7 * both, "{alone} after {both}");
    // It is not read now, and nobody is told how often it is.
    assert_eq!(rig.gpu(1).intervals(), []);
    let shown = Shown(rig.telemetry.reader(Temporality::Cumulative).collect());
    let of = |shown: &Shown| {
        let labels = [("hw.id", "GPU-1"), ("obs.gpu.read.group", "energy")];
        shown.value("obs.gpu.read.interval", &labels)
    };
    assert_eq!(of(&shown), None);
    lost(None);
    rig.run_to(130);
    assert!(rig.read(1, "fast", 129, 130).len() == 4);
    let shown = Shown(rig.telemetry.reader(Temporality::Cumulative).collect());
    assert_eq!(of(&shown), Some(rig.interval(1, "energy")));
    let again = rig.interval(0, "energy");
    assert!(again > 1.3 * alone, "{again} after {alone}");
}

#[test]
fn what_is_dear_and_fails_is_asked_for_no_more_often() {
    let rig = Rig::new(8, GpuSettings::new());
    rig.run_to(90);
    rig.played.log.lock().expect("no panic").error = Some("energy");
    rig.run_to(300);
    let share = rig.share(90, 300);
    assert!(share < 0.0055, "{share}");
    // And the rest of its tier is read whenever that is not due.
    let gpu = rig.gpu(0);
    assert!(gpu.readings().value(Quantity::Utilization).is_some());
}
