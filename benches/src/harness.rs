//! One process per case, because tracing, OpenTelemetry and metrics keep global state: the program runs itself as
//! `case NAME MODE` and reads the figures from its output.
//!
//! Every figure is *added*: the same work with the instrument minus without, in the same process.

use std::{io, path::Path, process::Command};

pub(crate) mod alloc;
pub(crate) mod clock;
pub(crate) mod in_flight;
pub(crate) mod instructions;
pub(crate) mod latency;
pub(crate) mod lived;
pub(crate) mod pair;
pub(crate) mod report;
pub(crate) mod scaling;
pub(crate) mod service;
pub(crate) mod time;

use alloc::Counts;
use in_flight::InFlight;
use lived::Lived;
use pair::Pair;
use report::Report;
use scaling::Scaling;

/// Something to measure; building it may install globals, so it happens once, in its own process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measured {
    /// Instructions, time, allocations and bytes added.
    Added(fn() -> Pair),
    /// What is added to the latency, by pairs in turns.
    Latency(fn() -> Pair),
    /// Throughput of two threads against one.
    Scaling(fn() -> Scaling),
    /// Bytes held by each of many that wait.
    Held(fn() -> InFlight),
    /// What shows only while threads live for a while in real time.
    Lived(Lived),
}

/// What a case's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Wall time.
    Time,
    /// Allocations and bytes.
    Alloc,
    /// The runs that callgrind counts.
    Instr,
    /// A few iterations and the accounting: for the tests.
    Check,
}

impl Mode {
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("time", Self::Time),
        ("alloc", Self::Alloc),
        ("instr", Self::Instr),
        ("check", Self::Check),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, mode)| *mode)
    }

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, mode)| *mode == self)
            .map_or("", |(name, _)| name)
    }
}

/// Measures in this process.
pub(crate) fn run_here(measured: Measured, mode: Mode) -> Report {
    let mut report = Report::default();
    match measured {
        Measured::Added(build) => {
            let mut pair = build();
            report.put("per_call", pair.per_call as f64);
            report.put("burst", pair.burst as f64);
            match mode {
                Mode::Time => time::measure(&mut pair, &mut report),
                Mode::Alloc => count_allocations(&mut pair, &mut report),
                Mode::Instr => instructions::run_counted(&mut pair),
                Mode::Check => pair.try_out(pair.burst.min(20)),
            }
            report.account = Some(pair.settle_accounts());
        }
        Measured::Latency(build) => {
            let mut pair = build();
            match mode {
                Mode::Time => latency::measure(&mut pair, &mut report),
                Mode::Check => pair.try_out(pair.burst.min(20)),
                Mode::Alloc | Mode::Instr => {}
            }
            report.account = Some(pair.settle_accounts());
        }
        Measured::Scaling(build) => match mode {
            Mode::Time => build().measure(&mut report),
            Mode::Check => build().check(&mut report),
            Mode::Alloc | Mode::Instr => {}
        },
        Measured::Held(build) => match mode {
            Mode::Alloc => build().measure(&mut report, usize::MAX),
            Mode::Check => build().measure(&mut report, 100),
            Mode::Time | Mode::Instr => {}
        },
        Measured::Lived(lived) => match mode {
            Mode::Time => lived.measure(&mut report, lived::Length::Whole),
            Mode::Check => lived.measure(&mut report, lived::Length::Moment),
            Mode::Alloc | Mode::Instr => {}
        },
    }
    report
}

fn count_allocations(pair: &mut Pair, report: &mut Report) {
    pair.warm_up();
    let operations = (pair.burst * pair.per_call) as f64;
    let before = Counts::here();
    (0..pair.burst).for_each(|_| (pair.bare)());
    let bare = Counts::since(before);
    pair.settle();
    let before = Counts::here();
    pair.run_with(pair.burst, |work, calls| (0..calls).for_each(|_| work()));
    let with = Counts::since(before);
    report.put("bare_allocs", bare.allocations as f64 / operations);
    report.put("with_allocs", with.allocations as f64 / operations);
    report.put("bare_bytes", bare.bytes as f64 / operations);
    report.put("with_bytes", with.bytes as f64 / operations);
}

/// Measures in a process of its own.
pub(crate) fn run_apart(program: &Path, case: &str, mode: Mode) -> io::Result<Report> {
    if mode == Mode::Instr {
        return instructions::measure(program, case);
    }
    let output = Command::new(program)
        .args(["case", case, mode.name()])
        .output()?;
    let report = Report::parse(&String::from_utf8_lossy(&output.stdout));
    if report.account.is_none() && !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(
            said.lines()
                .last()
                .unwrap_or("the case ended without a word")
                .to_owned(),
        ));
    }
    Ok(report)
}
