//! Who runs the collector and who may wait for it: a thread of ours, or whoever calls in manual mode.

use super::collector::Collector;
use super::resource::Resource;
use crate::courier::Courier;
use crate::engine::Engine;
use crate::error::Error;
use crate::sync::lock_std;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What the threads of a telemetry and its callers share.
#[derive(Debug)]
pub(crate) struct Control {
    engine: &'static Engine,
    pub(crate) about: About,
    /// Delivers what the collector encodes; has a thread of its own, or none in manual mode.
    pub(crate) courier: Option<Arc<Courier>>,
    mode: Mode,
    requests: Mutex<Requests>,
    answered: Condvar,
}

/// What is told about a telemetry.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) resource: Resource,
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug)]
enum Mode {
    Thread,
    Manual(Box<Mutex<Collector>>),
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
    pub(crate) fn manual(
        collector: Collector,
        engine: &'static Engine,
        about: About,
    ) -> &'static Self {
        let courier = collector.courier();
        Self::leak(
            engine,
            about,
            courier,
            Mode::Manual(Box::new(Mutex::new(collector))),
        )
    }

    /// A thread that collects every `every`, and when woken or asked; another that delivers.
    pub(crate) fn threaded(
        collector: Collector,
        engine: &'static Engine,
        about: About,
        every: Duration,
    ) -> Result<&'static Self, Error> {
        let courier = collector.courier();
        if let Some(courier) = &courier {
            courier.start()?;
        }
        let control = Self::leak(engine, about, courier, Mode::Thread);
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

    fn leak(
        engine: &'static Engine,
        about: About,
        courier: Option<Arc<Courier>>,
        mode: Mode,
    ) -> &'static Self {
        Box::leak(Box::new(Self {
            engine,
            about,
            courier,
            mode,
            requests: Mutex::default(),
            answered: Condvar::new(),
        }))
    }

    /// Collects, and waits until all of it is delivered.
    pub(crate) fn flush(&self, deadline: Instant) -> Result<(), Error> {
        self.collect(deadline)?;
        self.courier
            .as_ref()
            .map_or(Ok(()), |courier| courier.flush(deadline))
    }

    fn run(&self, mut collector: Collector, every: Duration) {
        loop {
            std::thread::park_timeout(every);
            let (asked, stop) = {
                let requests = lock_std(&self.requests);
                (requests.asked, requests.stop)
            };
            if stop {
                self.engine.close();
            }
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

    /// Collects for the last time, delivers what there is, and stops.
    pub(crate) fn stop(&self, deadline: Instant) -> Result<(), Error> {
        // Both, whatever became of the first: a late collector must not keep the courier running.
        let collected = self.stop_collecting(deadline);
        let delivered = self
            .courier
            .as_ref()
            .map_or(Ok(()), |courier| courier.shutdown(deadline));
        delivered.and(collected)
    }

    fn stop_collecting(&self, deadline: Instant) -> Result<(), Error> {
        match &self.mode {
            Mode::Manual(collector) => {
                let mut collector = lock_std(collector);
                self.engine.close();
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
