//! R2, R3 and R4: an outage with a spool on disk, the process killed in the middle of it, and disks that fail.

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    endings::Random,
    outage::{Made, unlike},
    preload::{Preload, Scratch},
};
use crate::chaos::{
    Pace,
    receiver::{Fault, Receiver},
    remote::{RATE, Remote, of},
    row::Row,
    service::{SPANS, Setup},
};

const PATIENCE: u64 = 60_000;
/// How fast the time of a service with a spool passes at most: writes and syncs are as slow as they are.
const SPEED: f64 = 4.0;
const MIB: f64 = (1 << 20) as f64;

/// An outage that the spool holds.
pub(super) fn below(pace: Pace) -> io::Result<Vec<Row>> {
    let pace = pace.at_most(SPEED);
    let (cap, seconds) = if pace.is_long() {
        (1 << 30, 300.0)
    } else {
        (256 << 20, 60.0)
    };
    let what = format!(
        "port closed for {seconds} s, spool of {} MiB, more than that takes; {}",
        cap >> 20,
        pace.said()
    );
    let mut row = Row::new("R2/below", what);
    let outage = Outage::run(pace, cap, seconds)?;
    outage.put(&mut row);
    row.put("lost below the cap", outage.lost, "");
    Ok(vec![row])
}

/// An outage that it does not: the oldest goes.
pub(super) fn above(pace: Pace) -> io::Result<Vec<Row>> {
    let pace = pace.at_most(SPEED);
    let (cap, seconds) = if pace.is_long() {
        (1 << 30, 600.0)
    } else {
        (64 << 20, 60.0)
    };
    let what = format!(
        "port closed for {seconds} s, spool of {} MiB, less than that takes; {}",
        cap >> 20,
        pace.said()
    );
    let mut row = Row::new("R2/above", what);
    let outage = Outage::run(pace, cap, seconds)?;
    outage.put(&mut row);
    row.put("dropped spool_full", outage.full, "")
        .put("oldest delivered, of the outage", outage.oldest, "")
        // What is there came after what is not: no more than a thirtieth of it, for two threads and whole segments.
        .put(
            "oldest are gone",
            f64::from((outage.oldest - outage.lost_share).abs() < 0.034),
            "",
        );
    Ok(vec![row])
}

struct Outage {
    made: Made,
    most_spooled: f64,
    most_on_disk: f64,
    cap: f64,
    unaccounted: f64,
    unlike: f64,
    lost: f64,
    full: f64,
    left: f64,
    /// When the oldest span of the outage that arrived was made, as a share of it; and how many were lost of all.
    oldest: f64,
    lost_share: f64,
}

impl Outage {
    fn run(pace: Pace, cap: u64, seconds: f64) -> io::Result<Self> {
        let scratch = Scratch::new("spool")?;
        let folder = scratch.0.join("spool");
        let first = Arc::new(AtomicU64::new(u64::MAX));
        let receiver = Receiver::showing({
            let first = first.clone();
            move |_, payload| {
                let starts = payload.spans().map(|span| span.start_time_unix_nano);
                first.fetch_min(starts.min().unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        })?;
        let mut setup = Setup::new(receiver.endpoint(), pace.speed);
        (setup.spool, setup.spool_cap) = (Some(folder.clone()), cap);
        let mut service = Remote::start(&setup)?;
        let mut made = Made::default();
        made.add(&service.run_at(RATE / pace.speed, 20.0)?);
        service.flush(PATIENCE)?;
        receiver.set(Fault::Refuses)?;
        first.store(u64::MAX, Ordering::Relaxed);
        let (mut most_spooled, mut most_on_disk, mut unaccounted) = (0.0_f64, 0.0_f64, 0.0);
        let from = of(&service.tell("clock")?, "unix_s");
        // In pieces, to look at the books and at the disk meanwhile.
        for _ in 0..PIECES {
            made.add(&service.run(seconds / f64::from(PIECES))?);
            let books = service.collect_and_read()?;
            unaccounted += made.unaccounted(&books);
            most_spooled = most_spooled.max(of(&books, "spooled_bytes"));
            most_on_disk = most_on_disk.max(on_disk(&folder));
        }
        let until = of(&service.tell("clock")?, "unix_s");
        let outage = seconds * RATE * SPANS as f64;
        receiver.set(Fault::None)?;
        service.flush(PATIENCE)?;
        let after = service.end(PATIENCE)?;
        unaccounted += made.unaccounted(&after);
        let sum = |what: &str| {
            ["traces", "metrics", "logs"]
                .map(|signal| of(&after, &format!("{signal}.{what}")))
                .iter()
                .sum::<f64>()
        };
        let first = first.load(Ordering::Relaxed) as f64 / 1e9;
        Ok(Self {
            made,
            most_spooled,
            most_on_disk,
            cap: cap as f64,
            unaccounted,
            unlike: unlike(&after, &receiver.tally()),
            lost: sum("dropped"),
            full: sum("spool_full"),
            left: sum("pending"),
            oldest: ((first - from) / (until - from)).clamp(0.0, 1.0),
            lost_share: of(&after, "traces.dropped") / outage,
        })
    }

    fn put(&self, row: &mut Row) {
        row.put("requests", self.made.requests, "")
            .put("failed requests", self.made.failed, "")
            .put("most on disk", self.most_on_disk / MIB, "MiB")
            .put(
                "spool / cap",
                self.most_spooled.max(self.most_on_disk) / self.cap,
                "",
            )
            .put("unaccounted", self.unaccounted, "")
            .put("undelivered after recovery", self.left, "")
            .put("delivered unlike arrived", self.unlike, "");
    }
}

const PIECES: u32 = 10;

/// Bytes of all files below.
fn on_disk(folder: &Path) -> f64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|of| of.len() as f64)
        .sum()
}

