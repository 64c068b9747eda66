//! What whoever started this process tells it, line by line.

use super::{FLUSH, FLUSHED, say};
use crate::{failure::Failure, observed::LAST};
use obs_core::Telemetry;
use std::{io, thread};
use tokio::sync::oneshot;

/// The standard input, read by a thread of its own.
#[derive(Debug)]
pub(crate) struct Commands(Option<oneshot::Receiver<()>>);

impl Commands {
    /// Reads them, if somebody gives any.
    pub(crate) fn read(attached: bool, telemetry: Telemetry) -> Result<Self, Failure> {
        if !attached {
            return Ok(Self(None));
        }
        let (ended, end) = oneshot::channel();
        let read = move || {
            for line in io::stdin().lines().map_while(Result::ok) {
                if line == FLUSH {
                    match telemetry.flush(LAST) {
                        Ok(()) => say(FLUSHED),
                        Err(error) => say(&error.to_string()),
                    }
                }
            }
            // In vain if the service has ended already.
            let _ = ended.send(());
        };
        thread::Builder::new().name("commands".into()).spawn(read)?;
        Ok(Self(Some(end)))
    }

    /// When the input ends, which it does with the process at its other end; never without one.
    pub(crate) async fn end(&mut self) {
        match &mut self.0 {
            // An error is that thread's end, too.
            Some(end) => drop(end.await),
            None => std::future::pending().await,
        }
    }
}
