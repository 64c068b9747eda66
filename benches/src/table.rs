//! The table: every case measured in its own processes, printed for people or, one figure a row, for machines.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
};

use crate::{
    bars::{Bar, Unit},
    cases::Case,
    harness::{self, Measured, Mode, instructions, report::Report, time::median},
};

/// What to measure and how to print it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only cases whose name contains this.
    pub(crate) filter: Option<String>,
    /// One figure a row, tab-separated.
    pub(crate) tsv: bool,
    /// One generation of processes for the times, instead of five.
    pub(crate) quick: bool,
}

/// A case's figures, each `None` where it could not be had.
#[derive(Clone, Debug)]
struct Row {
    case: &'static Case,
    ratio: Option<f64>,
    figures: Vec<(Unit, Option<f64>)>,
    /// What left the process, or what went wrong.
    account: Result<String, String>,
}

/// Measures and prints; false when a case failed or its accounts did not balance.
pub(crate) fn run(program: &Path, cases: &[&'static Case], options: &Options) -> io::Result<bool> {
    let callgrind = instructions::available();
    if !callgrind {
        writeln!(
            io::stderr(),
            "valgrind is not installed: instructions are not counted and printed as -"
        )?;
    }
    let rows = measure(program, cases, callgrind, if options.quick { 1 } else { 5 })?;
    let mut out = io::stdout().lock();
    if options.tsv {
        write_tsv(&mut out, &rows)?
    } else {
        write_markdown(&mut out, &rows, callgrind)?
    }
    for row in &rows {
        match &row.account {
            Err(said) => writeln!(io::stderr(), "{}: {said}", row.case.name)?,
            Ok(_) if row.figures.contains(&(Unit::X, None)) => {
                writeln!(
                    io::stderr(),
                    "{}: the machine is too busy to give two threads a core each",
                    row.case.name
                )?;
            }
            Ok(_) => {}
        }
    }
    Ok(rows.iter().all(|row| row.account.is_ok()))
}

/// All cases once per generation, so that a slow minute of the machine touches all alike; then the counts.
fn measure(
    program: &Path,
    cases: &[&'static Case],
    callgrind: bool,
    generations: usize,
) -> io::Result<Vec<Row>> {
    let mut times: Vec<Vec<Report>> = vec![Vec::new(); cases.len()];
    let mut failed: Vec<Option<String>> = vec![None; cases.len()];
    let mut note = |at: usize, outcome: io::Result<Report>| match outcome {
        Ok(report) => {
            if let Some(Err(said)) = &report.account {
                failed[at] = Some(said.clone());
            }
            report
        }
        Err(error) => {
            failed[at] = Some(error.to_string());
            Report::default()
        }
    };
    for generation in 1..=generations {
        for (at, case) in cases.iter().enumerate() {
            progress(&format!("time {generation}/{generations} {}", case.name))?;
            times[at].push(note(at, harness::run_apart(program, case.name, Mode::Time)));
        }
    }
    let mut counts = Vec::with_capacity(cases.len());
    for (at, case) in cases.iter().enumerate() {
        if matches!(case.measured, Measured::Scaling(_)) {
            counts.push((Report::default(), Report::default()));
            continue;
        }
        progress(&format!("counts {}", case.name))?;
        let alloc = note(at, harness::run_apart(program, case.name, Mode::Alloc));
        let instr = if callgrind {
            note(at, harness::run_apart(program, case.name, Mode::Instr))
        } else {
            Report::default()
        };
        counts.push((alloc, instr));
    }
    progress("")?;
    let rows = cases.iter().zip(times).zip(counts).zip(failed);
    Ok(rows
        .map(|(((case, times), (alloc, instr)), failed)| row(case, &times, &alloc, &instr, failed))
        .collect())
}

fn row(
    case: &'static Case,
    times: &[Report],
    alloc: &Report,
    instr: &Report,
    failed: Option<String>,
) -> Row {
    let time = |name: &str| {
        let mut values: Vec<f64> = times.iter().filter_map(|report| report.get(name)).collect();
        (!values.is_empty()).then(|| median(&mut values))
    };
    let added = |report: &Report, unit: &str| {
        Some(report.get(&format!("with_{unit}"))? - report.get(&format!("bare_{unit}"))?)
    };
    let account = match failed {
        Some(said) => Err(said),
        None => times
            .last()
            .and_then(|report| report.account.clone())
            .unwrap_or_else(|| Err(String::from("no accounts given"))),
    };
    if matches!(case.measured, Measured::Scaling(_)) {
        return Row {
            case,
            ratio: None,
            figures: vec![(Unit::X, time("x"))],
            account,
        };
    }
    let ns = time("added_ns");
    let over = |with: Option<f64>, bare: Option<f64>| {
        bare.filter(|&bare| bare >= 1.0)
            .and_then(|bare| Some(with? / bare))
    };
    Row {
        case,
        ratio: over(instr.get("with_instr"), instr.get("bare_instr"))
            .or_else(|| over(time("with_ns"), time("bare_ns"))),
        figures: vec![
            (Unit::Instr, added(instr, "instr")),
            (Unit::Ns, ns),
            (Unit::T, ns.zip(time("t_ns")).map(|(ns, t)| ns / t)),
            (Unit::Allocs, added(alloc, "allocs")),
            (Unit::Bytes, added(alloc, "bytes")),
        ],
        account,
    }
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

fn write_tsv(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        for &(unit, measured) in &row.figures {
            let bar = Bar::of(row.case.name, unit);
            let held = match (bar, measured) {
                (Some(bar), Some(measured)) => {
                    if row.account.is_ok() && bar.holds(measured) {
                        "yes"
                    } else {
                        "no"
                    }
                }
                _ => "-",
            };
            let measured = measured.map_or_else(
                || String::from("-"),
                |value| format!("{value:.*}", digits(unit)),
            );
            let bar = bar.map_or_else(|| String::from("-"), Bar::to_string);
            writeln!(out, "{}\t{unit}\t{measured}\t{bar}\t{held}", row.case.name)?;
        }
    }
    Ok(())
}

fn write_markdown(out: &mut impl Write, rows: &[Row], callgrind: bool) -> io::Result<()> {
    writeln!(
        out,
        "| case | what | instr added | ratio | ns added | T | allocs | bytes | bar |"
    )?;
    writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|---|")?;
    for row in rows {
        let cell = |unit: Unit| {
            let value = row
                .figures
                .iter()
                .find(|(known, _)| *known == unit)
                .and_then(|(_, value)| *value);
            value.map_or_else(
                || String::from("-"),
                |value| format!("{:.*}", digits(unit), value),
            )
        };
        let ratio = if matches!(row.case.measured, Measured::Scaling(_)) {
            cell(Unit::X)
        } else {
            row.ratio
                .map_or_else(|| String::from("-"), |ratio| format!("{ratio:.1}"))
        };
        writeln!(
            out,
            "| `{}` | {} | {} | {ratio} | {} | {} | {} | {} | {} |",
            row.case.name,
            row.case.about,
            cell(Unit::Instr),
            cell(Unit::Ns),
            cell(Unit::T),
            cell(Unit::Allocs),
            cell(Unit::Bytes),
            verdict(row),
        )?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "Added: with minus without, the same process and handler. Ratio: with / without (two threads / one for contention)."
    )?;
    if !callgrind {
        writeln!(out, "Instructions: valgrind is not installed here.")?;
    }
    Ok(())
}

/// The bars of a row and which of them it missed; what went wrong, if something did.
fn verdict(row: &Row) -> String {
    if let Err(said) = &row.account {
        return format!("**failed**: {said}");
    }
    let bars: Vec<String> = row
        .figures
        .iter()
        .filter_map(|&(unit, measured)| {
            let bar = Bar::of(row.case.name, unit)?;
            let missed = measured.is_some_and(|measured| !bar.holds(measured));
            Some(format!(
                "{bar} {unit}{}",
                if missed { " **missed**" } else { "" }
            ))
        })
        .collect();
    if bars.is_empty() {
        String::from("-")
    } else {
        bars.join(", ")
    }
}

fn digits(unit: Unit) -> usize {
    match unit {
        Unit::Instr | Unit::Bytes => 0,
        Unit::Ns | Unit::T => 1,
        Unit::Allocs | Unit::X => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    fn example() -> Row {
        Row {
            case: cases::named("peer/otel-span8").expect("listed"),
            ratio: Some(2.5),
            figures: vec![(Unit::Instr, None), (Unit::Allocs, Some(3.0))],
            account: Ok(String::new()),
        }
    }

    #[test]
    fn a_missing_figure_is_a_dash_and_a_peer_has_no_bar() {
        let mut out = Vec::new();
        write_tsv(&mut out, &[example()]).expect("a vector takes it");
        assert_eq!(
            String::from_utf8_lossy(&out),
            "peer/otel-span8\tinstr\t-\t-\t-\npeer/otel-span8\tallocs\t3.00\t-\t-\n"
        );
    }

    #[test]
    fn a_failed_account_shows_in_the_table() {
        let row = Row {
            account: Err(String::from("spans exported: 3 of 4")),
            ..example()
        };
        let mut out = Vec::new();
        write_markdown(&mut out, &[row], true).expect("a vector takes it");
        assert!(String::from_utf8_lossy(&out).contains("**failed**: spans exported: 3 of 4"));
    }
}
