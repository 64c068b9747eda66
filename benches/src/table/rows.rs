//! From processes to rows.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
};

use crate::{
    bars::Unit,
    cases::Case,
    harness::{self, Measured, Mode, report::Report, time::median},
};

/// A case's figures, each `None` where it could not be had.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) case: &'static Case,
    /// What the work costs without the instrument, in instructions.
    pub(crate) bare: Option<f64>,
    /// With over without.
    pub(crate) ratio: Option<f64>,
    pub(crate) figures: Vec<(Unit, Option<f64>)>,
    /// What left the process, or what went wrong.
    pub(crate) account: Result<String, String>,
}

/// What the processes of one case said.
#[derive(Clone, Debug, Default)]
struct Said {
    times: Vec<Report>,
    alloc: Report,
    instr: Report,
    account: Option<Result<String, String>>,
}

impl Row {
    pub(crate) fn figure(&self, unit: Unit) -> Option<f64> {
        let found = self.figures.iter().find(|(known, _)| *known == unit)?;
        found.1
    }
}

/// All cases once per generation, so that a slow minute of the machine touches all alike; then the counts.
pub(crate) fn measure(
    program: &Path,
    cases: &[&'static Case],
    callgrind: bool,
    generations: usize,
) -> io::Result<Vec<Row>> {
    let mut said = vec![Said::default(); cases.len()];
    for generation in 1..=generations {
        for (case, said) in cases
            .iter()
            .zip(&mut said)
            .filter(|(case, _)| measures(case, Mode::Time))
        {
            progress(&format!("time {generation}/{generations} {}", case.name))?;
            let report = said.ask(program, case, Mode::Time);
            said.times.push(report);
        }
    }
    for (case, said) in cases.iter().zip(&mut said) {
        progress(&format!("counts {}", case.name))?;
        if measures(case, Mode::Alloc) {
            said.alloc = said.ask(program, case, Mode::Alloc);
        }
        if measures(case, Mode::Instr) && callgrind {
            said.instr = said.ask(program, case, Mode::Instr);
        }
    }
    progress("")?;
    Ok(cases
        .iter()
        .zip(said)
        .map(|(case, said)| said.row(case))
        .collect())
}

fn measures(case: &Case, mode: Mode) -> bool {
    match case.measured {
        Measured::Added(_) => true,
        Measured::Scaling(_) | Measured::Latency(_) | Measured::Lived(_) => mode == Mode::Time,
        Measured::Held(_) => mode == Mode::Alloc,
    }
}

impl Said {
    /// One process; the first failure of a case stays its account.
    fn ask(&mut self, program: &Path, case: &Case, mode: Mode) -> Report {
        let (report, account) = match harness::run_apart(program, case.name, mode) {
            Ok(mut report) => {
                let account = report.account.take();
                (
                    report,
                    account.unwrap_or_else(|| Err(String::from("no accounts given"))),
                )
            }
            Err(error) => (Report::default(), Err(error.to_string())),
        };
        if !matches!(self.account, Some(Err(_))) {
            self.account = Some(account);
        }
        report
    }

    fn row(self, case: &'static Case) -> Row {
        let figures = match case.measured {
            Measured::Added(_) => vec![
                (Unit::Instr, added(&self.instr, "instr")),
                (Unit::Ns, self.time("added_ns")),
                (
                    Unit::T,
                    self.time("added_ns")
                        .zip(self.time("t_ns"))
                        .map(|(ns, t)| ns / t),
                ),
                (Unit::Allocs, added(&self.alloc, "allocs")),
                (Unit::Bytes, added(&self.alloc, "bytes")),
            ],
            Measured::Latency(_) => vec![
                (Unit::Ns, self.time("added_ns")),
                (Unit::Share, self.time("share")),
            ],
            Measured::Scaling(_) => vec![(Unit::X, self.time("x"))],
            Measured::Held(_) => vec![(Unit::Bytes, self.alloc.get("held"))],
            Measured::Lived(lived) => {
                let units = lived.figures.iter();
                units.map(|&unit| (unit, self.lived(unit))).collect()
            }
        };
        Row {
            case,
            bare: self.instr.get("bare_instr"),
            ratio: ratio(self.instr.get("with_instr"), self.instr.get("bare_instr"))
                .or_else(|| ratio(self.time("with_ns"), self.time("bare_ns"))),
            figures,
            account: self
                .account
                .unwrap_or_else(|| Err(String::from("it never ran"))),
        }
    }

    /// The median over the generations, and of what is the worst of each the worst of all.
    fn lived(&self, unit: Unit) -> Option<f64> {
        if unit != Unit::WorstMs {
            return self.time(unit.word());
        }
        let worst = self
            .times
            .iter()
            .filter_map(|report| report.get(unit.word()));
        worst.reduce(f64::max)
    }

    /// The median over the generations.
    fn time(&self, name: &str) -> Option<f64> {
        let mut values: Vec<f64> = self
            .times
            .iter()
            .filter_map(|report| report.get(name))
            .collect();
        (!values.is_empty()).then(|| median(&mut values))
    }
}

fn added(report: &Report, unit: &str) -> Option<f64> {
    Some(report.get(&format!("with_{unit}"))? - report.get(&format!("bare_{unit}"))?)
}

/// None where there is next to nothing to compare with.
fn ratio(with: Option<f64>, bare: Option<f64>) -> Option<f64> {
    let bare = bare.filter(|&bare| bare >= 50.0)?;
    Some(with? / bare)
}

/// One line that replaces itself, for whoever waits.
fn progress(what: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    if !err.is_terminal() {
        return Ok(());
    }
    write!(err, "\r\x1b[K{what}")?;
    err.flush()
}
