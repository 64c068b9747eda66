//! The conditions of each cause.

use super::{Cause, Evidence, Phase, Question};
use crate::sample::{Sample, Throttle};

/// A cause whose conditions are met.
pub(super) struct Candidate {
    pub(super) cause: Cause,
    pub(super) strength: f64,
    pub(super) evidence: Vec<Evidence>,
}

const HEAT: Throttle = Throttle(Throttle::THERMAL_SOFTWARE.0 | Throttle::THERMAL_HARDWARE.0);
const POWER: Throttle =
    Throttle(Throttle::POWER.0 | Throttle::POWER_BRAKE.0 | Throttle::HARDWARE_SLOWDOWN.0);
/// From which share of time on a device is under load.
const LOADED: f64 = 0.5;

/// All that are met, the more specific ones first.
pub(super) fn met(question: &Question<'_>) -> Vec<Candidate> {
    [
        fabric_down(question),
        thermal(question),
        power(question),
        clock(question),
        memory(question),
        queue(question),
        fabric(question),
        host(question),
        bandwidth(question),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How far a reading that grows with trouble is beyond its threshold: half at the threshold, one at `worst`.
fn beyond(value: f64, threshold: f64, worst: f64) -> Option<f64> {
    let far = (value - threshold) / (worst - threshold).max(f64::EPSILON);
    (value >= threshold).then(|| 0.5 + 0.5 * far.clamp(0.0, 1.0))
}

/// The same for one that shrinks with trouble.
fn below(value: f64, threshold: f64, worst: f64) -> Option<f64> {
    beyond(-value, -threshold, -worst)
}

fn evidence(name: &'static str, value: f64, threshold: f64) -> Evidence {
    Evidence {
        name,
        value,
        threshold,
    }
}

fn thermal(question: &Question<'_>) -> Option<Candidate> {
    let limits = &question.thresholds;
    let share = share(question.during, Sample::throttle, |bits| bits.any_of(HEAT))?;
    beyond(share, limits.throttled, 1.0)?;
    let mut said = vec![evidence("thermal_share", share, limits.throttled)];
    let strength = match median(question.during, clock_at_work) {
        Some(clock) => {
            said.push(evidence("clock_ratio", clock, limits.thermal_clock));
            below(clock, limits.thermal_clock, 0.4)?
        }
        // The device says itself that heat holds it down.
        None => 0.5,
    };
    Some(Candidate {
        cause: Cause::ThermalThrottle,
        strength,
        evidence: said,
    })
}

fn power(question: &Question<'_>) -> Option<Candidate> {
    let limits = &question.thresholds;
    let held = |bits: Throttle| bits.any_of(POWER) && !bits.any_of(HEAT);
    let share_held = share(question.during, Sample::throttle, held)?;
    beyond(share_held, limits.throttled, 1.0)?;
    let clock = median(question.during, clock_at_work)?;
    // Under load it is held by its power as a rule: what counts is whether it is slower than it usually is then.
    // Of what it did before the better part, as it may have been slowed down then, too.
    let cool = |sample: &Sample| !sample.throttle().is_some_and(|bits| bits.any_of(HEAT));
    let loaded =
        |sample: &Sample| clock_ratio(sample).filter(|_| is_loaded(sample) && cool(sample));
    let usual = quantile(question.before, loaded, 0.75).unwrap_or(1.0);
    let of_usual = clock / usual.max(f64::EPSILON);
    let brake = share(question.during, Sample::throttle, |bits| {
        bits.any_of(Throttle::POWER_BRAKE)
    })?;
    // The brake is pulled from outside, whatever the clock is then.
    let by_clock = || {
        let strength = below(of_usual, limits.power_clock, 0.4)?;
        let said = evidence("clock_of_usual", of_usual, limits.power_clock);
        Some((strength, said))
    };
    let by_brake = || {
        let strength = beyond(brake, limits.throttled, 1.0)?;
        Some((strength, evidence("brake_share", brake, limits.throttled)))
    };
    let (strength, said) = by_clock().or_else(by_brake)?;
    Some(Candidate {
        cause: Cause::PowerThrottle,
        strength,
        evidence: vec![said, evidence("power_share", share_held, limits.throttled)],
    })
}

fn clock(question: &Question<'_>) -> Option<Candidate> {
    let limits = &question.thresholds;
    // Idle clocks are low, and right so.
    let loaded: Vec<Sample> = { question.during.iter() }
        .filter(|sample| is_loaded(sample))
        .copied()
        .collect();
    if loaded.len() * 2 < question.during.len() {
        return None;
    }
    let held = share(&loaded, Sample::throttle, |bits| {
        bits.any_of(HEAT) || bits.any_of(POWER)
    });
    if held.is_some_and(|held| held >= limits.throttled) {
        return None;
    }
    let clock = median(&loaded, clock_ratio)?;
    let strength = below(clock, limits.low_clock, 0.3)?;
    Some(Candidate {
        cause: Cause::Clock,
        strength,
        evidence: vec![evidence("clock_ratio", clock, limits.low_clock)],
    })
}

fn memory(question: &Question<'_>) -> Option<Candidate> {
    let limits = &question.thresholds;
    let said = |strength, said| {
        Some(Candidate {
            cause: Cause::Memory,
            strength,
            evidence: said,
        })
    };
    if let Some(engine) = question.engine {
        let cache = engine.cache.unwrap_or(0.0);
        let preempted = engine.preemptions.unwrap_or(0);
        let full = evidence("cache", cache, limits.cache);
        if preempted > 0 && cache >= limits.cache {
            return said(
                0.9,
                vec![evidence("preemptions", preempted as f64, 1.0), full],
            );
        }
    }
    let most = largest(question.during, memory_share)?;
    let strength = beyond(most, limits.memory, 1.0)?;
    // Against what was usual, or else against the least meanwhile.
    let usual = median(question.before, memory_share)
        .or_else(|| smallest(question.during, memory_share))?;
    let grown = most - usual;
    beyond(grown, limits.memory_growth, 1.0)?;
    said(
        strength,
        vec![
            evidence("memory", most, limits.memory),
            evidence("memory_growth", grown, limits.memory_growth),
        ],
    )
}

fn bandwidth(question: &Question<'_>) -> Option<Candidate> {
    let limits = &question.thresholds;
    if question.phase != Phase::Output {
        return None;
    }
    let dram = median(question.during, |sample| sample.dram_active().map(ratio))?;
    // The rest is lost to the memory's own upkeep: nobody gets all of it.
    let strength = beyond(dram, limits.bandwidth, 1.0)?;
    Some(Candidate {
        cause: Cause::Bandwidth,
        strength,
        evidence: vec![evidence("bandwidth", dram, limits.bandwidth)],
    })
}

fn fabric_down(question: &Question<'_>) -> Option<Candidate> {
    let fabric = question.fabric?;
    let down = [
        ("links_down", fabric.links_down),
        ("nvlinks_down", fabric.nvlinks_down),
        ("nvlink_faults", fabric.nvlink_faults),
    ];
    let said: Vec<Evidence> = { down.into_iter() }
        .filter(|(_, down)| *down > 0)
        .map(|(name, down)| evidence(name, f64::from(down), 1.0))
        .collect();
    (!said.is_empty()).then_some(Candidate {
        cause: Cause::Fabric,
        strength: 1.0,
        evidence: said,
    })
}

fn fabric(question: &Question<'_>) -> Option<Candidate> {
    let limits = &question.thresholds;
    let fabric = question.fabric?;
    // What is usual is not known where nobody looked before; two a second are no more than nothing.
    let errors = |name, now: Option<f64>, before: Option<f64>, times: f64| {
        let from = times * before.unwrap_or(0.0).max(2.0);
        (name, now, from, 100.0 * from)
    };
    let readings = [
        ("wait_share", fabric.wait_share, limits.fabric_wait, 0.8),
        errors(
            "retries",
            fabric.retries,
            fabric.retries_before,
            limits.fabric_retries,
        ),
        ("nvlink_share", fabric.nvlink_share, limits.nvlink, 1.0),
        errors(
            "nvlink_errors",
            fabric.nvlink_errors,
            fabric.nvlink_errors_before,
            limits.nvlink_errors,
        ),
        // A link that is brought up anew carries nothing meanwhile.
        (
            "nvlink_recoveries",
            fabric.nvlink_recoveries.map(|times| times as f64),
            1.0,
            4.0,
        ),
    ];
    strongest(Cause::Fabric, readings)
}

/// The readings that are beyond their thresholds, the farthest one first: by that one it is as strong as it is.
fn strongest<const N: usize>(
    cause: Cause,
    readings: [(&'static str, Option<f64>, f64, f64); N],
) -> Option<Candidate> {
    let mut said: Vec<(f64, Evidence)> = { readings.into_iter() }
        .filter_map(|(name, value, threshold, worst)| {
            let value = value?;
            let far = beyond(value, threshold, worst)?;
            Some((far, evidence(name, value, threshold)))
        })
        .collect();
    said.sort_by(|one, other| other.0.total_cmp(&one.0));
    let strength = said.first()?.0;
    Some(Candidate {
        cause,
        strength,
        evidence: said.into_iter().map(|(_, evidence)| evidence).collect(),
    })
}

fn host(question: &Question<'_>) -> Option<Candidate> {
    let limits = &question.thresholds;
    let host = question.host?;
    let reading =
        |name, value, threshold: f64| (name, value, threshold, (4.0 * threshold).min(1.0));
    let readings = [
        reading("cpu_throttled", host.throttled, limits.host_throttled),
        reading("cpu_pressure", host.cpu, limits.host_cpu),
        reading("memory_pressure", host.memory, limits.host_memory),
        reading("io_pressure", host.io, limits.host_io),
    ];
    strongest(Cause::Host, readings)
}

fn queue(question: &Question<'_>) -> Option<Candidate> {
    let limits = &question.thresholds;
    if question.phase != Phase::FirstOutput {
        return None;
    }
    let engine = question.engine?;
    // Where nobody says how long it stood there: how long it is to be expected, or else how many stood there.
    let reading = { engine.queue_share }
        .map(|share| ("queue_share", share, limits.queue, 1.0))
        .or_else(|| Some(("expected_share", engine.expected_share?, limits.queue, 1.0)))
        .or_else(|| {
            Some((
                "waiting",
                engine.waiting?,
                limits.waiting,
                4.0 * limits.waiting,
            ))
        });
    let (name, value, threshold, worst) = reading?;
    let strength = beyond(value, threshold, worst)?;
    Some(Candidate {
        cause: Cause::EngineQueue,
        strength,
        evidence: vec![evidence(name, value, threshold)],
    })
}

fn ratio(millionths: u64) -> f64 {
    millionths as f64 / 1e6
}

fn clock_ratio(sample: &Sample) -> Option<f64> {
    sample.sm_clock_ratio().map(ratio)
}

/// Its clock, where it is not low as nothing ran.
fn clock_at_work(sample: &Sample) -> Option<f64> {
    let idle = sample
        .throttle()
        .is_some_and(|bits| bits.any_of(Throttle::IDLE));
    clock_ratio(sample).filter(|_| !idle && sample.utilization() != Some(0))
}

fn memory_share(sample: &Sample) -> Option<f64> {
    let total = sample.memory_total().filter(|&total| total > 0)?;
    Some(sample.memory_used()? as f64 / total as f64)
}

fn is_loaded(sample: &Sample) -> bool {
    sample
        .utilization()
        .is_some_and(|share| ratio(share) >= LOADED)
}

/// Of the samples that say it at all, the share of which `holds` is true.
fn share<T>(
    samples: &[Sample],
    read: impl Fn(&Sample) -> Option<T>,
    holds: impl Fn(T) -> bool,
) -> Option<f64> {
    let (mut of, mut true_of) = (0_u32, 0_u32);
    for said in samples.iter().filter_map(read) {
        of += 1;
        true_of += u32::from(holds(said));
    }
    (of > 0).then(|| f64::from(true_of) / f64::from(of))
}

fn median(samples: &[Sample], read: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    quantile(samples, read, 0.5)
}

fn quantile(samples: &[Sample], read: impl Fn(&Sample) -> Option<f64>, share: f64) -> Option<f64> {
    let mut values: Vec<f64> = samples.iter().filter_map(read).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get((values.len() as f64 * share) as usize).copied()
}

fn largest(samples: &[Sample], read: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    samples.iter().filter_map(read).max_by(f64::total_cmp)
}

fn smallest(samples: &[Sample], read: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    samples.iter().filter_map(read).min_by(f64::total_cmp)
}
