//! Where lines go.

use super::core::Guard;
use crate::contain::contain;
use crate::error::Error;
use crate::sync::{lock_std, try_lock_std};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Takes lines: whole ones, each with its line feed, from any thread.
///
/// Implemented for functions that give a writer, such as `std::io::stdout`, and for [`NonBlocking`]. What it logs while it
/// writes is not handled, and counted; a panic in it is contained, and counted.
///
/// Where a writer failed, or anything here panicked, half a line may be there: the next line begins with a line feed.
pub trait Lines: Send + Sync + 'static {
    /// Writes one line.
    ///
    /// # Errors
    /// When it was not taken. It is then counted as lost, and the next lines that pass say how many were.
    fn write_line(&self, line: &[u8]) -> io::Result<()>;

    /// Waits until what was taken is written, for so long at most.
    fn flush(&self, most: Duration) {
        let _ = most;
    }

    /// Lines that were taken so far and could not be written after all.
    fn lost(&self) -> u64 {
        0
    }
}

impl<F, W> Lines for F
where
    F: Fn() -> W + Send + Sync + 'static,
    W: Write,
{
    fn write_line(&self, line: &[u8]) -> io::Result<()> {
        self().write_all(line).map_err(torn)
    }

    fn flush(&self, _: Duration) {
        // Nobody is left to tell.
        let _ = self().flush();
    }
}

/// A writer's error: of the line that it did not take, a part may be there.
#[derive(Debug)]
struct Torn(io::Error);

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Torn {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

#[cold]
fn torn(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Torn(error))
}

pub(super) fn is_torn(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Torn>())
}

/// Lines for a writer that may be slow, written by a thread of their own: whoever logs copies the line and goes on.
///
/// That thread, `obs-log-writer`, is started by [`new`](Self::new), whatever the telemetry's setup says about threads (manual
/// mode included), and ends after the last clone is gone and everything is written.
///
/// Bounded in bytes: while the writer is so far behind that a line has no room, lines are lost, and counted in
/// [`EngineCounts::log_lines_lost`](crate::EngineCounts::log_lines_lost). Clones share it.
///
/// A process may end before its thread has written everything: [`flush`](Self::flush) is for the end of `main`.
/// [`Telemetry::shutdown`](crate::Telemetry::shutdown) waits for it too, 100 ms at most.
#[derive(Clone, Debug)]
pub struct NonBlocking(Arc<End>);

impl NonBlocking {
    /// With room for `bytes` of lines that wait; as many again may be on their way.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(writer: impl Write + Send + 'static, bytes: usize) -> Result<Self, Error> {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            moved: Condvar::new(),
            most: bytes,
            born: crate::fork::notice(),
        });
        let theirs = queue.clone();
        std::thread::Builder::new()
            .name("obs-log-writer".into())
            .spawn(move || theirs.run(writer))
            .map_err(|source| {
                Error::configuration("the thread for log lines could not be started")
                    .with_source(source)
            })?;
        Ok(Self(Arc::new(End(queue))))
    }

    /// Waits until everything taken so far is written, for so long at most. Says whether it is.
    pub fn flush(&self, most: Duration) -> bool {
        let queue = &self.0.0;
        let deadline = crate::courier::time::within(most);
        let Some(mut state) = queue.lock_here() else {
            return false;
        };
        let taken = state.taken;
        while state.done < taken {
            let left = deadline.saturating_duration_since(crate::clock::now());
            if left.is_zero() {
                return false;
            }
            state = match queue.moved.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }
}

impl Lines for NonBlocking {
    fn write_line(&self, line: &[u8]) -> io::Result<()> {
        let queue = &self.0.0;
        let Some(mut state) = queue.lock_here() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        if state.waiting.len() + line.len() > queue.most {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // With lines before this one the thread is awake, or called already.
        let call = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        state.taken += 1;
        drop(state);
        if call {
            queue.moved.notify_all();
        }
        Ok(())
    }

    fn flush(&self, most: Duration) {
        Self::flush(self, most);
    }

    fn lost(&self) -> u64 {
        self.0.0.lock_here().map_or(0, |state| state.lost)
    }
}

/// The last of the clones: the thread ends when it has written what there is.
#[derive(Debug)]
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some(mut state) = self.0.lock_here() {
            state.ended = true;
        }
        self.0.moved.notify_all();
    }
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    moved: Condvar,
    most: usize,
    /// The process that its thread is in: in a forked child nobody writes what is put here, nor perhaps unlocks it.
    born: u32,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines taken, and lines that are written or lost.
    taken: u64,
    done: u64,
    lost: u64,
    ended: bool,
}

impl Queue {
    fn lock_here(&self) -> Option<MutexGuard<'_, State>> {
        let here = crate::fork::generation() == self.born;
        here.then(|| try_lock_std(&self.state))
            .flatten()
            .or_else(|| {
                let here = crate::fork::notice() == self.born;
                here.then(|| self.lock())
            })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock_std(&self.state)
    }

    fn run(&self, mut writer: impl Write) {
        // What the writer logs would come back to it, for ever.
        let _guard = Guard::enter();
        let mut lines = Vec::new();
        let mut torn = false;
        loop {
            let taken = {
                let mut state = self.lock();
                while state.waiting.is_empty() && !state.ended {
                    state = self
                        .moved
                        .wait(state)
                        .unwrap_or_else(|poisoned| poisoned.into_inner());
                }
                if state.waiting.is_empty() {
                    return;
                }
                std::mem::swap(&mut state.waiting, &mut lines);
                state.taken
            };
            if torn {
                // Half a line may be there.
                lines.insert(0, b'\n');
            }
            // With the error's destructor, which is theirs as well.
            let mut write = || writer.write_all(&lines).and_then(|()| writer.flush());
            let written = contain(|| write().is_ok()).unwrap_or(false);
            torn = !written;
            lines.clear();
            let mut state = self.lock();
            if !written {
                state.lost += taken - state.done;
            }
            state.done = taken;
            drop(state);
            self.moved.notify_all();
        }
    }
}