/// Killed in an outage, at a random moment, and started again with the collector back; several times.
pub(super) fn killed(pace: Pace) -> io::Result<Vec<Row>> {
    let rounds = if pace.is_long() { 10 } else { 4 };
    let mut worst = Killed::default();
    let mut random = Random(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |now| now.as_nanos() as u64)
            | 1,
    );
    for round in 0..rounds {
        // Every other time again while it delivers what the first left.
        let killed = Killed::round(&mut random, round % 2 == 1)?;
        worst.take(&killed);
    }
    let mut row = Row::new(
        "R3",
        format!(
            "kill -9 of a service in an outage at 2,000 req/s in real time, {rounds} times at random moments, every other time once more while it delivers; the worst of them"
        ),
    );
    row.put("failed requests", worst.failed, "")
        .put("spans arrived", worst.arrived, "")
        .put("lost", worst.lost, "s")
        .put("holes before that", worst.holes, "")
        .put("duplicate batches", worst.duplicates, "")
        .put("recovery", worst.recovery, "s");
    Ok(vec![row])
}

#[derive(Clone, Copy, Debug, Default)]
struct Killed {
    failed: f64,
    arrived: f64,
    lost: f64,
    holes: f64,
    duplicates: f64,
    recovery: f64,
}

/// Spans by trace, and the end of the latest: what a killed process left.
#[derive(Debug, Default)]
struct Left {
    traces: std::collections::HashMap<[u8; 16], u64>,
    ends: std::collections::HashMap<[u8; 16], u64>,
    latest: u64,
}

impl Killed {
    fn round(random: &mut Random, twice: bool) -> io::Result<Self> {
        let scratch = Scratch::new("killed")?;
        let left = Arc::new(Mutex::new(Left::default()));
        let receiver = Receiver::showing({
            let left = left.clone();
            move |_, payload| {
                let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
                for span in payload.spans() {
                    let trace = <[u8; 16]>::try_from(span.trace_id.as_slice()).unwrap_or_default();
                    *left.traces.entry(trace).or_default() += 1;
                    left.ends.insert(trace, span.end_time_unix_nano);
                    left.latest = left.latest.max(span.end_time_unix_nano);
                }
            }
        })?;
        receiver.set(Fault::Refuses)?;
        let mut setup = Setup::new(receiver.endpoint(), 1.0);
        setup.spool = Some(scratch.0.join("spool"));
        let mut service = Remote::start(&setup)?;
        let warm = service.run(1.0)?;
        service.begin(&format!("run 60 {RATE}"))?;
        thread::sleep(Duration::from_millis(1_500 + random.below(1_500)));
        service.kill()?;
        let killed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos() as u64;
        receiver.set(Fault::None)?;
        let mut recovery = Duration::ZERO;
        if twice {
            let mut second = Remote::start(&setup)?;
            second.begin("read")?;
            thread::sleep(Duration::from_millis(20 + random.below(150)));
            second.kill()?;
        }
        let from = Instant::now();
        let mut service = Remote::start(&setup)?;
        // All that was recovered has left; nothing new is made but metrics.
        let flushed = service.flush(PATIENCE)?;
        if of(&flushed, "was_ok") == 1.0 {
            recovery = recovery.max(from.elapsed());
        } else {
            recovery = Duration::MAX;
        }
        let _ = service.end(PATIENCE)?;
        let left = left.lock().unwrap_or_else(PoisonError::into_inner);
        // A trace whose spans are not all there, though it ended a second before the latest.
        let old = left.latest.saturating_sub(1_000_000_000);
        let torn = |(trace, spans): &(&[u8; 16], &u64)| {
            **spans < SPANS && left.ends.get(*trace).is_some_and(|end| *end < old)
        };
        let tally = receiver.tally();
        Ok(Self {
            failed: of(&warm, "failed"),
            arrived: tally.distinct as f64,
            lost: killed.saturating_sub(left.latest) as f64 / 1e9,
            holes: left.traces.iter().filter(torn).count() as f64,
            duplicates: tally.duplicate_requests as f64,
            recovery: recovery.as_secs_f64(),
        })
    }

