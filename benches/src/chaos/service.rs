//! The loaded service, in a process of its own, so that its memory is its own and a kill is a kill: `chaos-service WORD=VALUE…`.
//!
//! It does what its standard input says, a line at a time, and answers each line with figures and a line with a dot.

use std::{
    fs,
    io::{self, BufRead, Write},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use obs_core::{Labels, Outcome, Parent, Telemetry};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use crate::harness::report::Report;

mod app;
mod load;
mod pace;
mod setup;

pub(crate) use app::{App, CHILD, SEARCH, SPANS, log_layer};
pub(crate) use load::{Hosted, Load, block_on};
pub(crate) use setup::{Host, Setup};

/// Until standard input ends.
pub(crate) fn serve(words: &[&str]) -> io::Result<()> {
    let setup = Setup::parse(words).map_err(io::Error::other)?;
    let (telemetry, clock) = setup.telemetry().map_err(io::Error::other)?;
    let app = App::new(&telemetry);
    let events = tracing_subscriber::registry().with(log_layer(&telemetry));
    events.try_init().map_err(io::Error::other)?;
    let hosted = Hosted::new(setup.host)?;
    let (mut held, mut moved) = (Vec::new(), 0.0);
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let mut report = Report::default();
        match words.as_slice() {
            ["run", seconds, rate] => {
                let seconds: f64 = seconds.parse().map_err(io::Error::other)?;
                let load = Load {
                    rate: rate.parse().map_err(io::Error::other)?,
                    speed: setup.speed,
                    seconds,
                };
                load.run(&hosted, &app, &telemetry, clock.as_ref(), &mut report)?;
                moved += report.get("moved_s").unwrap_or_default();
            }
            ["open", count] => {
                let count: usize = count.parse().map_err(io::Error::other)?;
                let search = telemetry.kind(&SEARCH);
                let open = || search.start(Labels::NONE, Parent::Root);
                held.extend(std::iter::repeat_with(open).take(count));
                report.put("open", held.len() as f64);
            }
            ["close"] => held.drain(..).for_each(|held| held.end(Outcome::ANSWERED)),
            ["clock"] => report.put("unix_s", now(clock.is_some(), moved)),
            ["read"] => read(&telemetry, &mut report),
            ["collect"] => {
                let told = telemetry.collect(Duration::from_secs(60));
                report.put("was_ok", f64::from(told.is_ok()));
            }
            ["flush", millis] => {
                let within = Duration::from_millis(millis.parse().map_err(io::Error::other)?);
                let (told, took) = timed(|| telemetry.flush(within));
                report.put("took_ms", took);
                report.put("was_ok", f64::from(told.is_ok()));
            }
            ["shutdown", millis] => {
                let within = Duration::from_millis(millis.parse().map_err(io::Error::other)?);
                let (told, took) = hosted.on(|| timed(|| telemetry.shutdown(within)));
                report.put("took_ms", took);
                report.put("was_ok", f64::from(told.is_ok()));
                let lost = told.as_ref().err().map_or(0, |error| error.lost());
                report.put("lost", lost as f64);
                report.account = told
                    .err()
                    .map(|error| Err(error.to_string().replace('\n', " ")));
            }
            _ => return Err(io::Error::other(format!("no such command: {line}"))),
        }
        writeln!(out, "{report}\n.")?;
        out.flush()?;
    }
    Ok(())
}

/// Where a clock that only moves when told to begins: 2026-01-01T00:00:00Z.
const BEGIN: f64 = 1_767_225_600.0;

/// The service's time, in seconds since the Unix epoch: its clock stands between loads.
fn now(is_manual: bool, moved: f64) -> f64 {
    if is_manual {
        return BEGIN + moved;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// Milliseconds, and what it gave.
fn timed<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let from = Instant::now();
    let result = work();
    (result, from.elapsed().as_secs_f64() * 1e3)
}

/// All accounts and counts, as of now.
fn read(telemetry: &Telemetry, report: &mut Report) {
    let accounts = telemetry.accounts();
    for (signal, account) in [
        ("traces", accounts.traces),
        ("metrics", accounts.metrics),
        ("logs", accounts.logs),
    ] {
        let mut put =
            |what: &str, value: u64| report.put(&format!("{signal}.{what}"), value as f64);
        put("accepted", account.accepted);
        put("delivered", account.delivered);
        put("dropped", account.dropped.total());
        put("pending", account.pending);
        for reason in obs_core::courier::DropReason::ALL {
            put(reason.as_str(), account.dropped.by(reason));
        }
    }
    report.put("held_bytes", accounts.pending_bytes as f64);
    report.put("spooled_bytes", accounts.spooled_bytes as f64);
    report.put("spool_errors", accounts.spool_errors as f64);
    report.put("retries", accounts.retries as f64);
    report.put("transport_panics", accounts.panics as f64);
    let counts = telemetry.counts();
    for (name, value) in [
        ("collected", counts.collected),
        ("ring_full", counts.ring_full),
        ("after_shutdown", counts.after_shutdown),
        ("keep_truncated", counts.keep_truncated),
        ("keep_dropped", counts.keep_dropped),
        ("log_flood", counts.log_flood),
        ("log_events_full", counts.log_events_full),
        (
            "log_events_after_shutdown",
            counts.log_events_after_shutdown,
        ),
        ("log_nested", counts.log_nested),
        ("panics", counts.panics),
    ] {
        report.put(name, value as f64);
    }
    report.put("rss", resident_bytes());
}

/// What the kernel counts as resident of this process.
pub(crate) fn resident_bytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0)
}
