//! Who runs the collector and who may wait for it: a thread of ours, or whoever calls in manual mode.

use super::books::{Books, Ledgers};
use super::collector::Collector;
use super::exporter::Exporter;
use super::resource::Resource;
use super::turn::{Once, Turns};
use crate::courier::{Couriers, DropReason, Losses, Signal};
use crate::engine::Engine;
use crate::error::Error;
use crate::fork::PerProcess;
use crate::sync::lock_std;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What the threads of a telemetry and its callers share.
#[derive(Debug)]
pub(crate) struct Control {
    engine: &'static Engine,
    /// They deliver what the collector encodes; each has a thread of its own, or none in manual mode.
    pub(crate) couriers: Couriers,
    mode: Mode,
    requests: Mutex<Requests>,
    answered: Condvar,
    /// The result of the shutdown.
    ended: PerProcess<Once>,
    /// The process this was made in.
    owner: u32,
}

#[derive(Debug)]
enum Mode {
    Thread,
    Manual {
        turns: PerProcess<Turns<Collector>>,
        /// What a forked child makes its exporter of; that of the collector may be away when the process forks.
        pattern: Option<Box<Exporter>>,
        resource: &'static PerProcess<Resource>,
    },
}

#[derive(Debug, Default)]
struct Requests {
    asked: u64,
    done: u64,
    /// Until when the most patient of those who wait for the next round waits.
    until: Option<Instant>,
    /// The last round that failed, and how.
    failed: Option<(u64, Error)>,
    stop: bool,
    stopped: bool,
}

