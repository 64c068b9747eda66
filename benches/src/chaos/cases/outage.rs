//! R1 and R5: what an outage costs a loaded service, and whether everything that it made is accounted for.

use std::{io, time::Duration};

use crate::chaos::{
    Pace,
    receiver::{Fault, Receiver, Speaks, Tally},
    remote::{RATE, Remote, of},
    row::Row,
    service::Setup,
};
use crate::harness::{instructions, report::Report};

/// Ten minutes, in seconds of the service's time.
const OUTAGE: f64 = 600.0;
/// Before an outage, so that pools and buffers are what they will be.
const HEALTHY: f64 = 60.0;
/// With a fault that is not about memory.
const SHORT: f64 = 30.0;
/// For a flush once all is well, in real milliseconds.
const PATIENCE: u64 = 30_000;
/// Spans of one request.
const SPANS: f64 = crate::chaos::service::SPANS as f64;

pub(super) fn refused(pace: Pace) -> io::Result<Vec<Row>> {
    let row = Row::new(
        "R1/refused",
        format!("port closed for 10 min at 2,000 req/s; {}", pace.said()),
    );
    whole(row, Speaks::Http, Fault::Refuses, pace)
}

pub(super) fn grpc_refused(pace: Pace) -> io::Result<Vec<Row>> {
    let what = format!("the same over gRPC; {}", pace.said());
    whole(
        Row::new("R1/grpc-refused", what),
        Speaks::Grpc,
        Fault::Refuses,
        pace,
    )
}

pub(super) fn grpc_hangs(pace: Pace) -> io::Result<Vec<Row>> {
    let what = format!(
        "over gRPC: accepts and never answers for 10 min; {}",
        pace.said()
    );
    whole(
        Row::new("R5/grpc-hangs", what),
        Speaks::Grpc,
        Fault::Hangs,
        pace,
    )
}

pub(super) fn hangs(pace: Pace) -> io::Result<Vec<Row>> {
    let row = Row::new(
        "R5/hangs",
        format!("accepts and never answers for 10 min; {}", pace.said()),
    );
    whole(row, Speaks::Http, Fault::Hangs, pace)
}

pub(super) fn drips(pace: Pace) -> io::Result<Vec<Row>> {
    let row = Row::new(
        "R5/drips",
        format!("answers 1 B/s for 10 min; {}", pace.said()),
    );
    whole(
        row,
        Speaks::Http,
        Fault::Drips(pace.wait(Duration::from_secs(1))),
        pace,
    )
}

pub(super) fn answers_429(pace: Pace) -> io::Result<Vec<Row>> {
    short(
        "R1/answers-429",
        "429 with Retry-After for 30 s",
        Fault::Answers(429, Some(1)),
        pace,
    )
}

pub(super) fn answers_503(pace: Pace) -> io::Result<Vec<Row>> {
    short(
        "R1/answers-503",
        "503 with Retry-After for 30 s",
        Fault::Answers(503, Some(1)),
        pace,
    )
}

pub(super) fn answers_400(pace: Pace) -> io::Result<Vec<Row>> {
    short(
        "R1/answers-400",
        "400 for 30 s",
        Fault::Answers(400, None),
        pace,
    )
}

pub(super) fn resets(pace: Pace) -> io::Result<Vec<Row>> {
    short(
        "R1/resets",
        "resets each connection in mid-request for 30 s",
        Fault::Resets,
        pace,
    )
}

pub(super) fn partial(pace: Pace) -> io::Result<Vec<Row>> {
    short(
        "R1/partial",
        "partial success, 3 items of each request rejected, for 30 s",
        Fault::Rejects(3),
        pace,
    )
}

