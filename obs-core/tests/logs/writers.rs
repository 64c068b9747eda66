//! Writers that are slow, full or broken.

use crate::rig::{Logs, Written, attribute};
use obs_core::logs::{Flood, Lines as _, NonBlocking};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// Writes nothing until it is opened.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<(Mutex<bool>, Condvar)>,
    written: Written,
}

impl Gate {
    fn open(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let open = self.open.0.lock().unwrap();
        drop(self.open.1.wait_while(open, |open| !*open).unwrap());
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn non_blocking(gate: &Gate, bytes: usize) -> (Logs, NonBlocking) {
    let writer = NonBlocking::new(gate.clone(), bytes).expect("a thread");
    let lines = writer.clone();
    let logs = Logs::with(|layer| layer.with_lines(lines).with_flood(Flood::off()));
    (logs, writer)
}

#[test]
fn a_slow_writer_holds_nobody_up_and_what_had_no_room_is_told() {
    const LOGGED: u64 = 2_000;
    let gate = Gate::default();
    let (logs, writer) = non_blocking(&gate, 16 << 10);
    logs.run(|| {
        for number in 0..LOGGED {
            tracing::info!(number, "line");
        }
    });
    assert!(
        !writer.flush(Duration::from_millis(10)),
        "the gate is closed"
    );
    let lost = logs.rig.telemetry.counts().log_lines_lost;
    assert!(lost > 0 && lost < LOGGED);
    gate.open();
    assert!(writer.flush(SOON));
    logs.rig.telemetry.collect(SOON).expect("manual");
    assert!(writer.flush(SOON));
    let lines = gate.written.lines();
    let told: u64 = lines
        .iter()
        .filter_map(|line| line["obs.log.lost"].as_u64())
        .sum();
    assert_eq!(told, lost);
    let passed = lines
        .iter()
        .filter(|line| line["message"] == "line")
        .count() as u64;
    assert_eq!(passed + lost, LOGGED);
}

#[test]
fn shutdown_waits_for_lines_that_are_on_their_way() {
    let gate = Gate::default();
    let (logs, _writer) = non_blocking(&gate, 16 << 10);
    logs.run(|| tracing::info!("last words"));
    gate.open();
    logs.rig.telemetry.shutdown(SOON).expect("in time");
    assert_eq!(gate.written.line()["message"], "last words");
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_counted_with_and_without_a_thread() {
    let logs = Logs::with(|layer| layer.with_lines(|| Broken));
    logs.run(|| tracing::info!("x"));
    assert_eq!(logs.rig.telemetry.counts().log_lines_lost, 1);
    let writer = NonBlocking::new(Broken, 1 << 10).expect("a thread");
    let lines = writer.clone();
    let logs = Logs::with(|layer| layer.with_lines(lines));
    logs.run(|| tracing::info!("x"));
    assert!(writer.flush(SOON));
    logs.rig.telemetry.collect(SOON).expect("manual");
    assert_eq!(logs.rig.telemetry.counts().log_lines_lost, 1);
    // The line that says so is lost as well, and no further one says that.
    for _ in 0..5 {
        assert!(writer.flush(SOON));
        logs.rig.telemetry.collect(SOON).expect("manual");
    }
    assert_eq!(logs.rig.telemetry.counts().log_lines_lost, 1);
    assert_eq!(logs.records().len(), 2);
}

struct Panics;

impl Write for Panics {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("no");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_panics_reaches_nobody_who_logs() {
    let logs = Logs::with(|layer| layer.with_lines(|| Panics));
    logs.run(|| {
        tracing::info!("x");
        tracing::info!("y");
    });
    assert_eq!(logs.rig.telemetry.counts().log_lines_lost, 2);
    let counts = logs.rig.telemetry.counts();
    assert!(
        counts.panics >= 2 && counts.log_lines_lost >= 2,
        "{counts:?}"
    );
    let records = logs.records();
    assert_eq!(records.len(), 3);
    assert_eq!(attribute(&records[2], "obs.log.lost"), Some(&2.into()));
    assert_eq!(logs.records().len(), 0, "it is told once");
}

#[test]
fn waiting_for_ever_for_lines_is_no_panic() {
    let gate = Gate::default();
    let (logs, writer) = non_blocking(&gate, 16 << 10);
    logs.run(|| tracing::info!("x"));
    gate.open();
    assert!(writer.flush(Duration::MAX));
    assert_eq!(gate.written.line()["message"], "x");
}

/// What a panic carries, and panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any(Self);
        }
    }
}

struct Bombs;

impl Write for Bombs {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        std::panic::panic_any(Bomb);
    }

