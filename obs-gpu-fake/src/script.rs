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
