//! A simulated device, host, fabric and engine, in which one thing is wrong, or none. Everything that is usual on a busy machine is
//! there, too: a power limit that is reached, memory that an engine took when it started, readings that scatter or are missing.

use obs_core::Moment;
use obs_gpu::explain::{Cause, EngineWindow, FabricWindow, HostWindow, Phase, Question};
use obs_gpu::{Sample, Throttle};

/// Numbers by xorshift: the same from the same seed, on any machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Seeds that are near each other are to give numbers that are not.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// About `mean`, within three of `spread`.
    fn about(&mut self, mean: f64, spread: f64) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit() - 2.0;
        mean + spread * sum * 1.5
    }
}

/// A slow call, and what was read meanwhile.
pub(crate) struct Scenario {
    /// What is wrong.
    pub(crate) cause: Cause,
    phase: Phase,
    during: Vec<Sample>,
    before: Vec<Sample>,
    fabric: Option<FabricWindow>,
    host: Option<HostWindow>,
    engine: Option<EngineWindow>,
}

impl Scenario {
    pub(crate) fn question(&self) -> Question<'_> {
        let mut question = Question::new(self.phase, &self.during).with_before(&self.before);
        question.fabric = self.fabric;
        question.host = self.host;
        question.engine = self.engine;
        question
    }

    /// One in which `cause` is what is wrong; nothing where that is unknown.
    pub(crate) fn of(cause: Cause, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let phase = match cause {
            Cause::Bandwidth => Phase::Output,
            Cause::EngineQueue => Phase::FirstOutput,
            _ if dice.chance(0.5) => Phase::Output,
            _ => Phase::FirstOutput,
        };
        let mut machine = Machine::usual(&mut dice, phase);
        let before = (0..240)
            .map(|tick| machine.sample(&mut dice, tick))
            .collect();
        machine.goes_wrong(&mut dice, cause);
        // From a third of a second to five.
        let count = 1 + (dice.unit() * 19.0) as u64;
        let during = (0..count)
            .map(|tick| machine.sample_meanwhile(&mut dice, 240 + tick, tick as f64 / count as f64))
            .collect();
        // Not every machine has links, not every group pressure, not every engine a page.
        let is_there = |dice: &mut Dice, is_it: bool| is_it || dice.chance(0.8);
        let fabric = is_there(&mut dice, cause == Cause::Fabric).then_some(machine.fabric);
        let host = is_there(&mut dice, cause == Cause::Host).then_some(machine.host);
        let engine = is_there(&mut dice, cause == Cause::EngineQueue).then_some(machine.engine);
        Self {
            cause,
            phase,
            during,
            before,
            fabric,
            host,
            engine,
        }
    }
}

struct Machine {
    load: f64,
    clock: f64,
    /// Share of samples that say that power holds it.
    held: f64,
    memory: f64,
    dram: f64,
    has_dram: bool,
    wrong: Wrong,
    fabric: FabricWindow,
    host: HostWindow,
    engine: EngineWindow,
}

#[derive(Clone, Copy)]
enum Wrong {
    Nothing,
    /// Bits, the share of samples that have them, and the clock then.
    Held(Throttle, f64, f64),
    /// Its clock.
    Clock(f64),
    /// Up to which share memory grows.
    Memory(f64),
    /// The bandwidth in use.
    Bandwidth(f64),
}

impl Machine {
    fn usual(dice: &mut Dice, phase: Phase) -> Self {
        let dram = match phase {
            Phase::FirstOutput => dice.between(0.2, 0.6),
            Phase::Output => dice.between(0.45, 0.8),
        };
        Self {
            load: dice.between(0.6, 1.0),
            clock: dice.between(0.88, 1.0),
            held: dice.between(0.0, 0.9),
            memory: dice.between(0.5, 0.95),
            dram,
            has_dram: dice.chance(0.9),
            wrong: Wrong::Nothing,
            fabric: FabricWindow {
                links_down: 0,
                wait_share: Some(dice.between(0.0, 0.12)),
                retries: Some(dice.between(0.0, 3.0)),
                retries_before: Some(dice.between(0.0, 3.0)),
                nvlink_share: Some(dice.between(0.0, 0.6)),
                nvlink_errors: Some(dice.between(0.0, 3.0)),
                nvlink_errors_before: Some(dice.between(0.0, 3.0)),
                nvlink_recoveries: Some(0),
                ..FabricWindow::default()
            },
            host: HostWindow {
                throttled: Some(dice.between(0.0, 0.1)),
                cpu: Some(dice.between(0.0, 0.3)),
                memory: Some(dice.between(0.0, 0.02)),
                io: Some(dice.between(0.0, 0.15)),
            },
            engine: EngineWindow {
                queue_share: Some(dice.between(0.0, 0.35)),
                expected_share: None,
                waiting: Some(dice.between(0.0, 4.0)),
                cache: Some(dice.between(0.3, 0.93)),
                preemptions: Some(0),
            },
        }
    }

