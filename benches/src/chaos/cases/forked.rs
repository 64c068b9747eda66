//! R12: a process that forks after its telemetry was set up, while its other threads record and deliver.

use std::{
    io::{self, Write},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use obs_core::{Kind, Labels, Outcome, Parent, Telemetry};

use super::endings::exporting;
use crate::chaos::{
    Pace,
    receiver::Receiver,
    row::Row,
    service::{CHILD, SEARCH},
};

const FORKS: u64 = 30;
/// Spans that each child makes.
const OF_A_CHILD: u64 = 10;
/// What a child gives its flush and its shutdown, and how long it may take over both.
const DEADLINE: Duration = Duration::from_secs(1);
const HANGS: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn forks(_: Pace) -> io::Result<Vec<Row>> {
    ["threads", "manual"].into_iter().map(apart).collect()
}

/// The process that forks has none of the receiver's threads.
fn apart(mode: &str) -> io::Result<Row> {
    let of_children = Arc::new(AtomicU64::new(0));
    let receiver = Receiver::showing({
        let of_children = of_children.clone();
        move |_, payload| {
            let theirs = payload.spans().filter(|span| span.name == "child").count();
            of_children.fetch_add(theirs as u64, Ordering::Relaxed);
        }
    })?;
    let output = Command::new(std::env::current_exe()?)
        .args(["chaos-forks", &receiver.endpoint(), mode])
        .stderr(Stdio::null())
        .output()?;
    let mut rows = Row::parse(&String::from_utf8_lossy(&output.stdout));
    let Some(mut row) = rows.pop() else {
        return Ok(Row::failed(
            &format!("R12/{mode}"),
            "it ended without a row",
        ));
    };
    let arrived = of_children.load(Ordering::Relaxed);
    let all = FORKS * OF_A_CHILD;
    // All of them, or none.
    let between = if arrived == all { 0 } else { arrived };
    row.put("spans of children", all as f64, "")
        .put("arrived", arrived as f64, "")
        .put("neither exported nor inert", between as f64, "");
    Ok(row)
}

/// The process that forks.
pub(crate) fn parent(endpoint: &str, mode: &str) -> io::Result<()> {
    let builder = exporting(endpoint);
    let builder = if mode == "manual" {
        builder.manual()
    } else {
        builder
    };
    let telemetry = builder.build().map_err(io::Error::other)?;
    let (mine, theirs) = (telemetry.kind(&SEARCH), telemetry.kind(&CHILD));
    let (over, made) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut hung, mut slowest) = (0_u64, Duration::ZERO);
    thread::scope(|scope| {
        let recording = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for _ in 0..20 {
                    record(mine);
                    made.fetch_add(1, Ordering::Relaxed);
                }
                if mode == "manual" {
                    let _ = telemetry.collect(PATIENCE);
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..FORKS {
            thread::sleep(Duration::from_millis(3));
            match fork::fork() {
                Ok(fork::Fork::Child) => child(telemetry, theirs),
                Ok(fork::Fork::Parent(pid)) => {
                    let from = Instant::now();
                    while !matches!(fork::waitpid_nohang(pid), Ok(Some(_)) | Err(_)) {
                        if from.elapsed() > HANGS {
                            hung += 1;
                            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                    slowest = slowest.max(from.elapsed());
                }
                Err(_) => hung += 1,
            }
        }
        over.store(true, Ordering::Relaxed);
        drop(recording.join());
    });
    let told = telemetry.shutdown(PATIENCE);
    let (made, books) = (made.into_inner(), telemetry.accounts().traces);
    let full = telemetry.counts().ring_full;
    let mut row = Row::new(
        format!("R12/{mode}"),
        format!(
            "{FORKS} forks while another thread records ({mode}); each child records, flushes and shuts down"
        ),
    );
    row.put("hung", hung as f64, "")
        .put("slowest child", slowest.as_secs_f64() * 1e3, "ms")
        .put("spans of the parent", made as f64, "")
        .put("delivered", books.delivered as f64, "")
        .put("dropped ring_full", full as f64, "")
        .put(
            "parent unaccounted",
            made.abs_diff(books.delivered + full) as f64,
            "",
        )
        .put("shutdown said Ok", f64::from(told.is_ok()), "");
    row.write(&mut io::stdout().lock())
}

fn record(kind: &'static Kind) {
    kind.start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
}

/// Ends the process: nothing of its parent's is its own to clean up.
fn child(telemetry: Telemetry, kind: &'static Kind) -> ! {
    for _ in 0..OF_A_CHILD {
        record(kind);
    }
    let _ = telemetry.flush(DEADLINE);
    let _ = telemetry.shutdown(DEADLINE);
    let _ = io::stdout().flush();
    std::process::abort()
}
