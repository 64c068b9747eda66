//! One slow call, and what the machine does around it: one thing is wrong, or none, and everything that is usual on a busy machine
//! is there, too.
//!
//! How long the call takes follows from what is wrong: at half the clock it takes twice as long, and who waits for a disk in half
//! of the time does so as well. A call without a cause takes as long for a reason that nobody reads: a longer prompt, a lock.

use crate::dice::Dice;
use crate::machine::Counter;
use obs_gpu::explain::{Cause, Phase};
use std::fmt::Write;

/// When what happens to the call, in milliseconds since the machine was switched on, and what of it is slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) start: u64,
    /// When its engine took it out of the queue, where it says so.
    pub(crate) scheduled: Option<u64>,
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) slow: Phase,
}

/// What it is about, for what is told of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) cause: Cause,
    pub(crate) how: &'static str,
}

/// Each way in which something can be wrong; the last one is that nothing is.
pub(crate) const KINDS: [Kind; 23] = [
    kind(Cause::ThermalThrottle, "software slows down for heat"),
    kind(Cause::ThermalThrottle, "hardware slows down for heat"),
    kind(Cause::PowerThrottle, "power limit"),
    kind(Cause::PowerThrottle, "power supply's brake"),
    kind(Cause::Clock, "clock held down meanwhile"),
    kind(Cause::Clock, "clock held down for long"),
    kind(Cause::Memory, "device memory fills up"),
    kind(Cause::Memory, "cache is full, requests are stopped"),
    kind(Cause::Bandwidth, "bandwidth of memory used up"),
    kind(Cause::Fabric, "NVLink down, and reported"),
    kind(Cause::Fabric, "NVLink errors"),
    kind(Cause::Fabric, "NVLink at its limit"),
    kind(Cause::Fabric, "port down"),
    kind(Cause::Fabric, "port has to wait"),
    kind(Cause::Fabric, "port sends again"),
    kind(Cause::Host, "processors"),
    kind(Cause::Host, "memory of the host"),
    kind(Cause::Host, "disks"),
    kind(Cause::Host, "control group held back"),
    kind(Cause::EngineQueue, "request says when it left the queue"),
    kind(Cause::EngineQueue, "engine says how many wait"),
    kind(Cause::Unknown, "first output late for nothing that is read"),
    kind(Cause::Unknown, "output slow for nothing that is read"),
];

const fn kind(cause: Cause, how: &'static str) -> Kind {
    Kind { cause, how }
}

pub(crate) struct Scene {
    pub(crate) call: Call,
    pub(crate) over: u64,
    /// For the library that plays the device.
    pub(crate) steps: String,
    pub(crate) dice: Dice,
    pub(crate) cpu: Counter,
    pub(crate) memory: Counter,
    pub(crate) io: Counter,
    pub(crate) held: Counter,
    pub(crate) wait: Counter,
    pub(crate) retries: Counter,
    pub(crate) finished: Counter,
    pub(crate) preemptions: Counter,
    pub(crate) waiting: Counter,
    pub(crate) cache: Counter,
    down: Option<(u64, u64)>,
}

/// What its device does in a tenth of a second.
#[derive(Clone, Copy, PartialEq)]
struct Slot {
    bits: u64,
    clock: u64,
    util: u64,
}

/// Megahertz.
const HIGHEST: f64 = 1980.0;
const MEMORY: f64 = 85_520_809_984.0;
const LINK: f64 = 26_562e6;
const TENTH: u64 = 100;

