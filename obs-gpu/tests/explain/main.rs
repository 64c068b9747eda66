//! Whether the cause that is told is the one that there is, on simulated machines: thresholds were set with the seeds of
//! [`TUNING`], and are judged by those of [`JUDGING`], which nobody looked at for that.

mod simulated;

use obs_gpu::explain::{Cause, Phase, Question, Thresholds, explain};
use obs_gpu::{Sample, Throttle};
use simulated::Scenario;
use std::collections::BTreeMap;
use std::ops::Range;

const TUNING: Range<u64> = 0..400;
const JUDGING: Range<u64> = 1_000_000..1_000_400;

const CAUSES: [Cause; 8] = [
    Cause::ThermalThrottle,
    Cause::PowerThrottle,
    Cause::Clock,
    Cause::Memory,
    Cause::Bandwidth,
    Cause::Fabric,
    Cause::Host,
    Cause::EngineQueue,
];

/// How often each cause was told, by the one that there was.
fn judged(seeds: Range<u64>) -> BTreeMap<(Cause, Cause), u32> {
    let mut told = BTreeMap::new();
    for cause in CAUSES.into_iter().chain([Cause::Unknown]) {
        for seed in seeds.clone() {
            let scenario = Scenario::of(cause, seed);
            let verdict = explain(&scenario.question());
            assert_eq!(verdict.cause == Cause::Unknown, verdict.evidence.is_empty());
            assert!(verdict.evidence.iter().all(|one| !one.name.is_empty()));
            *told.entry((scenario.cause, verdict.cause)).or_default() += 1;
        }
    }
    told
}

#[track_caller]
fn check(seeds: Range<u64>) {
    let runs = f64::from((seeds.end - seeds.start) as u32);
    let told = judged(seeds);
    let count = |is, said| f64::from(told.get(&(is, said)).copied().unwrap_or(0));
    let (mut lines, mut bad) = (Vec::new(), false);
    for cause in CAUSES {
        let said: f64 = { CAUSES.into_iter() }
            .chain([Cause::Unknown])
            .map(|is| count(is, cause))
            .sum();
        let (precision, recall) = (count(cause, cause) / said, count(cause, cause) / runs);
        let line = format!("{cause} precision {precision:.3} recall {recall:.3}");
        bad |= precision < 0.9 || recall < 0.8;
        lines.push(line);
    }
    let quiet = count(Cause::Unknown, Cause::Unknown) / runs;
    lines.push(format!("without a cause unknown {quiet:.3}"));
    assert!(!bad && quiet >= 0.95, "{lines:#?}: {told:#?}");
}

#[test]
fn causes_are_told_on_the_seeds_that_thresholds_were_set_with() {
    check(TUNING);
}

#[test]
fn causes_are_told_on_seeds_that_nobody_looked_at() {
    check(JUDGING);
}

/// A test that any thresholds pass would judge nothing.
#[test]
fn other_thresholds_would_not_do() {
    let mut loose = Thresholds::DEFAULT;
    loose.fabric_wait = 0.01;
    let quiet = { JUDGING }
        .filter(|&seed| {
            let scenario = Scenario::of(Cause::Unknown, seed);
            explain(&scenario.question().with_thresholds(loose)).cause == Cause::Unknown
        })
        .count();
    assert!(quiet < JUDGING.count() / 2, "{quiet}");
}

fn sample() -> Sample {
    Sample::new(obs_core::Moment::from_bits(1).unwrap())
}

#[track_caller]
fn tells(phase: Phase, sample: Sample, expect: Cause) {
    assert_eq!(explain(&Question::new(phase, &[sample])).cause, expect);
}

#[test]
fn what_is_always_so_explains_nothing() {
    // Held by its power at the clock that it always has.
    let held = sample()
        .with_throttle(Some(Throttle::POWER))
        .with_sm_clock_ratio(Some(700_000))
        .with_utilization(Some(1_000_000));
    let before = [held; 8];
    let question = Question::new(Phase::Output, &before[..1]).with_before(&before);
    assert_eq!(explain(&question).cause, Cause::Unknown);
    // Full of what an engine took when it started.
    let full = sample()
        .with_memory_used(Some(79))
        .with_memory_total(Some(80));
    tells(Phase::Output, full, Cause::Unknown);
    // Idle clocks.
    let idle = sample()
        .with_utilization(Some(0))
        .with_sm_clock_ratio(Some(170_000))
        .with_throttle(Some(Throttle::IDLE));
    tells(Phase::FirstOutput, idle, Cause::Unknown);
    // Bandwidth before there is anything to decode.
    let read = sample().with_dram_active(Some(950_000));
    tells(Phase::FirstOutput, read, Cause::Unknown);
    tells(Phase::Output, read, Cause::Bandwidth);
}

#[test]
fn what_was_not_read_is_no_cause() {
    tells(Phase::Output, sample(), Cause::Unknown);
    // The device's own word is enough where its clock is not known.
    let hot = sample().with_throttle(Some(Throttle::THERMAL_HARDWARE));
    tells(Phase::Output, hot, Cause::ThermalThrottle);
}

#[test]
fn a_device_that_waits_for_most_of_the_time_has_an_idle_clock() {
    let idle = sample()
        .with_utilization(Some(0))
        .with_sm_clock_ratio(Some(170_000))
        .with_throttle(Some(Throttle::IDLE));
    let held = |reason| {
        sample()
            .with_utilization(Some(1_000_000))
            .with_sm_clock_ratio(Some(960_000))
            .with_throttle(Some(reason))
    };
    for reason in [Throttle::POWER, Throttle::THERMAL_SOFTWARE] {
        let usual = [held(reason); 8];
        let during = [&[held(reason); 3][..], &[idle; 7]].concat();
        let question = Question::new(Phase::FirstOutput, &during).with_before(&usual);
        assert_eq!(explain(&question).cause, Cause::Unknown, "{reason:?}");
    }
}

#[test]
fn the_evidence_is_what_speaks_for_the_cause() {
    let braked = sample()
        .with_utilization(Some(1_000_000))
        .with_sm_clock_ratio(Some(1_000_000))
        .with_throttle(Some(Throttle::POWER_BRAKE));
    let verdict = explain(&Question::new(Phase::Output, &[braked]));
    assert_eq!(verdict.cause, Cause::PowerThrottle);
    for said in &verdict.evidence {
        let is_beyond = match said.name {
            "clock_of_usual" => said.value <= said.threshold,
            _ => said.value >= said.threshold,
        };
        assert!(is_beyond, "{said:?}");
    }
}