/// Healthy, ten minutes without a destination, healthy again.
fn whole(mut row: Row, speaks: Speaks, fault: Fault, pace: Pace) -> io::Result<Vec<Row>> {
    let receiver = Receiver::speaking(speaks)?;
    let mut setup = Setup::new(receiver.endpoint(), pace.speed);
    setup.grpc = speaks == Speaks::Grpc;
    let mut service = Remote::start(&setup)?;
    let mut made = Made::default();
    // As many requests in a real second as R1 has: all of it leaves at once.
    made.add(&service.run_at(RATE / pace.speed, HEALTHY)?);
    service.flush(PATIENCE)?;
    // Pools as large as fast time needs them, and a backlog of no more than a mebibyte at a time.
    for _ in 0..20 {
        made.add(&service.run(0.5)?);
        service.flush(PATIENCE)?;
    }
    let before = service.read()?;
    receiver.set(fault)?;
    let outage = service.run(OUTAGE)?;
    made.add(&outage);
    let mut unaccounted = made.unaccounted(&service.collect_and_read()?);
    receiver.set(Fault::None)?;
    made.add(&service.run(HEALTHY)?);
    let recovered = service.flush(PATIENCE)?;
    let after = service.end(PATIENCE)?;
    unaccounted += made.unaccounted(&after);
    let left =
        of(&after, "traces.pending") + of(&after, "metrics.pending") + of(&after, "logs.pending");
    let tally = receiver.tally();
    row.put("requests", made.requests, "")
        .put("failed requests", made.failed, "")
        .put(
            "memory added",
            (of(&outage, "rss_max") - of(&before, "rss")) / MIB,
            "MiB",
        )
        .put("held / cap", of(&outage, "held_max") / setup.cap as f64, "")
        .put(
            "held at the end / cap",
            of(&outage, "held_end") / setup.cap as f64,
            "",
        )
        .put("spans made", made.requests * SPANS, "")
        .put("delivered", of(&after, "traces.delivered"), "")
        .put("dropped queue_full", of(&after, "traces.queue_full"), "")
        .put("dropped ring_full", of(&after, "ring_full"), "")
        .put("unaccounted", unaccounted, "")
        .put("undelivered after recovery", left, "")
        .put("delivered unlike arrived", unlike(&after, &tally), "")
        .put("duplicates", tally.duplicates as f64, "")
        .put("flush after it", of(&recovered, "took_ms"), "ms");
    Ok(vec![row])
}

/// A fault that passes, and what is left of it.
fn short(name: &str, what: &str, fault: Fault, pace: Pace) -> io::Result<Vec<Row>> {
    let mut row = Row::new(name, format!("{what}, then healthy; {}", pace.said()));
    let receiver = Receiver::start()?;
    let mut service = Remote::start(&Setup::new(receiver.endpoint(), pace.speed))?;
    let mut made = Made::default();
    made.add(&service.run(SHORT / 3.0)?);
    service.flush(PATIENCE)?;
    receiver.set(fault)?;
    made.add(&service.run(SHORT)?);
    let mut unaccounted = made.unaccounted(&service.collect_and_read()?);
    receiver.set(Fault::None)?;
    made.add(&service.run(SHORT / 3.0)?);
    let after = service.end(PATIENCE)?;
    unaccounted += made.unaccounted(&after);
    let tally = receiver.tally();
    let pending = ["traces.pending", "metrics.pending", "logs.pending"];
    let said_no: f64 = ["traces", "metrics", "logs"]
        .map(|signal| of(&after, &format!("{signal}.rejected")))
        .iter()
        .sum();
    // A refusal is final only where the status says so.
    let refused = if fault == Fault::Answers(400, None) {
        tally.refused
    } else {
        0
    };
    row.put("requests", made.requests, "")
        .put("failed requests", made.failed, "")
        .put("spans made", made.requests * SPANS, "")
        .put("delivered", of(&after, "traces.delivered"), "")
        .put("retries", of(&after, "retries"), "")
        .put("dropped queue_full", of(&after, "traces.queue_full"), "")
        .put("dropped rejected", said_no, "")
        .put(
            "rejected unlike refused",
            (said_no - (refused + tally.rejected) as f64).abs(),
            "",
        )
        .put("unaccounted", unaccounted, "")
        .put(
            "undelivered after recovery",
            pending.map(|name| of(&after, name)).iter().sum(),
            "",
        )
        .put("delivered unlike arrived", unlike(&after, &tally), "")
        .put("duplicates", tally.duplicates as f64, "");
    Ok(vec![row])
}

pub(super) fn latency_refused(pace: Pace) -> io::Result<Vec<Row>> {
    latency("R1/latency", "port closed", Fault::Refuses, pace)
}

pub(super) fn latency_hangs(pace: Pace) -> io::Result<Vec<Row>> {
    latency(
        "R5/latency",
        "accepts and never answers",
        Fault::Hangs,
        pace,
    )
}

