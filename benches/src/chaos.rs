//! Chaos: a loaded service against a receiver that fails in every way the bars name, and what became of both.
//!
//! Each case has a process of its own, in which the receiver lives; the service that it looks at has another. Unless asked
//! for the long run, the service's time passes [`FAST`] times as fast as ours: its clock, its load, its timeouts, backoffs
//! and intervals. Everything else is real: sockets, threads, processes, bytes.

use std::{
    io::{self, Read, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

mod bars;
mod cases;
pub(crate) mod receiver;
mod remote;
mod row;
pub(crate) mod service;

pub(crate) use cases::{forks, loops_of, peer};
use row::Row;

/// What to do and how to print it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only this case (`R1/refused`), those of this bar (`R1`), or those that begin like this (`R`).
    pub(crate) filter: Option<String>,
    /// One figure a line, tab-separated.
    pub(crate) tsv: bool,
    /// In real time.
    pub(crate) long: bool,
}

/// How fast a service's time passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) speed: f64,
}

const FAST: f64 = 20.0;

impl Pace {
    fn of(long: bool) -> Self {
        Self {
            speed: if long { 1.0 } else { FAST },
        }
    }

    /// No faster than that: a disk is not.
    pub(crate) fn at_most(self, speed: f64) -> Self {
        Self {
            speed: self.speed.min(speed),
        }
    }

    pub(crate) fn is_long(self) -> bool {
        self.speed == 1.0
    }

    /// What of a row is simulated.
    pub(crate) fn said(self) -> String {
        if self.is_long() {
            String::from("in real time")
        } else {
            format!("simulated: the service's time, {} times ours", self.speed)
        }
    }

    /// A wait of the service's time.
    pub(crate) fn wait(self, wait: Duration) -> Duration {
        wait.div_f64(self.speed)
    }
}

/// Rows by the name of what makes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    name: &'static str,
    run: fn(Pace) -> io::Result<Vec<Row>>,
}

impl Case {
    fn is_meant(&self, filter: &str) -> bool {
        let bar = self.name.split('/').next().unwrap_or_default();
        self.name == filter
            || bar == filter
            || !filter.ends_with(|c: char| c.is_ascii_digit()) && self.name.starts_with(filter)
    }
}

/// Runs and prints; false when a bar was missed.
pub(crate) fn run(program: &Path, options: &Options) -> io::Result<bool> {
    let filter = options.filter.as_deref().unwrap_or_default();
    let cases: Vec<_> = cases::ALL
        .iter()
        .filter(|case| case.is_meant(filter))
        .collect();
    let mut out = io::stdout().lock();
    if cases.is_empty() {
        writeln!(io::stderr(), "no case of that name; there are:")?;
        for case in cases::ALL {
            writeln!(io::stderr(), "{}", case.name)?;
        }
        return Ok(false);
    }
    if !options.tsv {
        writeln!(out, "| row | what was done | measured | bar | |")?;
        writeln!(out, "|---|---|---|---|---|")?;
    }
    let mut good = true;
    for case in cases {
        let mut rows = apart(program, case, options.long)?;
        if rows.is_empty() {
            rows.push(Row::failed(case.name, "it ended without a row"));
        }
        for row in rows {
            good &= row.holds();
            if options.tsv {
                row.tsv(&mut out)?;
            } else {
                row.markdown(&mut out)?;
            }
        }
    }
    Ok(good)
}

/// In this process.
pub(crate) fn one(name: &str, long: bool) -> io::Result<()> {
    let case = cases::ALL.iter().find(|case| case.name == name);
    let case = case.ok_or_else(|| io::Error::other("no such case"))?;
    let rows = (case.run)(Pace::of(long)).unwrap_or_else(|error| vec![Row::failed(name, error)]);
    let mut out = io::stdout().lock();
    rows.iter().try_for_each(|row| row.write(&mut out))
}

/// In a process of its own, which is ended when it takes too long: a hang is a miss, not a reason to wait.
fn apart(program: &Path, case: &Case, long: bool) -> io::Result<Vec<Row>> {
    let mut command = Command::new(program);
    command
        .args(["chaos-case", case.name])
        .stdout(Stdio::piped());
    if long {
        command.arg("--long");
    }
    let mut child = command.spawn()?;
    let stdout = child.stdout.take();
    let reading = thread::spawn(move || {
        let mut text = String::new();
        stdout.map(|mut stdout| stdout.read_to_string(&mut text));
        text
    });
    let limit = if long { LONG_LIMIT } else { LIMIT };
    let from = Instant::now();
    let late = loop {
        if child.try_wait()?.is_some() {
            break false;
        }
        if from.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break true;
        }
        thread::sleep(Duration::from_millis(10));
    };
    if late {
        return Ok(vec![Row::failed(
            case.name,
            format!("not over after {} s", limit.as_secs()),
        )]);
    }
    let text = reading
        .join()
        .map_err(|_| io::Error::other("the reader panicked"))?;
    Ok(Row::parse(&text))
}

const LIMIT: Duration = Duration::from_secs(240);
const LONG_LIMIT: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_row_a_bar_or_a_beginning() {
        let named = |name| Case {
            name,
            run: |_| Ok(Vec::new()),
        };
        assert!(named("R1/refused").is_meant("R1") && !named("R10").is_meant("R1"));
        assert!(named("R10").is_meant("R") && named("R1/refused").is_meant("R1/refused"));
        assert!(!named("outage/http-refused").is_meant("R") && named("R6").is_meant(""));
    }

    #[test]
    fn no_two_cases_have_one_name() {
        for (at, case) in cases::ALL.iter().enumerate() {
            assert!(
                cases::ALL[at + 1..]
                    .iter()
                    .all(|other| other.name != case.name)
            );
        }
    }
}
