//! Whether a call that is slow delays others: of the same device, and of another one. The slow one is `nvmlDeviceGetPcieThroughput`,
//! which takes 20 ms by `nvml.h`, and which what watches GPUs never makes. It waits for a device. Field values that are dear keep the
//! driver busy: whether these delay a call that asks the driver for more than it remembers is measured as well.

use crate::Result;
use crate::latency::{micros, quantile};
use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::PcieUtilCounter;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use obs_examples::gpus::Gpus;
use obs_gpu::DeviceInfo;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long each is measured: two dozen of the slow calls.
const TIME: Duration = Duration::from_millis(600);
/// Between two calls that might be delayed: those of a monitor come one by one, too.
const PAUSE: Duration = Duration::from_micros(500);
/// From which share on, in hundredths, it is no chance that calls were delayed.
const NO_CHANCE: usize = 10;
/// Field values that are asked for at once, and one by one: totals, limits and states that devices have, of `nvml.h`.
const FIELDS: [u32; 30] = [
    3, 4, 5, 6, 29, 30, 31, 74, 75, 76, 77, 78, 79, 82, 83, 91, 94, 138, 139, 140, 141, 142, 143,
    144, 145, 161, 164, 165, 185, 186,
];

/// The dearest field value of an H100: its energy.
const ENERGY: u32 = 83;

/// How long a short call took, alone and beside the slow one.
#[derive(Debug)]
pub(crate) struct Delays {
    slow: Vec<Duration>,
    alone: Vec<Duration>,
    same: Vec<Duration>,
    /// Of another device, where there is one.
    other: Option<Vec<Duration>>,
    /// Field values at once, and one by one.
    fields: [Vec<Duration>; 2],
    /// A dear field value, another call alone, and that call beside it: of the same device, and of another.
    dear: Dear,
}

/// A dear field value and another call.
#[derive(Debug)]
struct Dear {
    slow: Vec<Duration>,
    alone: Vec<Duration>,
    same: Vec<Duration>,
    other: Option<Vec<Duration>>,
}

impl Delays {
    /// By a hold of its own on the library that the devices are read by. Nothing of it is measured where the first device does not
    /// have one of both calls; the result says so.
    pub(crate) fn measure(gpus: &Gpus, devices: &[DeviceInfo]) -> Result<String> {
        let nvml = gpus.library()?;
        // Parts of a device are no other devices.
        let whole = devices.iter().filter(|info| info.mig.is_none());
        // One that is gone has nothing to delay.
        let opened = whole.filter_map(|info| nvml.device_by_uuid(info.id.as_str()).ok());
        let opened: Vec<Device<'_>> = opened.collect();
        let Some(first) = opened.first() else {
            return Ok("Not measured: there is no whole device that answers.".to_owned());
        };
        match Self::of(first, opened.get(1)) {
            Ok(delays) => Ok(delays.to_string()),
            Err(error) => Ok(format!("Not measured: {error}.")),
        }
    }

    fn of(first: &Device<'_>, other: Option<&Device<'_>>) -> std::result::Result<Self, NvmlError> {
        slow(first)?;
        short(first)?;
        let alone = sorted(repeat(TIME, || short(first)));
        let is_slow = || slow(first);
        let (mut slow, same) = beside(is_slow, || short(first));
        let dear = Dear::of(first, other);
        let other = other
            .map(|other| beside(is_slow, || short(other)))
            .map(|(more, times)| {
                slow.extend(more);
                times
            });
        let (ids, singles) = (FIELDS.map(FieldId), FIELDS.map(|id| [FieldId(id)]));
        let at_once = repeat(TIME / 2, || first.field_values_for(&ids));
        let one_by_one = repeat(TIME / 2, || {
            let mut ids = singles.iter();
            ids.try_for_each(|id| first.field_values_for(id).map(drop))
        });
        Ok(Self {
            slow: sorted(slow),
            alone,
            same,
            other,
            fields: [sorted(at_once), sorted(one_by_one)],
            dear,
        })
    }
}

impl Dear {
    fn of(first: &Device<'_>, other: Option<&Device<'_>>) -> Self {
        let dear = || first.field_values_for(&[FieldId(ENERGY)]);
        let memory = |device: &Device<'_>| device.memory_info();
        let alone = sorted(repeat(TIME, || memory(first)));
        let (mut slow, same) = beside(dear, || memory(first));
        let other = other
            .map(|other| beside(dear, || memory(other)))
            .map(|(more, times)| {
                slow.extend(more);
                times
            });
        Self {
            slow: sorted(slow),
            alone,
            same,
            other,
        }
    }
}

fn slow(device: &Device<'_>) -> std::result::Result<u32, NvmlError> {
    device.pcie_throughput(PcieUtilCounter::Send)
}

fn short(device: &Device<'_>) -> std::result::Result<u32, NvmlError> {
    device.power_usage()
}

/// The times of a slow call, made again and again, and of a short one meanwhile, in their order.
fn beside<S, T>(
    slow: impl Fn() -> S + Sync,
    short: impl Fn() -> T,
) -> (Vec<Duration>, Vec<Duration>) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let mut times = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                times.push(time(&slow));
            }
            times
        });
        let short = repeat(TIME, short);
        is_over.store(true, Ordering::Relaxed);
        (slow.join().unwrap_or_default(), sorted(short))
    })
}

