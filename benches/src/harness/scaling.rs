//! Contention: what two threads get done together against what one gets done alone.

use std::{fmt, sync::Barrier, time::Duration, time::Instant};

use super::report::Report;

const ATTEMPTS: usize = 5;
const STRETCH: Duration = Duration::from_millis(60);

/// Makes, on each thread, the work that thread repeats; handles shared the way a service shares them.
pub(crate) struct Scaling {
    worker: Box<dyn Fn() -> Box<dyn FnMut()> + Sync>,
    account: Box<dyn Fn(u64) -> Result<String, String>>,
}

impl Scaling {
    pub(crate) fn new(
        worker: impl Fn() -> Box<dyn FnMut()> + Sync + 'static,
        account: impl Fn(u64) -> Result<String, String> + 'static,
    ) -> Self {
        Self {
            worker: Box::new(worker),
            account: Box::new(account),
        }
    }

    /// Best rate of two threads over best rate of one, of `ATTEMPTS` taken in turns.
    pub(crate) fn measure(&self, report: &mut Report) {
        let mut done = 0;
        let mut best = [0.0_f64; 2];
        for _ in 0..ATTEMPTS {
            for threads in [1, 2] {
                let (rate, operations) = self.rate(threads, STRETCH);
                best[threads - 1] = best[threads - 1].max(rate);
                done += operations;
            }
        }
        report.put("x", best[1] / best[0]);
        report.put("one_ns", 1e9 / best[0]);
        report.put("two_ns", 2e9 / best[1]);
        report.account = Some((self.account)(done));
    }

    /// A moment of both, for the tests.
    pub(crate) fn check(&self, report: &mut Report) {
        let done = [1, 2].map(|threads| self.rate(threads, Duration::from_millis(2)).1);
        report.account = Some((self.account)(done.iter().sum()));
    }

    fn rate(&self, threads: usize, stretch: Duration) -> (f64, u64) {
        let barrier = Barrier::new(threads);
        let worker = &self.worker;
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let mut work = worker();
                        for _ in 0..1_000 {
                            work();
                        }
                        barrier.wait();
                        let start = Instant::now();
                        let mut done = 0_u64;
                        while start.elapsed() < stretch {
                            for _ in 0..512 {
                                work();
                            }
                            done += 512;
                        }
                        (done as f64 / start.elapsed().as_secs_f64(), done + 1_000)
                    })
                })
                .collect();
            handles
                .into_iter()
                .map(|handle| handle.join().expect("a worker does not panic"))
                .fold((0.0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        })
    }
}

impl fmt::Debug for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scaling").finish_non_exhaustive()
    }
}