impl Control {
    /// No thread: the collector runs inside the calls.
    pub(crate) fn manual(
        collector: Collector,
        engine: &'static Engine,
        resource: &'static PerProcess<Resource>,
    ) -> &'static Self {
        let couriers = collector.couriers();
        let pattern =
            { collector.exporter() }.map(|exporter| Box::new(exporter.for_child(resource)));
        let mode = Mode::Manual {
            turns: PerProcess::new(Turns::new(collector)),
            pattern,
            resource,
        };
        Self::leak(engine, couriers, mode)
    }

    /// The turns at the collector, if there is no thread for it.
    fn turns(&self) -> Option<&Turns<Collector>> {
        self.engine.settle();
        let Mode::Manual {
            turns,
            pattern,
            resource,
        } = &self.mode
        else {
            return None;
        };
        Some(turns.get(|parents| {
            let exporter = { pattern.as_ref() }.map(|exporter| exporter.for_child(resource));
            Turns::new(Collector::for_child(
                self.engine,
                parents.take_for_child(),
                exporter,
                resource,
            ))
        }))
    }

    /// In a forked child of a process where there are threads.
    fn not_inert(&self) -> Result<(), Error> {
        if !self.engine.is_inert() {
            return Ok(());
        }
        let lost = self.books().lost();
        Err(Error::undelivered(
            0,
            lost,
            false,
            "this process is a forked child, where the threads of this telemetry are not: nothing is recorded or delivered; \
             set one up after the fork, or use manual mode",
        ))
    }

    /// A thread that collects every `every`, and when woken or asked; another that delivers.
    pub(crate) fn threaded(
        collector: Collector,
        engine: &'static Engine,
        every: Duration,
    ) -> Result<&'static Self, Error> {
        let couriers = collector.couriers();
        couriers.start()?;
        let control = Self::leak(engine, couriers, Mode::Thread);
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

    fn leak(engine: &'static Engine, couriers: Couriers, mode: Mode) -> &'static Self {
        Box::leak(Box::new(Self {
            engine,
            couriers,
            mode,
            requests: Mutex::default(),
            answered: Condvar::new(),
            ended: PerProcess::default(),
            owner: std::process::id(),
        }))
    }

    /// Those of all destinations.
    pub(crate) fn books(&self) -> Books {
        self.ledgers().all(&self.couriers)
    }

    fn ledgers(&self) -> Ledgers {
        Ledgers::read(self.engine, &self.couriers)
    }

    fn is_forked_child(&self) -> bool {
        std::process::id() != self.owner
    }

    /// Those of each destination.
    pub(crate) fn books_of_each(&'static self) -> Vec<(&'static str, Books)> {
        let ledgers = self.ledgers();
        let outlets = self.couriers.iter().enumerate();
        outlets
            .map(|(index, outlet)| (outlet.name.as_str(), ledgers.of(index, outlet.takes)))
            .collect()
    }

    /// Collects, and waits until all of it is delivered.
    pub(crate) fn flush(&self, deadline: Instant) -> Result<(), Error> {
        self.not_within()?;
        // From before the collection: what it encodes may be refused before it is over.
        let (before, lost_before) = (self.books().lost(), self.couriers.lost());
        // Both: what one subscriber could not do is no reason to leave the rest where it is.
        let collected = self.collect(deadline);
        let delivered = self.couriers.flush(None, deadline, &lost_before);
        if let Mode::Manual { .. } = self.mode {
            self.tell();
        }
        let books = self.books();
        let pending = match (&collected, &delivered) {
            (Err(late), _) if late.is_timeout() => books.total().pending - books.total().waiting,
            (_, Err(held)) => held.pending(),
            _ => 0,
        };
        let lost = books.lost().since(&before);
        self.told("flush", [delivered, collected], pending, lost)
    }

    fn run(&self, mut collector: Collector, every: Duration) {
        loop {
            std::thread::park_timeout(every);
            let (asked, until, stop) = {
                let mut requests = lock_std(&self.requests);
                (requests.asked, requests.until.take(), requests.stop)
            };
            if stop {
                self.engine.close();
            }
            let mut told = collector.tick(until);
            if let Some(until) = until.filter(|_| stop) {
                told = told.and(collector.shutdown(until));
            }
            let mut requests = lock_std(&self.requests);
            requests.done = asked;
            requests.stopped = stop;
            if let Err(failure) = told {
                requests.failed = Some((asked, failure));
            }
            self.answered.notify_all();
            drop(requests);
            self.tell();
            if stop {
                return;
            }
        }
    }

    /// Whoever wants to hear what is wrong does, once per collection.
    fn tell(&self) {
        let panics = self.engine.diagnostics.tell(|| self.couriers.trouble());
        self.engine.counts.panics.add(panics);
    }

    /// A failure that nobody waits for.
    pub(crate) fn tell_failure(&self, error: &Error) {
        self.engine.diagnostics.failed(error);
        self.tell();
    }

    /// Everything that ended before this call is with the subscribers and exporters when it returns.
    pub(crate) fn collect(&self, deadline: Instant) -> Result<(), Error> {
        self.not_within()?;
        match self.turns() {
            Some(turns) => {
                let told = turns.with(deadline, |collector| collector.tick(Some(deadline)));
                self.tell();
                in_time(deadline).and(told)
            }
            None => self.ask(deadline, false),
        }
    }

    /// Collects for the last time, delivers what there is, and stops. The first caller does; the others get its result.
    pub(crate) fn stop(&self, deadline: Instant) -> Result<(), Error> {
        self.not_within()?;
        self.ended.get_or(deadline, || {
            self.wait_for_operations(deadline);
            self.engine.tell_witnesses_of_the_end();
            self.engine.observables.begin_last_round();
            self.engine.shut_down();
            // Both, whatever became of the first: a late collector must not keep the courier running.
            let collected = self.stop_collecting(deadline);
            self.engine.close_now();
            self.engine.shed_all();
            self.engine.close_observables();
            self.engine.silence();
            let delivered = self.couriers.shutdown(deadline);
            self.tell();
            self.told(
                "shutdown",
                [delivered, collected],
                0,
                self.lost_at_the_end(),
            )
        })
    }

    /// A request that ends just after its server has stopped is worth a moment.
    fn wait_for_operations(&self, deadline: Instant) {
        // In a forked child those of other threads never end.
        if !self.is_forked_child() {
            let now = crate::clock::now();
            let tenth = deadline.saturating_duration_since(now) / 10;
            let grace = tenth.min(self.engine.config.shutdown_grace);
            self.engine.wait_for_operations(now + grace);
        }
    }

    /// Everything that was lost in this telemetry's life. What a collector that is stuck still holds is: no outbox takes it.
    fn lost_at_the_end(&self) -> Losses {
        let books = self.books();
        let mut lost = books.lost();
        for signal in Signal::ALL {
            let book = books.of(signal);
            let stuck = book.pending.saturating_sub(book.waiting + book.spooled);
            lost.of_mut(signal).add(DropReason::Shutdown, stuck);
        }
        lost
    }

    /// The one answer of a flush or shutdown: how much is left, what was lost of which signal and why, and the last that
    /// each destination had to say.
    fn told(
        &self,
        what: &str,
        answers: [Result<(), Error>; 2],
        pending: u64,
        lost: Losses,
    ) -> Result<(), Error> {
        let [delivered, collected] = answers;
        if pending == 0 && lost.total() == 0 {
            return delivered.and(collected);
        }
        let errors = [delivered.err(), collected.err()];
        let late = errors.iter().flatten().any(Error::is_timeout);
        let mut message = format!("{what}: ");
        if late {
            message.push_str("the deadline passed, ");
        }
        message.push_str(&format!(
            "{pending} items still pending, {} lost",
            lost.total()
        ));
        if lost.total() > 0 {
            message.push_str(&format!(" ({lost})"));
        }
        for problem in self.couriers.problems() {
            message.push_str(&format!("; {problem}"));
        }
        if let [_, Some(failed)] = &errors
            && failed.is_failed()
        {
            message.push_str(&format!("; {failed}"));
        }
        Err(Error::undelivered(pending, lost, late, message))
    }

    fn stop_collecting(&self, deadline: Instant) -> Result<(), Error> {
        match self.turns() {
            Some(turns) => turns.with(deadline, |collector| {
                self.engine.close();
                let told = collector.tick(Some(deadline));
                let over = collector.shutdown(deadline);
                in_time(deadline).and(told).and(over)
            }),
            None => self.ask(deadline, true),
        }
    }

    /// Nobody waits for himself: a subscriber or an observable runs inside the collection that it would wait for.
    fn not_within(&self) -> Result<(), Error> {
        self.not_inert()?;
        let within = match self.turns() {
            Some(turns) => turns.is_mine(),
            None => self.engine.is_collector() || self.engine.is_observing(),
        };
        if within {
            return Err(Error::failed(
                "called from inside a collection, which it would have to wait for",
            ));
        }
        Ok(())
    }

    /// Asks the thread for a round, and waits for it.
    fn ask(&self, deadline: Instant, stop: bool) -> Result<(), Error> {
        let mut requests = lock_std(&self.requests);
        if requests.stopped {
            return Ok(());
        }
        requests.asked += 1;
        requests.stop |= stop;
        requests.until = requests.until.max(Some(deadline));
        let mine = requests.asked;
        self.engine.wake();
        requests = self.wait(requests, deadline, |requests| {
            requests.stopped || requests.done >= mine && !stop
        })?;
        match &requests.failed {
            Some((round, failure)) if *round >= mine => Err(failure.clone()),
            _ => Ok(()),
        }
    }

    fn wait<'a>(
        &self,
        mut requests: MutexGuard<'a, Requests>,
        deadline: Instant,
        done: impl Fn(&Requests) -> bool,
    ) -> Result<MutexGuard<'a, Requests>, Error> {
        while !done(&requests) {
            let left = deadline.saturating_duration_since(crate::clock::now());
            if left.is_zero() {
                return Err(late());
            }
            requests = match self.answered.wait_timeout(requests, left) {
                Ok((requests, _)) => requests,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        Ok(requests)
    }
}

/// Where the work is done inside the call, nothing ends it at its deadline; but that it was late is told.
fn in_time(deadline: Instant) -> Result<(), Error> {
    if crate::clock::now() > deadline {
        return Err(late());
    }
    Ok(())
}

fn late() -> Error {
    Error::late("the collector did not finish in time")
}
