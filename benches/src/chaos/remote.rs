//! The service's process, from outside: what it is told, and what it answers.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::service::Setup;
use crate::harness::report::Report;

/// Ended when dropped.
#[derive(Debug)]
pub(crate) struct Remote {
    child: Child,
    mouth: ChildStdin,
    ear: BufReader<ChildStdout>,
}

impl Remote {
    pub(crate) fn start(setup: &Setup) -> io::Result<Self> {
        Self::start_with(setup, |_| {})
    }

    /// The same in another environment.
    pub(crate) fn start_with(setup: &Setup, set: impl FnOnce(&mut Command)) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("chaos-service")
            .args(setup.to_string().split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        set(&mut command);
        let mut child = command.spawn()?;
        let (Some(mouth), Some(ear)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes to the service"));
        };
        Ok(Self {
            child,
            mouth,
            ear: BufReader::new(ear),
        })
    }

    /// The load of R1 for so many seconds of the service's time.
    pub(crate) fn run(&mut self, seconds: f64) -> io::Result<Report> {
        self.run_at(RATE, seconds)
    }

    /// So many requests in a second of the service's time.
    pub(crate) fn run_at(&mut self, rate: f64, seconds: f64) -> io::Result<Report> {
        self.tell(&format!("run {seconds} {rate}"))
    }

    /// The accounts, with nothing left in rings: a collection leaves the metrics of now to be delivered.
    pub(crate) fn collect_and_read(&mut self) -> io::Result<Report> {
        self.tell("collect")?;
        self.read()
    }

    /// The accounts as they are.
    pub(crate) fn read(&mut self) -> io::Result<Report> {
        self.tell("read")
    }

    pub(crate) fn flush(&mut self, millis: u64) -> io::Result<Report> {
        self.tell(&format!("flush {millis}"))
    }

    pub(crate) fn shutdown(&mut self, millis: u64) -> io::Result<Report> {
        self.tell(&format!("shutdown {millis}"))
    }

    /// The accounts once nothing moves any more.
    pub(crate) fn end(&mut self, millis: u64) -> io::Result<Report> {
        self.shutdown(millis)?;
        self.read()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it where it stands.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Begins something whose answer nobody waits for.
    pub(crate) fn begin(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.mouth, "{line}")?;
        self.mouth.flush()
    }

    /// A command and its answer.
    pub(crate) fn tell(&mut self, line: &str) -> io::Result<Report> {
        self.begin(line)?;
        let (mut text, mut answer) = (String::new(), String::new());
        loop {
            answer.clear();
            if self.ear.read_line(&mut answer)? == 0 {
                return Err(io::Error::other(format!("the service died of `{line}`")));
            }
            if answer == ".\n" {
                return Ok(Report::parse(&text));
            }
            text.push_str(&answer);
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Requests in a second of the service's time, as R1 has it.
pub(crate) const RATE: f64 = 2_000.0;

/// A figure that the service has to have told.
pub(crate) fn of(report: &Report, name: &str) -> f64 {
    report.get(name).unwrap_or(f64::NAN)
}
