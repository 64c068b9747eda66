//! Requests at a rate, on a runtime or without one, and how long each took.

use std::{
    future::Future,
    io,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use obs_core::{ManualClock, Telemetry};
use tokio::runtime::{self, Runtime};

use super::{App, Host, SPANS, pace};
use crate::harness::report::Report;

/// Where futures run.
#[derive(Debug)]
pub(crate) enum Hosted {
    Multi(Runtime),
    Current(Runtime),
    Outside,
}

impl Hosted {
    pub(crate) fn new(host: Host) -> io::Result<Self> {
        Ok(match host {
            Host::Multi => Self::Multi(
                runtime::Builder::new_multi_thread()
                    .worker_threads(WORKERS)
                    .enable_all()
                    .build()?,
            ),
            Host::Current => Self::Current(
                runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?,
            ),
            Host::Outside => Self::Outside,
        })
    }

    /// Inside a task of the runtime, where there is one: on the thread that would have to drive anybody's sockets.
    pub(crate) fn on<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Multi(runtime) | Self::Current(runtime) => runtime.block_on(async { work() }),
            Self::Outside => work(),
        }
    }
}

const WORKERS: usize = 2;

/// Requests of one stretch of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// In a second of the service's time.
    pub(crate) rate: f64,
    pub(crate) speed: f64,
    /// Of the service's time.
    pub(crate) seconds: f64,
}

impl Load {
    /// Makes `rate × seconds` requests, each when it is due or as soon after that as the machine allows.
    pub(crate) fn run(
        &self,
        hosted: &Hosted,
        app: &App,
        telemetry: &Telemetry,
        clock: Option<&ManualClock>,
        report: &mut Report,
    ) -> io::Result<()> {
        let over = AtomicBool::new(false);
        let from = Instant::now();
        let (seen, watched) = thread::scope(|scope| {
            let watching = scope.spawn(|| pace::watch(telemetry, clock, self.speed, &over));
            let seen = self.drive(hosted, app, *telemetry);
            over.store(true, Ordering::Release);
            (seen, watching.join())
        });
        let took = from.elapsed();
        let watched = watched.map_err(|_| io::Error::other("the watch panicked"))?;
        report.put("requests", seen.made as f64);
        report.put("failed", seen.failed as f64);
        report.put("p50_us", seen.waits.quantile(0.5));
        report.put("p99_us", seen.waits.quantile(0.99));
        report.put("max_us", seen.waits.quantile(1.0));
        report.put("real_s", took.as_secs_f64());
        report.put("moved_s", watched.moved.as_secs_f64());
        report.put("rss_max", watched.rss);
        report.put("held_max", watched.held);
        report.put("held_end", watched.held_end);
        Ok(())
    }

    fn drive(&self, hosted: &Hosted, app: &App, telemetry: Telemetry) -> Seen {
        let total = (self.rate * self.seconds).round() as u64;
        let pacing = Pacing {
            rate: self.rate * self.speed,
            from: Instant::now(),
            waits_for: (self.speed != 1.0).then_some(telemetry),
        };
        match hosted {
            Hosted::Multi(runtime) => {
                let share = total / WORKERS as u64;
                let shares = [total - share * (WORKERS as u64 - 1), share];
                let tasks = shares.map(|share| {
                    let app = app.clone();
                    let pacing = Pacing {
                        rate: pacing.rate / WORKERS as f64,
                        ..pacing
                    };
                    runtime.spawn(async move { pacing.drive(&app, share, pause).await })
                });
                let mut seen = Seen::default();
                for task in tasks {
                    match runtime.block_on(task) {
                        Ok(more) => seen.add(&more),
                        Err(_) => seen.failed += 1,
                    }
                }
                seen
            }
            Hosted::Current(runtime) => runtime.block_on(pacing.drive(app, total, pause)),
            Hosted::Outside => block_on(pacing.drive(app, total, async |wait| {
                thread::sleep(wait);
            })),
        }
    }
}

async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// When requests are due.
#[derive(Clone, Copy, Debug)]
struct Pacing {
    /// In a real second.
    rate: f64,
    from: Instant,
    /// Where time is fast, a collector that had so many times longer for each record would keep up: it is waited for, outside
    /// what is timed, or a thread's ring would overflow for no reason that a service has.
    waits_for: Option<Telemetry>,
}

impl Pacing {
    async fn drive(&self, app: &App, total: u64, pause: impl AsyncFn(Duration)) -> Seen {
        let mut seen = Seen::default();
        while seen.made < total {
            let due = ((self.from.elapsed().as_secs_f64() * self.rate) as u64).min(total);
            while seen.made < due {
                let begun = Instant::now();
                let answered = app.request().await;
                seen.waits.add(begun.elapsed());
                seen.made += 1;
                seen.failed += u64::from(!answered);
                if seen.made.is_multiple_of(TOGETHER) {
                    self.let_collect(app);
                }
            }
            pause(Duration::from_millis(1)).await;
        }
        seen
    }

    fn let_collect(&self, app: &App) {
        let Some(telemetry) = self.waits_for else {
            return;
        };
        let begun = Instant::now();
        let behind = || {
            let counts = telemetry.counts();
            (app.made() * SPANS).saturating_sub(counts.collected + counts.ring_full) > BEHIND
        };
        // Not for ever: what is shut down collects no more.
        while behind() && begun.elapsed() < Duration::from_secs(1) {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Requests between two looks at the collector.
const TOGETHER: u64 = 8;
/// Spans that it may be behind: with those of two looks, less than one thread's ring holds.
const BEHIND: u64 = 180;

/// Drives a future that never waits for anybody: what a service without a runtime has.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return output;
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    made: u64,
    failed: u64,
    waits: Waits,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.made += other.made;
        self.failed += other.failed;
        for (mine, theirs) in self.waits.0.iter_mut().zip(&other.waits.0) {
            *mine += theirs;
        }
    }
}

/// Durations in buckets of half a percent: fixed memory, however many there are.
#[derive(Debug)]
struct Waits(Vec<u64>);

/// Buckets between two powers of two.
const FINE: u32 = 8;

impl Default for Waits {
    fn default() -> Self {
        Self(vec![0; 64 << FINE])
    }
}

impl Waits {
    fn add(&mut self, wait: Duration) {
        let nanos = (wait.as_nanos() as u64).max(1 << FINE);
        let power = 63 - nanos.leading_zeros();
        let within = (nanos >> (power - FINE)) & ((1 << FINE) - 1);
        self.0[((power as usize) << FINE) + within as usize] += 1;
    }

    /// In microseconds: the lower end of the bucket where it lies.
    fn quantile(&self, share: f64) -> f64 {
        let total: u64 = self.0.iter().sum();
        let rank = ((total as f64 * share).ceil() as u64).max(1);
        let mut below = 0;
        for (at, count) in self.0.iter().enumerate() {
            below += count;
            if below >= rank {
                let (power, within) = (at >> FINE, at & ((1 << FINE) - 1));
                let nanos = (1_u64 << power) + ((within as u64) << power >> FINE);
                return nanos as f64 / 1e3;
            }
        }
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_half_a_percent() {
        let mut waits = Waits::default();
        for micros in 1..=10_000 {
            waits.add(Duration::from_micros(micros));
        }
        for (share, expect) in [(0.5, 5_000.0), (0.99, 9_900.0), (1.0, 10_000.0)] {
            let got = waits.quantile(share);
            assert!((got / expect - 1.0).abs() < 0.005, "{share}: {got}");
        }
    }
}
