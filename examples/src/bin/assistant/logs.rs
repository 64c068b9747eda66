//! Files of log lines: where they are, and reading them back.

use crate::failure::Failure;
use obs_core::logs::NonBlocking;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Room for lines that wait for the disk.
const WAITING: usize = 1 << 20;

/// A file of log lines.
#[derive(Clone, Debug)]
pub(crate) struct Log(PathBuf);

impl Log {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes it anew, on a thread of its own.
    pub(crate) fn lines(&self) -> Result<NonBlocking, Failure> {
        let file = File::create(&self.0).map_err(|error| self.failure(&error))?;
        Ok(NonBlocking::new(file, WAITING)?)
    }

    /// The lines of one trace so far, as they were written.
    pub(crate) fn of_trace(&self, trace_id: u128) -> Result<Vec<String>, Failure> {
        let text = fs::read_to_string(&self.0).map_err(|error| self.failure(&error))?;
        let id = format!("\"trace_id\":\"{trace_id:032x}\"");
        let lines = text.lines().filter(|line| line.contains(&id));
        Ok(lines.map(str::to_owned).collect())
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::new(format!("log lines in {}: {error}", self.0.display()))
    }
}

/// The folder that all services log to.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    goes_with_us: bool,
}

impl Folder {
    /// The one that was asked for, or one that is gone when the program is.
    pub(crate) fn make(asked: Option<&Path>) -> Result<Self, Failure> {
        let path = asked.map_or_else(
            || std::env::temp_dir().join(format!("assistant-{}", std::process::id())),
            Path::to_owned,
        );
        let made = fs::create_dir_all(&path);
        made.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        Ok(Self {
            path,
            goes_with_us: asked.is_none(),
        })
    }

    pub(crate) fn log(&self, service: &str) -> Log {
        Log::at(self.path.join(format!("{service}.jsonl")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.goes_with_us {
            // Left behind at worst, in the folder for what is temporary.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
