//! Contention: what two threads get done together against what one gets done alone.
//!
//! Two threads that share a core because a neighbour has the other one say nothing about contention, and flatter a
//! lock. So an attempt counts only when the kernel says that no thread of it waited for a core.

use std::{
    fmt, fs,
    sync::Barrier,
    time::{Duration, Instant},
};

use super::report::Report;

/// Undisturbed attempts wanted of each kind, and when to stop asking a busy machine for them.
const WANTED: usize = 5;
const ATTEMPTS: usize = 150;
const STRETCH: Duration = Duration::from_millis(15);
/// The share of a stretch that a thread may have waited for a core.
const TOLERATED: f64 = 0.03;

/// Makes, on the thread that calls it, the work that this thread repeats.
type Worker = Box<dyn Fn() -> Box<dyn FnMut()> + Sync>;

/// Work whose handles are shared the way a service shares them, and what it is measured against.
pub(crate) struct Scaling {
    worker: Worker,
    without: Option<Worker>,
    account: Box<dyn Fn(u64) -> Result<String, String>>,
}

impl Scaling {
    pub(crate) fn new(
        worker: impl Fn() -> Box<dyn FnMut()> + Sync + 'static,
        account: impl Fn(u64) -> Result<String, String> + 'static,
    ) -> Self {
        Self {
            worker: Box::new(worker),
            without: None,
            account: Box::new(account),
        }
    }

    /// The same work without the instrument, taken for two threads that share nothing: two cores that share their
    /// memory, or one core's units, never give twice of anything that allocates.
    pub(crate) fn with_control(
        mut self,
        worker: impl Fn() -> Box<dyn FnMut()> + Sync + 'static,
    ) -> Self {
        self.without = Some(Box::new(worker));
        self
    }

    /// Best rate of two threads over best rate of one; no figure when the machine never let both run.
    pub(crate) fn measure(&self, report: &mut Report) {
        let mut done = 0;
        let with = ratio(&self.worker, &mut done);
        let control = match &self.without {
            Some(worker) => ratio(worker, &mut 0).map(|free| free / 2.0),
            None => Some(1.0),
        };
        if let (Some(with), Some(control)) = (with, control) {
            report.put("x", with / control);
        }
        report.account = Some((self.account)(done));
    }

    /// A moment of both, for the tests.
    pub(crate) fn check(&self, report: &mut Report) {
        let done = [1, 2]
            .map(|threads| attempt(&self.worker, threads, Duration::from_millis(2)).operations);
        report.account = Some((self.account)(done.iter().sum()));
    }
}

fn ratio(worker: &Worker, done: &mut u64) -> Option<f64> {
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ATTEMPTS {
        for threads in [1, 2] {
            let attempt = attempt(worker, threads, STRETCH);
            *done += attempt.operations;
            if attempt.waited < TOLERATED {
                rates[threads - 1].push(attempt.rate);
            }
        }
        if rates.iter().all(|kind| kind.len() >= WANTED) {
            break;
        }
    }
    let [one, two] = rates.map(|kind| kind.into_iter().reduce(f64::max));
    Some(two? / one?)
}

fn attempt(worker: &Worker, threads: usize, stretch: Duration) -> Attempt {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut work = worker();
                    barrier.wait();
                    // Long enough for the scheduler to give each thread its core.
                    let settled = repeat(&mut *work, stretch / 4);
                    let waited = waited_for_a_core();
                    let start = Instant::now();
                    let operations = repeat(&mut *work, stretch);
                    let took = start.elapsed().as_secs_f64();
                    let waited = waited_for_a_core().saturating_sub(waited).as_secs_f64() / took;
                    Attempt {
                        rate: operations as f64 / took,
                        operations: settled + operations,
                        waited,
                    }
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("a worker does not panic"))
            .reduce(|one, other| Attempt {
                rate: one.rate + other.rate,
                operations: one.operations + other.operations,
                waited: one.waited.max(other.waited),
            })
            .expect("at least one thread")
    })
}

/// All threads of one try together: operations per second, operations in all, the worst share of time without a core.
struct Attempt {
    rate: f64,
    operations: u64,
    waited: f64,
}

fn repeat(work: &mut dyn FnMut(), stretch: Duration) -> u64 {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < stretch {
        for _ in 0..256 {
            work();
        }
        done += 256;
    }
    done
}

/// How long the calling thread has been runnable without running, by the kernel's count; zero where it keeps none.
fn waited_for_a_core() -> Duration {
    fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .map_or(Duration::ZERO, Duration::from_nanos)
}

impl fmt::Debug for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scaling").finish_non_exhaustive()
    }
}