/// Healthy and not, in turn: the wait of the worst hundredth inside the spread of the healthy stretches.
///
/// What a machine with other things to do makes of a wait is chance: by chance alone one session in thirty is outside. It is
/// a miss when three sessions are.
fn latency(name: &str, what: &str, fault: Fault, pace: Pace) -> io::Result<Vec<Row>> {
    // The load is R1's in real time, whatever time the service has.
    let stretch = if pace.is_long() { 30.0 } else { 1.5 };
    let mut row = Row::new(
        name,
        format!("healthy and {what} in turn, {ROUNDS} times {stretch} real s each at 2,000 req/s"),
    );
    let receiver = Receiver::start()?;
    let mut service = Remote::start(&Setup::new(receiver.endpoint(), pace.speed))?;
    let run = |service: &mut Remote| service.run_at(RATE / pace.speed, stretch * pace.speed);
    run(&mut service)?;
    for session in 1..=SESSIONS {
        let (mut healthy, mut outage) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            healthy.push(run(&mut service)?);
            receiver.set(fault)?;
            outage.push(run(&mut service)?);
            receiver.set(Fault::None)?;
            service.flush(PATIENCE)?;
        }
        let sorted = |reports: &[Report], figure: &str| {
            let mut values: Vec<f64> = reports.iter().map(|report| of(report, figure)).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (calm, dark) = (sorted(&healthy, "p99_us"), sorted(&outage, "p99_us"));
        let (worst, median) = (calm[ROUNDS - 1], ROUNDS / 2);
        if dark[median] > worst && session < SESSIONS {
            continue;
        }
        row.put("p99 healthy best", calm[0], "µs")
            .put("p99 healthy median", calm[median], "µs")
            .put("p99 healthy worst", worst, "µs")
            .put("p99 outage best", dark[0], "µs")
            .put("p99 outage median", dark[median], "µs")
            .put("p99 outage worst", dark[ROUNDS - 1], "µs")
            .put("p99 outage / worst healthy", dark[median] / worst, "")
            .put(
                "p50 healthy median",
                sorted(&healthy, "p50_us")[median],
                "µs",
            )
            .put("p50 outage median", sorted(&outage, "p50_us")[median], "µs")
            .put("session", session as f64, "");
        break;
    }
    Ok(vec![row])
}

pub(super) fn instructions_refused(_: Pace) -> io::Result<Vec<Row>> {
    instructions("R1/instructions", "port closed", "outage/refused")
}

pub(super) fn instructions_hangs(_: Pace) -> io::Result<Vec<Row>> {
    instructions(
        "R5/instructions",
        "accepts and never answers",
        "outage/hangs",
    )
}

/// By callgrind, as the table of costs counts them.
fn instructions(name: &str, what: &str, case: &str) -> io::Result<Vec<Row>> {
    let mut row = Row::new(
        name,
        format!("one request, on its thread, healthy against {what}"),
    );
    if !instructions::available() {
        return Ok(vec![Row::failed(name, "valgrind is not installed")]);
    }
    let report = instructions::measure(&std::env::current_exe()?, case)?;
    if let Some(Err(said)) = &report.account {
        return Ok(vec![Row::failed(name, said)]);
    }
    let (healthy, outage) = (of(&report, "bare_instr"), of(&report, "with_instr"));
    row.put("healthy", healthy, "instr")
        .put("outage", outage, "instr")
        .put("instructions outage / healthy", outage / healthy, "");
    Ok(vec![row])
}

const SESSIONS: usize = 3;
const ROUNDS: usize = 7;
const MIB: f64 = (1 << 20) as f64;

/// What the service was made to do so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Made {
    pub(super) requests: f64,
    pub(super) failed: f64,
}

impl Made {
    pub(super) fn add(&mut self, run: &Report) {
        self.requests += of(run, "requests");
        self.failed += of(run, "failed");
    }

    /// Spans and log events made that are nowhere in the books, or twice. (What the exporter's own work logs is not among them:
    /// `log_nested`.)
    pub(super) fn unaccounted(&self, books: &Report) -> f64 {
        let sum = |names: &[&str]| names.iter().map(|name| of(books, name)).sum::<f64>();
        let spans = sum(&[
            "traces.delivered",
            "traces.dropped",
            "traces.pending",
            "ring_full",
            "after_shutdown",
            "keep_truncated",
            "keep_dropped",
        ]);
        let logs = sum(&[
            "logs.delivered",
            "logs.dropped",
            "logs.pending",
            "log_flood",
            "log_events_full",
            "log_events_after_shutdown",
        ]);
        (self.requests * SPANS - spans).abs() + (self.requests - logs).abs()
    }
}

/// Items that the service says were delivered, against those that the receiver acknowledged.
pub(super) fn unlike(books: &Report, tally: &Tally) -> f64 {
    let signals = [
        ("traces.delivered", tally.spans),
        ("metrics.delivered", tally.points),
        ("logs.delivered", tally.logs),
    ];
    let apart = signals.map(|(name, arrived)| (of(books, name) - arrived as f64).abs());
    apart.iter().sum()
}