    fn flush(&mut self) -> io::Result<()> {
        std::panic::panic_any(Bomb);
    }
}

#[test]
fn lines_after_a_panic_whose_payload_panics_are_still_written_or_counted() {
    let writer = NonBlocking::new(Bombs, 1 << 10).expect("a thread");
    for lines in 1..=3 {
        writer.write_line(b"x\n").expect("room");
        assert!(writer.flush(SOON), "the thread is there");
        assert_eq!(writer.lost(), lines);
    }
}

#[test]
fn such_a_panic_reaches_nobody_who_logs_or_shuts_down() {
    let logs = Logs::with(|layer| layer.with_lines(|| Bombs));
    logs.run(|| tracing::info!("x"));
    logs.rig.telemetry.shutdown(SOON).expect("contained");
    assert_eq!(logs.rig.telemetry.counts().log_lines_lost, 1);
    drop(logs);
}

/// Takes half of the second line and then refuses the rest, or panics.
#[derive(Clone, Default)]
struct Half {
    calls: Arc<Mutex<u32>>,
    panics: bool,
    written: Written,
}

impl Write for Half {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let call = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        match call {
            2 => self.written.write(&bytes[..bytes.len() / 2]),
            3 if self.panics => panic!("half-way"),
            // Nor does it take the line after that.
            3 | 4 => Err(io::ErrorKind::WouldBlock.into()),
            _ => self.written.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[track_caller]
fn assert_others_are_whole(half: &Half) {
    let text = half.written.take();
    let numbers: Vec<_> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|line| line["fields"]["number"].as_u64())
        .collect();
    assert_eq!(numbers, [0, 3, 4], "{text}");
    assert_eq!(text.matches('\n').count(), 4, "{text}");
    assert!(!text.contains("\n\n"), "{text}");
}

#[test]
fn a_write_that_fails_half_way_spoils_no_line_but_its_own() {
    for panics in [false, true] {
        let half = Half {
            panics,
            ..Half::default()
        };
        let into = half.clone();
        let logs = Logs::with(|layer| layer.with_lines(move || into.clone()));
        logs.run(|| (0..5).for_each(|number| tracing::info!(number, "x")));
        assert_others_are_whole(&half);
        let half = Half {
            panics,
            ..Half::default()
        };
        let writer = NonBlocking::new(half.clone(), 1 << 10).expect("a thread");
        let lines = writer.clone();
        let logs = Logs::with(|layer| layer.with_lines(lines));
        for number in 0..5 {
            logs.run(|| tracing::info!(number, "x"));
            assert!(writer.flush(SOON));
        }
        assert_others_are_whole(&half);
    }
}

#[test]
fn a_line_that_had_no_room_leaves_no_empty_line() {
    let gate = Gate::default();
    let (logs, writer) = non_blocking(&gate, 1 << 10);
    logs.run(|| (0..100).for_each(|number| tracing::info!(number, "x")));
    gate.open();
    assert!(writer.flush(SOON));
    logs.run(|| tracing::info!("again"));
    assert!(writer.flush(SOON));
    let text = gate.written.take();
    assert!(text.lines().all(|line| line.starts_with('{')), "{text}");
}