    fn take(&mut self, other: &Self) {
        self.failed += other.failed;
        self.arrived += other.arrived;
        self.lost = self.lost.max(other.lost);
        self.holes += other.holes;
        self.duplicates = self.duplicates.max(other.duplicates);
        self.recovery = self.recovery.max(other.recovery);
    }
}

/// Disks that are full, broken or read-only from some moment on: the errors are put between the process and the kernel.
pub(super) fn disks(pace: Pace) -> io::Result<Vec<Row>> {
    let pace = pace.at_most(SPEED);
    let faults = [
        ("full", "ENOSPC"),
        ("broken", "EIO"),
        ("read-only", "EROFS"),
    ];
    let mut rows = Vec::new();
    for (name, error) in faults {
        let name = format!("R4/{name}");
        rows.push(match Preload::build()? {
            Some(preload) => disk(&name, error, &preload, pace)?,
            None => Row::failed(&name, "no C compiler to build what makes the disk fail"),
        });
    }
    Ok(rows)
}

fn disk(name: &str, error: &str, preload: &Preload, pace: Pace) -> io::Result<Row> {
    let folder = preload.folder().join(format!("spool-{error}"));
    let receiver = Receiver::start()?;
    let mut setup = Setup::new(receiver.endpoint(), pace.speed);
    setup.spool = Some(folder);
    preload.fail(None)?;
    let mut service = Remote::start_with(&setup, |command| preload.set(command))?;
    let mut made = Made::default();
    made.add(&service.run_at(RATE / pace.speed, 20.0)?);
    service.flush(PATIENCE)?;
    receiver.set(Fault::Refuses)?;
    // A third of the outage on a good disk, a third on a bad one, a third on a good one again.
    let mut unaccounted = 0.0;
    let mut told = 0.0;
    for fault in [None, Some(error), None] {
        preload.fail(fault)?;
        made.add(&service.run(10.0)?);
        let books = service.collect_and_read()?;
        unaccounted += made.unaccounted(&books);
        told = of(&books, "spool_errors");
    }
    receiver.set(Fault::None)?;
    service.flush(PATIENCE)?;
    let after = service.end(PATIENCE)?;
    unaccounted += made.unaccounted(&after);
    let mut row = Row::new(
        name,
        format!(
            "port closed for 30 s, in the middle third writes to the spool fail with {error} (simulated between the process and the kernel); {}",
            pace.said()
        ),
    );
    row.put("requests", made.requests, "")
        .put("failed requests", made.failed, "")
        .put("told", told, "errors")
        .put("delivered", of(&after, "traces.delivered"), "")
        .put("dropped queue_full", of(&after, "traces.queue_full"), "")
        .put(
            "dropped spool_unreadable",
            of(&after, "traces.spool_unreadable"),
            "",
        )
        .put("unaccounted", unaccounted, "")
        .put(
            "undelivered after recovery",
            of(&after, "traces.pending"),
            "",
        )
        .put(
            "delivered unlike arrived",
            unlike(&after, &receiver.tally()),
            "",
        );
    Ok(row)
}