impl Scene {
    /// One that begins at `began`, after the one before.
    pub(crate) fn of(kind: Kind, seed: u64, began: u64, before: Option<&Self>) -> Self {
        let mut dice = Dice::new(seed);
        let slow = match kind.cause {
            Cause::Bandwidth => Phase::Output,
            Cause::EngineQueue => Phase::FirstOutput,
            Cause::Unknown if kind.how.starts_with("first") => Phase::FirstOutput,
            Cause::Unknown => Phase::Output,
            _ if dice.chance(0.5) => Phase::Output,
            _ => Phase::FirstOutput,
        };
        let start = began + 12_000 + dice.below(8_000);
        let factor = dice.times(1.5, 4.0);
        let (wait, write) = (dice.times(250.0, 1_500.0), dice.times(1_200.0, 6_000.0));
        let (slow_wait, slow_write) = match slow {
            Phase::FirstOutput => (factor, 1.0),
            Phase::Output => (1.0, factor),
        };
        let first = start + (wait * slow_wait) as u64;
        let end = first + (write * slow_write) as u64;
        // In an engine's queue as a rule, and in it for all that the call waits longer.
        let queued = wait * dice.between(0.0, 0.25);
        let queued = match kind.cause {
            Cause::EngineQueue => queued + wait * (factor - 1.0),
            _ => queued,
        };
        let says = kind.how.starts_with("request says")
            || kind.cause != Cause::EngineQueue && dice.chance(0.5);
        let usual = |usual| Counter {
            usual,
            ..Counter::default()
        };
        let mut scene = Self {
            call: Call {
                start,
                scheduled: says.then_some(start + queued as u64),
                first,
                end,
                slow,
            },
            over: end + 3_000,
            steps: String::new(),
            cpu: usual(1e6 * dice.between(0.0, 0.25)),
            memory: usual(1e6 * dice.between(0.0, 0.02)),
            io: usual(1e6 * dice.between(0.0, 0.12)),
            held: usual(1e6 * dice.between(0.0, 0.08)),
            wait: usual(1e6 * dice.between(0.0, 0.12)),
            // There are two ports.
            retries: usual(dice.between(0.0, 3.0) / 2.0),
            finished: usual(dice.times(1.0, 8.0)),
            preemptions: Counter::default(),
            waiting: usual(0.0),
            cache: usual(dice.between(0.3, 0.93)),
            down: None,
            dice,
        };
        scene.waiting.usual = scene.finished.usual * queued.min(wait * 0.25) / 1e3;
        if let Some(before) = before {
            scene.goes_on(before);
        }
        scene.script(kind, began, factor);
        scene
    }

    pub(crate) fn counters(&mut self) -> impl Iterator<Item = &mut Counter> {
        [
            &mut self.cpu,
            &mut self.memory,
            &mut self.io,
            &mut self.held,
            &mut self.wait,
            &mut self.retries,
            &mut self.finished,
            &mut self.preemptions,
        ]
        .into_iter()
    }

    pub(crate) fn port_is_down(&self, at: u64) -> bool {
        self.down.is_some_and(|(from, to)| (from..to).contains(&at))
    }

    fn goes_on(&mut self, before: &Self) {
        self.cpu.goes_on(&before.cpu);
        self.memory.goes_on(&before.memory);
        self.io.goes_on(&before.io);
        self.held.goes_on(&before.held);
        self.wait.goes_on(&before.wait);
        self.retries.goes_on(&before.retries);
        self.finished.goes_on(&before.finished);
        self.preemptions.goes_on(&before.preemptions);
    }

    fn script(&mut self, kind: Kind, began: u64, factor: f64) {
        let Call {
            start,
            first,
            end,
            slow,
            ..
        } = self.call;
        let (from, to) = match slow {
            Phase::FirstOutput => (start, first),
            Phase::Output => (first, end),
        };
        // From a little before the call, or a little after it began to wait.
        let from = match self.dice.chance(0.5) {
            true => from - self.dice.below(2_000),
            false => from + ((to - from) as f64 * self.dice.between(0.0, 0.15)) as u64,
        };
        let trouble = (from, to + self.dice.below(2_000));
        let slots = self.slots(kind, began, trouble, factor);
        let mut shown: Option<Slot> = None;
        for (at, slot) in slots {
            if shown == Some(slot) {
                continue;
            }
            let Slot { bits, clock, util } = slot;
            self.step(at, &format!("throttle={bits:#x}"));
            self.step(at, &format!("clock.sm={clock}"));
            if shown.is_none_or(|shown| shown.util != util) {
                self.step(at, &format!("util={util}~5/200"));
            }
            shown = Some(slot);
        }
        self.device(kind, began, trouble);
        self.surroundings(kind, trouble, factor);
    }

