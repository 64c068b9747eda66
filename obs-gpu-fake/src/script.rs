//! The text that worlds are made of: settings, and steps with a moment each.

use crate::metric::{Level, Total};
use crate::value::{Micros, Shape};
use std::fmt;

mod parse;
pub(crate) use parse::{number, shape};

/// Where there is no scope, and what asks for all of them.
pub(crate) const ALL: u32 = u32::MAX;

/// A line that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// Which statement, from 1: a line, or what a `;` ends.
    pub statement: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {}: {}", self.statement, self.message)
    }
}

impl std::error::Error for ScriptError {}

/// How a world begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Gpus(Vec<String>),
    Driver(String),
    Nvml(String),
    Cuda(i32),
    VirtualClock(bool),
    Seed(u64),
    OnlyLastXid(bool),
    Scenario(String),
    /// Of one call: half of them take no longer than the first, 99 of 100 than the second, none than the third.
    Latency(String, [Micros; 3]),
    /// The same of what is asked for by a number, in whichever call: it comes on top of that.
    Adds(Numbered, [Micros; 3]),
    /// Those of a real device, by a name.
    Latencies(String),
}

/// What calls ask for by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Numbered {
    /// A field value, by the number that drivers before 580.82 have for it.
    Field(u32),
    /// A GPM metric.
    Gpm(u32),
}

/// Whom a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Driver,
    Gpu(usize),
    EveryGpu,
}