fn repeat<T>(time_in_all: Duration, call: impl Fn() -> T) -> Vec<Duration> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < time_in_all {
        times.push(time(&call));
        sleep(PAUSE);
    }
    times
}

fn time<T>(call: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    // What it said was seen before.
    let _ = call();
    began.elapsed()
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

/// How many of these were delayed by a call that takes so long: those that took a quarter of it, as the shortest wait for the rest of
/// one is any, and the usual one half.
fn delayed(slow: &[Duration], times: &[Duration]) -> usize {
    let long = quantile(slow, 500).map_or(Duration::MAX, |slow| slow / 4);
    times.iter().filter(|time| **time >= long).count()
}

fn verdict(slow: &[Duration], alone: &[Duration], beside: &[Duration]) -> &'static str {
    let is_delayed = |times: &[Duration]| delayed(slow, times) * 100 > times.len() * NO_CHANCE;
    match (is_delayed(alone), is_delayed(beside)) {
        // Whatever it is, it is not that.
        (true, _) => "is not to be told: calls are as slow alone",
        (false, true) => "**delays**",
        (false, false) => "does not delay",
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("| call | calls | p50 µs | p99 µs | longest µs | that took a quarter of the slow one |\n|---|--:|--:|--:|--:|--:|\n")?;
        let mut row = |name: &str, times: &[Duration]| {
            let of = |share| quantile(times, share).map_or("-".to_owned(), micros);
            let [half, most, longest] = [500, 990, 1000].map(of);
            let late = delayed(&self.slow, times);
            writeln!(
                f,
                "| {name} | {} | {half} | {most} | {longest} | {late} |",
                times.len()
            )
        };
        row("`nvmlDeviceGetPcieThroughput`, the slow one", &self.slow)?;
        row("`nvmlDeviceGetPowerUsage` alone", &self.alone)?;
        row(
            "the same beside the slow one, of the same device",
            &self.same,
        )?;
        if let Some(other) = &self.other {
            row("the same beside the slow one, of another device", other)?;
        }
        let [at_once, one_by_one] = &self.fields;
        row("30 field values at once", at_once)?;
        row("30 field values one by one", one_by_one)?;
        let dear = &self.dear;
        row("field 83 again and again", &dear.slow)?;
        row("`nvmlDeviceGetMemoryInfo_v2` alone", &dear.alone)?;
        row("the same beside field 83, of the same device", &dear.same)?;
        if let Some(other) = &dear.other {
            row("the same beside field 83, of another device", other)?;
        }
        let same = verdict(&self.slow, &self.alone, &self.same);
        writeln!(f, "\n- A slow call {same} another one of the same device.")?;
        match &self.other {
            None => f.write_str("- Not measured of another device: there is none that answers."),
            Some(other) => {
                let other = verdict(&self.slow, &self.alone, other);
                write!(f, "- A slow call {other} one of another device.")
            }
        }?;
        let same = verdict(&dear.slow, &dear.alone, &dear.same);
        write!(
            f,
            "\n- A dear field value {same} a call that asks the driver for more, of the same device."
        )?;
        let Some(other) = &dear.other else {
            return Ok(());
        };
        let other = verdict(&dear.slow, &dear.alone, other);
        write!(
            f,
            "\n- A dear field value {other} such a call of another device."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(times: &[u64]) -> Vec<Duration> {
        times.iter().copied().map(Duration::from_micros).collect()
    }

    #[test]
    fn calls_that_wait_for_the_slow_one_are_told_from_chance() {
        let slow = micros(&[19_000, 20_000, 21_000]);
        let alone = micros(&[2; 100]);
        // What shares a lock with it waits for the rest of it: any time up to 20 ms.
        let waits: Vec<u64> = (0..100).map(|part| part * 200).collect();
        assert_eq!(verdict(&slow, &alone, &micros(&waits)), "**delays**");
        // A machine that is busy holds up one or the other.
        let chance = [vec![3; 95], vec![8_000; 5]].concat();
        assert_eq!(verdict(&slow, &alone, &micros(&chance)), "does not delay");
        assert_eq!(delayed(&slow, &micros(&chance)), 5);
        let verdict = verdict(&slow, &micros(&waits), &micros(&waits));
        assert!(verdict.starts_with("is not to be told"), "{verdict}");
    }

    #[test]
    fn of_one_device_nothing_is_said_of_another() {
        let mut delays = Delays {
            slow: micros(&[20_000]),
            alone: micros(&[2]),
            same: micros(&[9_000]),
            other: None,
            fields: [micros(&[10]), micros(&[30])],
            dear: Dear {
                slow: micros(&[4_000]),
                alone: micros(&[30]),
                same: micros(&[2_000]),
                other: None,
            },
        };
        let text = delays.to_string();
        assert!(
            text.contains("A slow call **delays** another one of the same device."),
            "{text}"
        );
        assert!(
            text.contains("Not measured of another device: there is none that answers.\n"),
            "{text}"
        );
        let dear = "A dear field value **delays** a call that asks the driver for more, of the same device.";
        assert!(text.ends_with(dear), "{text}");
        delays.other = Some(micros(&[3]));
        delays.dear.other = Some(micros(&[40]));
        let text = delays.to_string();
        assert!(
            text.contains("A slow call does not delay one of another device.\n"),
            "{text}"
        );
        let dear = "A dear field value does not delay such a call of another device.";
        assert!(text.ends_with(dear), "{text}");
    }
}