    fn step(&mut self, at: u64, what: &str) {
        writeln!(self.steps, "{at} 0 {what}").expect("room");
    }

    /// Its clock and what holds it down.
    fn slots(
        &mut self,
        kind: Kind,
        began: u64,
        (from, to): (u64, u64),
        factor: f64,
    ) -> Vec<(u64, Slot)> {
        let dice = &mut self.dice;
        let usual = dice.between(0.88, 1.0);
        let held = dice.between(0.0, 0.9);
        let util = dice.between(70.0, 95.0) as u64;
        let is_idle_before = dice.chance(0.2);
        // Something else was wrong before the call, and something is for a moment in it.
        let earlier = dice.chance(0.15).then(|| self.call.start - 8_000);
        let blip = dice.chance(0.15).then(|| dice.between(0.0, 1.0));
        let blip = blip
            .map(|far| self.call.start + ((self.call.end - self.call.start) as f64 * far) as u64);
        let (bits, keeps) = match kind.how {
            "software slows down for heat" => (0x20, dice.between(0.6, 1.0)),
            "hardware slows down for heat" => (0x48, dice.between(0.6, 1.0)),
            "power limit" => (0x4, dice.between(0.6, 1.0)),
            "power supply's brake" => (0x88, dice.between(0.6, 1.0)),
            "clock held down meanwhile" => (0x2, 1.0),
            "clock held down for long" => (0x2, 1.0),
            _ => (0, 0.0),
        };
        let for_long = kind.how == "clock held down for long";
        let mut slots = Vec::new();
        for at in (began..self.over).step_by(TENTH as usize) {
            let scatter = dice.between(0.985, 1.015);
            let clock = |ratio: f64| (HIGHEST * (ratio * scatter).min(1.0)) as u64;
            let mut slot = Slot {
                bits: if dice.chance(held) { 0x4 } else { 0 },
                clock: clock(usual),
                util,
            };
            let within = |from: u64, length: u64| (from..from + length).contains(&at);
            if earlier.is_some_and(|from| within(from, 5_000))
                || blip.is_some_and(|from| within(from, 150))
            {
                (slot.bits, slot.clock) = (0x20, clock(usual * 0.6));
            }
            if bits != 0 && (for_long || (from..to).contains(&at)) {
                let bits = if dice.chance(keeps) { bits } else { 0 };
                (slot.bits, slot.clock) = (bits, clock(usual / factor));
            }
            if is_idle_before && at + TENTH < self.call.start {
                slot = Slot {
                    bits: 0x1,
                    clock: 345,
                    util: 5,
                };
            }
            slots.push((at, slot));
        }
        slots
    }

    /// What else there is of the device.
    fn device(&mut self, kind: Kind, began: u64, (from, to): (u64, u64)) {
        let Call {
            start, first, end, ..
        } = self.call;
        let used = MEMORY * self.dice.between(0.5, 0.95);
        self.step(began, &format!("memory.used={used:.0}"));
        if kind.how == "device memory fills up" {
            let full = MEMORY * self.dice.between(0.975, 0.99);
            let over = self.dice.between(300.0, 2_000.0);
            self.step(from, &format!("memory.used=->{full:.0}/{over:.0}"));
        }
        // Of the device, whoever's calls there are.
        let (lead, reads, writes) = (
            self.dice.between(20.0, 80.0),
            self.dice.between(20.0, 60.0),
            self.dice.between(45.0, 80.0),
        );
        for (at, dram) in [(began, lead), (start, reads), (first, writes), (end, lead)] {
            self.step(at, &format!("gpm:10={dram:.0}~4/100"));
        }
        if kind.cause == Cause::Bandwidth {
            let dram = self.dice.between(90.0, 96.0);
            self.step(from.max(first), &format!("gpm:10={dram:.0}~2/100"));
        }
        let carried = LINK * self.dice.between(0.0, 0.5);
        let replays = self.dice.below(3);
        self.step(began, &format!("nvlink.tx.rate={carried:.0}"));
        self.step(began, &format!("nvlink.rx.rate={:.0}", carried * 0.8));
        self.step(began, &format!("nvlink.replay.rate:5={replays}"));
        self.step(began, "nvlink.state:3=1");
        match kind.how {
            "NVLink down, and reported" => {
                self.step(from, "nvlink.state:3=0");
                self.step(from, "nvlink.tx.rate:3=0");
                self.step(from, "nvlink.rx.rate:3=0");
                self.step(from, "xid=74");
                self.step(to, "nvlink.state:3=1");
            }
            "NVLink errors" => {
                let errors = self.dice.times(60.0, 5_000.0);
                self.step(from, &format!("nvlink.replay.rate:5={errors:.0}"));
            }
            "NVLink at its limit" => {
                let carried = LINK * self.dice.between(0.78, 0.93);
                self.step(from, &format!("nvlink.tx.rate={carried:.0}"));
            }
            _ => {}
        }
    }