    fn goes_wrong(&mut self, dice: &mut Dice, cause: Cause) {
        let bad = dice.unit();
        match cause {
            Cause::ThermalThrottle => {
                let bits = match dice.chance(0.5) {
                    true => Throttle::THERMAL_SOFTWARE,
                    false => Throttle(Throttle::THERMAL_HARDWARE.0 | Throttle::HARDWARE_SLOWDOWN.0),
                };
                self.wrong = Wrong::Held(bits, dice.between(0.5, 1.0), 0.87 - 0.45 * bad);
            }
            Cause::PowerThrottle => {
                let bits = match dice.chance(0.5) {
                    true => Throttle::POWER,
                    false => Throttle(Throttle::POWER_BRAKE.0 | Throttle::HARDWARE_SLOWDOWN.0),
                };
                let clock = self.clock * (0.82 - 0.4 * bad);
                self.wrong = Wrong::Held(bits, dice.between(0.5, 1.0), clock);
            }
            Cause::Clock => {
                self.held = 0.0;
                self.wrong = Wrong::Clock(0.67 - 0.35 * bad);
            }
            Cause::Memory if dice.chance(0.5) => {
                self.engine.cache = Some(dice.between(0.96, 1.0));
                self.engine.preemptions = Some(1 + (bad * 20.0) as u64);
            }
            Cause::Memory => self.wrong = Wrong::Memory(dice.between(0.975, 1.0)),
            Cause::Bandwidth => self.wrong = Wrong::Bandwidth(dice.between(0.89, 0.97)),
            Cause::Fabric => match dice.next() % 6 {
                3 => self.fabric.nvlinks_down = 1,
                4 => self.fabric.nvlink_share = Some(dice.between(0.76, 0.95)),
                5 => self.fabric.nvlink_errors = Some(60.0 + 5000.0 * bad),
                0 => self.fabric.links_down = 1,
                1 => self.fabric.wait_share = Some(0.25 + 0.7 * bad),
                _ => self.fabric.retries = Some(60.0 + 5000.0 * bad),
            },
            Cause::Host => match dice.next() % 4 {
                0 => self.host.throttled = Some(0.22 + 0.7 * bad),
                1 => self.host.cpu = Some(0.45 + 0.5 * bad),
                2 => self.host.memory = Some(0.12 + 0.5 * bad),
                _ => self.host.io = Some(0.35 + 0.6 * bad),
            },
            Cause::EngineQueue => {
                self.engine.queue_share = Some(0.55 + 0.4 * bad);
                self.engine.waiting = Some(dice.between(2.0, 40.0));
            }
            _ => {}
        }
    }

    fn sample(&self, dice: &mut Dice, tick: u64) -> Sample {
        let held = dice.chance(self.held);
        let throttle = if held {
            Throttle::POWER
        } else {
            Throttle::default()
        };
        let total = 80_u64 << 30;
        let used = (dice.about(self.memory, 0.001) * total as f64) as u64;
        let sample = Sample::new(Moment::from_bits(1 + tick).unwrap())
            .with_utilization(millionths(dice.about(self.load, 0.05)))
            .with_throttle(Some(throttle))
            .with_memory_total(Some(total))
            .with_memory_used(Some(used));
        let clock = dice.about(self.clock, 0.02);
        let dram = dice.about(self.dram, 0.02);
        // A sensor that does not answer in time now and then.
        let answers = !dice.chance(0.05);
        sample
            .with_sm_clock_ratio(millionths(clock).filter(|_| answers))
            .with_dram_active(millionths(dram).filter(|_| self.has_dram))
    }

    /// `through` is how much of the call has passed, from 0 to 1.
    fn sample_meanwhile(&self, dice: &mut Dice, tick: u64, through: f64) -> Sample {
        let usual = self.sample(dice, tick);
        let at_clock = |sample: Sample, dice: &mut Dice, clock| {
            let clock = millionths(dice.about(clock, 0.02));
            sample.with_sm_clock_ratio(clock.filter(|_| sample.sm_clock_ratio().is_some()))
        };
        match self.wrong {
            Wrong::Nothing => usual,
            Wrong::Held(bits, share, clock) => {
                let bits = dice.chance(share).then_some(bits).or(usual.throttle());
                at_clock(usual.with_throttle(bits), dice, clock)
            }
            Wrong::Clock(clock) => {
                let bits = Some(Throttle::APPLICATION_CLOCKS);
                at_clock(usual.with_throttle(bits), dice, clock)
            }
            Wrong::Memory(full) => {
                let grown = self.memory + (full - self.memory) * (0.5 + through);
                let total = usual.memory_total().unwrap_or_default();
                usual.with_memory_used(Some((grown.min(full) * total as f64) as u64))
            }
            Wrong::Bandwidth(used) => {
                let used = millionths(dice.about(used, 0.015));
                usual.with_dram_active(used.filter(|_| self.has_dram))
            }
        }
    }
}

fn millionths(share: f64) -> Option<u64> {
    Some((share.clamp(0.0, 1.0) * 1e6) as u64)
}
