//! The table: every case measured in its own processes, printed for people or, one figure a row, for machines.

use std::{
    io::{self, Write},
    path::Path,
};

use crate::{bars::Unit, cases::Case, harness::instructions};

mod print;
mod rows;

/// What to measure and how to print it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only cases whose name contains this.
    pub(crate) filter: Option<String>,
    /// One figure a row, tab-separated.
    pub(crate) tsv: bool,
    /// One generation of processes for the times, instead of five.
    pub(crate) quick: bool,
    /// No times at all.
    pub(crate) counts: bool,
    /// Only what a bar on instructions or allocations asks for.
    pub(crate) bars: bool,
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
    let generations = match options {
        Options { counts: true, .. } => 0,
        Options { quick: true, .. } => 1,
        _ => 5,
    };
    let rows = rows::measure(program, cases, callgrind, generations)?;
    let mut out = io::stdout().lock();
    if options.tsv {
        print::tsv(&mut out, &rows)?;
    } else {
        print::markdown(&mut out, &rows, callgrind)?;
    }
    for row in &rows {
        match &row.account {
            Err(said) => writeln!(io::stderr(), "{}: {said}", row.case.name)?,
            Ok(_) if !options.counts && row.figures.contains(&(Unit::X, None)) => {
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