    /// The host, its ports and the engine.
    fn surroundings(&mut self, kind: Kind, (from, to): (u64, u64), factor: f64) {
        let dice = &mut self.dice;
        // It waits for so much of its time.
        let share = 1.0 - 1.0 / factor;
        let start = self.call.start;
        if dice.chance(0.15) {
            let spike = (start - 7_000, start - 2_500, 1e6 * dice.between(0.4, 0.9));
            self.cpu.otherwise.push(spike);
        }
        // What goes on beside it, and keeps nobody waiting.
        let Call { first, end, .. } = self.call;
        let beside = |counter: &mut Counter, rate| counter.otherwise.push((start, end, rate));
        match dice.below(8) {
            0 => beside(&mut self.cpu, 1e6 * dice.between(0.2, 0.42)),
            1 => beside(&mut self.io, 1e6 * dice.between(0.1, 0.31)),
            2 => beside(&mut self.retries, dice.between(1.0, 8.0)),
            3 => beside(&mut self.wait, 1e6 * dice.between(0.1, 0.21)),
            4 if kind.cause != Cause::Bandwidth => {
                let dram = dice.between(80.0, 88.5);
                let step = format!("gpm:10={dram:.0}~2/100");
                self.step(first, &step);
            }
            5 if kind.how != "NVLink at its limit" => {
                let carried = LINK * dice.between(0.5, 0.76);
                let step = format!("nvlink.rx.rate={carried:.0}");
                self.step(start, &step);
            }
            _ => {}
        }
        let dice = &mut self.dice;
        let most = |counter: &Counter| (counter.usual / 1e6 + share).min(1.0) * 1e6;
        let during = |counter: &mut Counter, rate| counter.otherwise.push((from, to, rate));
        match kind.how {
            "port down" => self.down = Some((from, to)),
            "port has to wait" => during(&mut self.wait, 1e6 * share),
            "port sends again" => during(&mut self.retries, dice.times(40.0, 4_000.0)),
            "processors" => {
                let rate = most(&self.cpu);
                during(&mut self.cpu, rate);
            }
            "memory of the host" => during(&mut self.memory, 1e6 * share),
            "disks" => {
                let rate = most(&self.io);
                during(&mut self.io, rate);
            }
            "control group held back" => during(&mut self.held, 1e6 * share),
            "cache is full, requests are stopped" => {
                during(&mut self.cache, dice.between(0.96, 1.0));
                during(&mut self.preemptions, dice.times(0.5, 8.0));
            }
            _ if kind.cause == Cause::EngineQueue => {
                // As many as it takes to wait for so long.
                let wait = (self.call.first - start) as f64 / 1e3 * share;
                let waiting = (self.finished.usual * wait).max(1.0);
                self.waiting
                    .otherwise
                    .push((start - 1_000, self.call.first, waiting));
            }
            _ => {}
        }
    }
}

impl Counter {
    fn goes_on(&mut self, before: &Self) {
        *self = Self {
            usual: self.usual,
            otherwise: std::mem::take(&mut self.otherwise),
            ..before.clone()
        };
    }
}
