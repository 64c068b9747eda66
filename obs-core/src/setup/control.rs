//! Who runs the collector and who may wait for it: a thread of ours, or whoever calls in manual mode.

use super::collector::Collector;
use crate::engine::Engine;
use crate::error::Error;
use crate::sync::lock_std;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// What the threads of a telemetry and its callers share.
#[derive(Debug)]
pub(crate) struct Control {
    engine: &'static Engine,
    mode: Mode,
    requests: Mutex<Requests>,
    answered: Condvar,
}

#[derive(Debug)]
enum Mode {
    Thread,
    Manual(Mutex<Collector>),
}

#[derive(Debug, Default)]
struct Requests {
    asked: u64,
    done: u64,
    stop: bool,
    stopped: bool,
}

impl Control {
    /// No thread: the collector runs inside the calls.
    pub(crate) fn manual(collector: Collector, engine: &'static Engine) -> &'static Self {
        Self::leak(engine, Mode::Manual(Mutex::new(collector)))
    }

    /// A thread that collects every `every`, and when woken or asked.
    pub(crate) fn threaded(
        collector: Collector,
        engine: &'static Engine,
        every: Duration,
    ) -> Result<&'static Self, Error> {
        let control = Self::leak(engine, Mode::Thread);
        let thread = std::thread::Builder::new()
            .name("obs-collector".into())
            .spawn(move || control.run(collector, every))
            .map_err(|source| {
                Error::configuration("the collector's thread could not be started")
                    .with_source(source)
            })?;
        engine.set_collector(thread.thread().clone());
        Ok(control)
    }

    fn leak(engine: &'static Engine, mode: Mode) -> &'static Self {
        Box::leak(Box::new(Self {
            engine,
            mode,
            requests: Mutex::default(),
            answered: Condvar::new(),
        }))
    }

    fn run(&self, mut collector: Collector, every: Duration) {
        loop {
            std::thread::park_timeout(every);
            let (asked, stop) = {
                let requests = lock_std(&self.requests);
                (requests.asked, requests.stop)
            };
            collector.tick(asked != lock_std(&self.requests).done || stop);
            if stop {
                collector.shutdown(Duration::from_secs(1));
            }
            let mut requests = lock_std(&self.requests);
            requests.done = asked;
            requests.stopped = stop;
            self.answered.notify_all();
            if stop {
                return;
            }
        }
    }

    /// Everything that ended before this call is with the subscribers and exporters when it returns.
    pub(crate) fn collect(&self, deadline: Instant) -> Result<(), Error> {
        match &self.mode {
            Mode::Manual(collector) => {
                lock_std(collector).tick(true);
                Ok(())
            }
            Mode::Thread => {
                let mut requests = lock_std(&self.requests);
                if requests.stopped {
                    return Ok(());
                }
                requests.asked += 1;
                let mine = requests.asked;
                self.engine.wake();
                self.wait(requests, deadline, |requests| {
                    requests.done >= mine || requests.stopped
                })
            }
        }
    }

    /// Collects for the last time.
    pub(crate) fn stop(&self, deadline: Instant) -> Result<(), Error> {
        match &self.mode {
            Mode::Manual(collector) => {
                let mut collector = lock_std(collector);
                collector.tick(true);
                collector.shutdown(deadline.saturating_duration_since(crate::clock::now()));
                Ok(())
            }
            Mode::Thread => {
                let mut requests = lock_std(&self.requests);
                requests.stop = true;
                self.engine.wake();
                self.wait(requests, deadline, |requests| requests.stopped)
            }
        }
    }

    fn wait(
        &self,
        mut requests: std::sync::MutexGuard<'_, Requests>,
        deadline: Instant,
        done: impl Fn(&Requests) -> bool,
    ) -> Result<(), Error> {
        while !done(&requests) {
            let left = deadline.saturating_duration_since(crate::clock::now());
            if left.is_zero() {
                return Err(Error::undelivered(
                    0,
                    0,
                    true,
                    "the collector did not finish in time".into(),
                ));
            }
            requests = match self.answered.wait_timeout(requests, left) {
                Ok((requests, _)) => requests,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        Ok(())
    }
}