/// When a step happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    At(Micros),
    /// From the moment that it is pushed.
    In(Micros),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) when: When,
    pub(crate) target: Target,
    pub(crate) action: Action,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Level(Level, u32, Value),
    Total(Total, u32, Value),
    Rate(Total, u32, Value),
    /// A field value by its number and scope, whatever the rest says.
    Field(u32, u32, Value),
    /// A GPM metric by its number and GPU instance, in thousandths.
    Gpm(u32, u32, Value),
    Lost(bool),
    /// A call by its name, or `*`: 0 lets it answer although `*` does not.
    Fails(String, u32),
    Stalls(String, Stall),
    /// A fault's number, and the GPU instance that it is about.
    Xid(u64, u32),
    Event(u64, u64),
    Process(u32, ProcessStep),
    Mig(u32, MigStep),
    Remove,
    Add,
    Reset,
    DriverAbsent(bool),
    DriverVersion(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Becomes(Shape),
    /// Like a ramp, from wherever it is.
    RampFromHere(i64, Micros),
    Add(i64),
    /// Asking for it gives this code.
    Refused(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stall {
    No,
    For(Micros),
    Forever,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessStep {
    Gone,
    Kind(Kind),
    Memory(Value),
    Sm(Value),
    GpuInstance(u32),
    ComputeInstance(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Compute,
    Graphics,
    Mps,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MigStep {
    Gone,
    /// GPU instance, compute instance, slices, bytes.
    Is(u32, u32, u32, i64),
    Used(Value),
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) settings: Vec<Setting>,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    pub(crate) fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut script = Self::default();
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or(""));
        for (n, statement) in lines.flat_map(|line| line.split(';')).enumerate() {
            let statement = statement.trim();
            let parsed = match statement.chars().next() {
                None => continue,
                Some('0'..='9' | '+') => parse::step(statement).map(|step| script.steps.push(step)),
                Some(_) => parse::setting(statement).map(|one| script.settings.push(one)),
            };
            parsed.map_err(|message| ScriptError {
                statement: n + 1,
                message: format!("{message}: {statement:?}"),
            })?;
        }
        Ok(script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn step(text: &str) -> Step {
        let mut script = Script::parse(text).unwrap();
        assert_eq!(
            (script.settings.len(), script.steps.len()),
            (0, 1),
            "{text}"
        );
        script.steps.remove(0)
    }

    #[track_caller]
    fn check(what: &str, expect: Action) {
        assert_eq!(step(&format!("7 2 {what}")).action, expect, "{what}");
    }

    fn flat(value: i64) -> Value {
        Value::Becomes(Shape::Flat(value))
    }

    #[test]
    fn moments_and_targets() {
        let one = step("1_500 3 lost");
        assert_eq!(
            (one.when, one.target),
            (When::At(1_500_000), Target::Gpu(3))
        );
        let one = step("+20 * lost");
        assert_eq!((one.when, one.target), (When::In(20_000), Target::EveryGpu));
        assert_eq!(step("0 driver absent").target, Target::Driver);
        let many = Script::parse("# nothing\n\n0 0 lost; 1 0 lost=0 # back; not this\n;2 0 reset")
            .unwrap();
        assert_eq!(many.steps.len(), 3);
    }

    #[test]
    fn values() {
        let util = |value| Action::Level(Level::Util, ALL, value);
        check("util=5", util(flat(5)));
        check("util = 0x1F", util(flat(31)));
        check(
            "memory.used=2GiB",
            Action::Level(Level::MemoryUsed, ALL, flat(2 << 30)),
        );
        check("util=!3", util(Value::Refused(3)));
        let ramp = Shape::Ramp {
            from: 1_000,
            to: -5,
            over: 2_000_000,
        };
        check("util=1_000->-5/2000", util(Value::Becomes(ramp)));
        check("util=->7/10", util(Value::RampFromHere(7, 10_000)));
        let noise = Shape::Noise {
            middle: 50,
            spread: 9,
            every: 100_000,
            seed: 0,
        };
        check("util=50~9/100", util(Value::Becomes(noise)));
        check("gpm:10=33.25", Action::Gpm(10, ALL, flat(33_250)));
        check("gpm:2:5=1", Action::Gpm(2, 5, flat(1000)));
    }

    #[test]
    fn keys() {
        check(
            "nvlink.state:3=0",
            Action::Level(Level::NvlinkState, 3, flat(0)),
        );
        check(
            "ecc.corrected+=5",
            Action::Total(Total::EccCorrected, ALL, Value::Add(5)),
        );
        check(
            "ecc.corrected=5",
            Action::Total(Total::EccCorrected, ALL, flat(5)),
        );
        check(
            "nvlink.replay.rate:3=200",
            Action::Rate(Total::NvlinkReplay, 3, flat(200)),
        );
        check("fi:138:4=9", Action::Field(138, 4, flat(9)));
        check("fi:*=!3", Action::Field(ALL, ALL, Value::Refused(3)));
        check("xid=79", Action::Xid(79, ALL));
        check("xid:1=94", Action::Xid(94, 1));
        check("event:ecc.double=0", Action::Event(2, 0));
        check("event:0x200=7", Action::Event(0x200, 7));
        check("lost", Action::Lost(true));
        check("lost=0", Action::Lost(false));
        check("err:*=15", Action::Fails("*".to_owned(), 15));
        let power = || "nvmlDeviceGetPowerUsage".to_owned();
        check(
            "stall:nvmlDeviceGetPowerUsage=1500",
            Action::Stalls(power(), Stall::For(1_500_000)),
        );
        check(
            "stall:nvmlDeviceGetPowerUsage=forever",
            Action::Stalls(power(), Stall::Forever),
        );
        check(
            "stall:nvmlDeviceGetPowerUsage=0",
            Action::Stalls(power(), Stall::No),
        );
        check(
            "process:11=1KiB",
            Action::Process(11, ProcessStep::Memory(flat(1024))),
        );
        check(
            "process:11.kind=mps",
            Action::Process(11, ProcessStep::Kind(Kind::Mps)),
        );
        check(
            "mig:0=1,0,3,40GiB",
            Action::Mig(0, MigStep::Is(1, 0, 3, 40 << 30)),
        );
    }

    #[test]
    fn settings() {
        #[track_caller]
        fn check(text: &str, expect: Setting) {
            assert_eq!(Script::parse(text).unwrap().settings, [expect], "{text}");
        }
        let names = |names: &[&str]| Setting::Gpus(names.iter().map(ToString::to_string).collect());
        check("gpus = H100*2 L40S", names(&["H100", "H100", "L40S"]));
        check("gpus =", names(&[]));
        check("clock = virtual", Setting::VirtualClock(true));
        check("xids = last", Setting::OnlyLastXid(true));
        let power = "nvmlDeviceGetPowerUsage".to_owned();
        check(
            "latency nvmlDeviceGetPowerUsage 12.4 40.5 9_000",
            Setting::Latency(power, [12, 41, 9000]),
        );
        check(
            "latency * 0.3 1 1",
            Setting::Latency("*".to_owned(), [0, 1, 1]),
        );
        check(
            "latency field:83 3500 14_000 15_000",
            Setting::Adds(Numbered::Field(83), [3_500, 14_000, 15_000]),
        );
        check(
            "latency gpm:1 5 6 7",
            Setting::Adds(Numbered::Gpm(1), [5, 6, 7]),
        );
        check(
            "latencies = h100-580",
            Setting::Latencies("h100-580".to_owned()),
        );
        for wrong in [
            "latency field:x 1 2 3",
            "latency fi:83 1 2 3",
            "latency * 1 2",
            "latency * -1 2 3",
            "latency nvmlNone 1 2 3",
            "speed = 5",
            "gpus",
        ] {
            assert!(Script::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nonsense_is_no_panic() {
        // Every beginning and every end of what is right, and each with one byte changed.
        let right = "1 0 power=3->4/5; +2 * err:*=3; 3 driver stall:nvmlInit_v2=forever; clock = virtual; gpus = H100*2";
        for at in 0..=right.len() {
            let _ = Script::parse(&right[..at]);
            let _ = Script::parse(&right[at..]);
            for byte in ["\0", "=", ":", "*", "9999999999999999999999", "é"] {
                let _ = Script::parse(&format!("{}{byte}{}", &right[..at], &right[at..]));
            }
        }
    }
}
