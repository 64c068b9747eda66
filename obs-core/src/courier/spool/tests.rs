//! A courier with a spool on a simulated disk.

mod model;
mod threads;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use super::simulated::{Faults, SimulatedDisk};
use super::*;
use crate::courier::time::now;
use crate::courier::{
    Batch, Capture, Courier, DropReason, Sent, Settings, Signal, Step, Transport,
};

const MOMENT: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);

fn batch(items: u64) -> Batch {
    Batch::new(Signal::Traces, vec![items as u8; 100], items)
}

fn spool() -> SpoolSettings {
    SpoolSettings::at("simulated").with_patience(MOMENT)
}

fn impatient() -> Settings {
    Settings::default().with_backoff(Duration::from_millis(2), Duration::from_millis(10))
}

fn courier_with(
    disk: &SimulatedDisk,
    transport: impl Transport,
    settings: Settings,
    spool: SpoolSettings,
) -> Courier {
    let keeper = Keeper::with_files(disk.files(), &spool);
    let courier = Courier::new(transport, settings.with_spool(spool));
    courier.shared.lock().keeper = Some(keeper);
    courier
}

fn courier(disk: &SimulatedDisk, transport: impl Transport) -> Courier {
    courier_with(disk, transport, impatient(), spool())
}

/// A destination that can be switched: what it took, in items.
#[derive(Clone, Default)]
struct Destination {
    is_down: Arc<AtomicBool>,
    capture: Capture,
}

impl Destination {
    fn down() -> Self {
        let destination = Self::default();
        destination.is_down.store(true, Ordering::Relaxed);
        destination
    }

    fn come_back(&self) {
        self.is_down.store(false, Ordering::Relaxed);
    }

    fn taken(&self) -> Vec<u64> {
        self.capture
            .take()
            .iter()
            .map(|batch| batch.items)
            .collect()
    }
}

impl Transport for Destination {
    fn send(&mut self, batch: &Batch, deadline: Instant) -> Sent {
        if self.is_down.load(Ordering::Relaxed) {
            return Sent::retry("down");
        }
        self.capture.send(batch, deadline)
    }
}

#[track_caller]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = now() + PATIENCE;
    while !done() {
        assert!(now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn healthy_delivery_writes_nothing() {
    let disk = SimulatedDisk::default();
    let destination = Destination::default();
    let courier = courier_with(
        &disk,
        destination.clone(),
        impatient(),
        spool().with_patience(PATIENCE),
    );
    courier.start().expect("threads");
    for items in 1..=20 {
        courier.outbox().push(batch(items));
    }
    courier.flush(now() + PATIENCE).expect("delivered");
    courier
        .shutdown(now() + PATIENCE)
        .expect("nothing was lost");
    assert_eq!(disk.names(), [""; 0]);
    assert_eq!(destination.taken(), (1..=20).collect::<Vec<_>>());
}

#[test]
fn what_waits_longer_than_a_moment_is_on_disk_and_delivered_first_by_the_next() {
    for threaded in [true, false] {
        let disk = SimulatedDisk::default();
        let first = courier(&disk, Destination::down());
        if threaded {
            first.start().expect("threads");
        }
        for items in 1..=5 {
            first.outbox().push(batch(items));
        }
        wait_until("nothing was written", || {
            first.step(now(), now() + MOMENT);
            first.accounts().traces.spooled == 15
        });
        let accounts = first.accounts();
        assert!(accounts.traces.is_balanced());
        assert_eq!(
            (accounts.traces.pending, accounts.traces.accepted),
            (15, 15)
        );
        assert_eq!(accounts.spooled_bytes, disk.segment_bytes());
        // As sudden an end as there is in one process: nothing is written in `drop`.
        drop(first);
        let destination = Destination::default();
        let second = courier(&disk, destination.clone());
        let mut at = now();
        if threaded {
            // The thread of the first lets go of the directory when it ends.
            wait_until("the directory stays taken", || {
                second.step(at, at + MOMENT);
                at += Duration::from_secs(60);
                second.accounts().traces.recovered == 15
            });
            second.start().expect("threads");
        }
        second.outbox().push(batch(6));
        second.flush(now() + PATIENCE).expect("delivered");
        let accounts = second.accounts();
        assert_eq!(
            (accounts.traces.accepted, accounts.traces.recovered),
            (21, 15)
        );
        assert_eq!(
            (accounts.traces.delivered, accounts.traces.spooled),
            (21, 0)
        );
        assert_eq!(destination.taken(), [1, 2, 3, 4, 5, 6]);
        second.shutdown(now() + PATIENCE).expect("nothing was lost");
        assert_eq!(disk.segment_bytes(), 0);
    }
}

#[test]
fn shutdown_in_an_outage_keeps_what_is_left_and_does_not_call_it_lost() {
    for threaded in [true, false] {
        let disk = SimulatedDisk::default();
        let first = courier_with(
            &disk,
            Destination::down(),
            impatient(),
            spool().with_fsync(Fsync::Every(PATIENCE)),
        );
        if threaded {
            first.start().expect("threads");
        }
        for items in 1..=5 {
            first.outbox().push(batch(items));
        }
        let started = now();
        first
            .shutdown(started + PATIENCE)
            .expect("kept is not lost");
        assert!(
            now() < started + PATIENCE / 2,
            "waiting longer would have brought nothing"
        );
        let account = first.accounts().traces;
        assert_eq!(
            (account.pending, account.spooled, account.dropped.total()),
            (15, 15, 0)
        );
        disk.lose_power(0);
        let destination = Destination::default();
        let second = courier(&disk, destination.clone());
        second.step(now(), now() + PATIENCE);
        second.shutdown(now() + PATIENCE).expect("nothing was lost");
        assert_eq!(destination.taken(), [1, 2, 3, 4, 5], "it was synced");
    }
}

/// A transport that says when it is called, and answers when it is told: a destination that hangs.
struct Hanging(mpsc::Sender<()>, mpsc::Receiver<Sent>);

impl Transport for Hanging {
    fn send(&mut self, _: &Batch, _: Instant) -> Sent {
        self.0.send(()).ok();
        self.1.recv().unwrap_or(Sent::DELIVERED)
    }
}

#[test]
fn a_batch_is_written_although_a_destination_that_hangs_has_it() {
    for answer in [Sent::DELIVERED, Sent::retry("late"), Sent::refused("no")] {
        let disk = SimulatedDisk::default();
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let courier = courier(&disk, Hanging(entered, released));
        courier.start().expect("threads");
        courier.outbox().push(batch(1));
        has_entered.recv_timeout(PATIENCE).expect("an attempt");
        courier.outbox().push(batch(2));
        wait_until("it was not written", || {
            courier.accounts().traces.spooled == 3
        });
        release.send(answer).ok();
        drop(release);
        courier.flush(now() + PATIENCE).ok();
        let account = courier.accounts().traces;
        assert!(account.is_balanced() && account.pending == 0, "{account:?}");
        courier.shutdown(now() + PATIENCE).ok();
        assert_eq!(disk.segment_bytes(), 0, "none of it is left");
    }
}

#[test]
fn shutdown_writes_what_a_destination_that_hangs_has() {
    let disk = SimulatedDisk::default();
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let courier = courier_with(
        &disk,
        Hanging(entered, released),
        impatient(),
        spool().with_patience(PATIENCE),
    );
    courier.start().expect("threads");
    courier.outbox().push(batch(1));
    has_entered.recv_timeout(PATIENCE).expect("an attempt");
    courier.outbox().push(batch(2));
    let started = now();
    courier
        .shutdown(started + 4 * MOMENT)
        .expect("kept is not lost");
    assert!(now() - started < 4 * MOMENT + Duration::from_millis(100));
    let account = courier.accounts().traces;
    assert_eq!((account.spooled, account.pending), (3, 3));
    release.send(Sent::DELIVERED).ok();
    drop(courier);
}

#[test]
fn a_disk_that_hangs_holds_up_nobody() {
    let disk = SimulatedDisk::default();
    let destination = Destination::down();
    let settings = impatient().with_capacity_bytes(4000);
    let courier = courier_with(&disk, destination.clone(), settings, spool());
    courier.start().expect("threads");
    courier.outbox().push(batch(1));
    wait_until("it was not written", || {
        courier.accounts().traces.spooled == 1
    });
    disk.set_faults(Faults {
        hanging: true,
        ..Faults::default()
    });
    let started = now();
    for _ in 0..1000 {
        courier.outbox().push(batch(2));
    }
    assert!(now() - started < PATIENCE, "nobody waits");
    let accounts = courier.accounts();
    assert!(accounts.pending_bytes <= 4000, "{accounts:?}");
    assert!(accounts.traces.dropped.by(DropReason::QueueFull) > 1000);
    destination.come_back();
    wait_until("memory was not sent", || {
        courier.accounts().traces.delivered > 0
    });
    let started = now();
    courier
        .shutdown(started + 4 * MOMENT)
        .expect_err("some was dropped");
    assert!(now() - started < 4 * MOMENT + Duration::from_millis(100));
    assert!(courier.accounts().traces.is_balanced());
    disk.set_faults(Faults::default());
}

#[test]
fn what_cannot_be_written_waits_in_memory_and_is_told_once() {
    for faults in [
        Faults {
            room: Some(0),
            ..Faults::default()
        },
        Faults {
            read_only: true,
            ..Faults::default()
        },
        Faults {
            failing_writes: true,
            ..Faults::default()
        },
    ] {
        let disk = SimulatedDisk::default();
        let destination = Destination::down();
        let courier = courier(&disk, destination.clone());
        let mut at = now();
        courier.step(at, at + PATIENCE);
        disk.set_faults(faults);
        courier.outbox().push(batch(1));
        let mut problems = 0;
        for _ in 0..10 {
            at += Duration::from_secs(61);
            courier.step(at, at + PATIENCE);
            let told = courier
                .last_problem()
                .is_some_and(|problem| problem.contains("spool"));
            problems += u64::from(told);
        }
        assert!(
            courier.accounts().spool_errors >= 5,
            "{:?}",
            courier.accounts()
        );
        assert_eq!(problems, 0, "the failure to deliver came later");
        assert_eq!(
            courier.trouble().expect("both").count,
            courier.accounts().retries + 1
        );
        let account = courier.accounts().traces;
        assert_eq!((account.pending, account.spooled), (1, 0));
        disk.set_faults(Faults::default());
        at += Duration::from_secs(61);
        courier.step(at, at + PATIENCE);
        assert_eq!(
            courier.accounts().traces.spooled,
            1,
            "tried again: {faults:?}"
        );
        destination.come_back();
        courier
            .shutdown(now() + PATIENCE)
            .expect("nothing was lost");
        assert_eq!(destination.taken(), [1]);
    }
}

#[test]
fn a_second_courier_keeps_to_memory_and_takes_over_when_the_first_has_ended() {
    let disk = SimulatedDisk::default();
    let first = courier(&disk, Destination::down());
    let destination = Destination::default();
    let second = courier(&disk, destination.clone());
    let mut at = now();
    first.outbox().push(batch(1));
    first.step(at, at + PATIENCE);
    second.outbox().push(batch(2));
    assert_eq!(second.step(at, at + PATIENCE), Step::Sent);
    assert_eq!(second.accounts().spool_errors, 1);
    let problem = second.last_problem().expect("told");
    assert!(problem.contains("the directory is in use"), "{problem}");
    first.shutdown(now() + MOMENT).expect("kept");
    at += Duration::from_secs(2);
    while second.step(at, at + PATIENCE) == Step::Sent {}
    assert_eq!(destination.taken(), [2, 1]);
    assert_eq!(second.accounts().traces.recovered, 1);
}

#[test]
fn a_removed_directory_is_made_anew() {
    let disk = SimulatedDisk::default();
    let destination = Destination::down();
    let courier = courier(&disk, destination.clone());
    let mut at = now();
    courier.outbox().push(batch(1));
    courier.outbox().push(batch(2));
    at += Duration::from_secs(1);
    courier.step(at, at + PATIENCE);
    assert_eq!(courier.accounts().traces.spooled, 3);
    disk.remove_all();
    courier.outbox().push(batch(4));
    for _ in 0..4 {
        at += Duration::from_secs(61);
        courier.step(at, at + PATIENCE);
    }
    assert!(disk.segment_bytes() > 0, "{:?}", courier.accounts());
    destination.come_back();
    at += Duration::from_secs(61);
    while courier.step(at, at + PATIENCE) == Step::Sent {}
    // The file was open, so it can be read although it has no name any more.
    assert_eq!(destination.taken(), [1, 2, 4]);
    let account = courier.accounts().traces;
    assert!(account.is_balanced() && account.pending == 0, "{account:?}");
}

#[test]
fn a_patient_shutdown_does_not_wait_for_what_an_impatient_one_has_ended() {
    let disk = SimulatedDisk::default();
    let spool = spool().with_fsync(Fsync::Every(4 * MOMENT));
    let courier = courier_with(&disk, Destination::down(), impatient(), spool);
    courier.start().expect("threads");
    courier.outbox().push(batch(1));
    wait_until("written", || courier.accounts().traces.spooled == 1);
    disk.set_faults(Faults {
        hanging: true,
        ..Faults::default()
    });
    // The sync that is due by itself hangs.
    thread::sleep(6 * MOMENT);
    thread::scope(|scope| {
        let began = now();
        let patient = scope.spawn(|| courier.shutdown(now() + PATIENCE));
        wait_until("it came to the disk", || {
            let state = courier.shared.lock();
            state.ledger.phase() == crate::courier::ledger::Phase::Keeping
        });
        courier.shutdown(now()).expect("it is on disk");
        disk.set_faults(Faults::default());
        patient.join().expect("no panic").expect("the same");
        assert!(now() - began < PATIENCE / 2);
    });
}

#[test]
fn marks_that_a_disk_did_not_take_for_a_while_are_made_up_for_before_the_end() {
    for faults in [
        Faults::default(),
        Faults {
            failing_writes: true,
            ..Faults::default()
        },
        Faults {
            failing_syncs: true,
            ..Faults::default()
        },
    ] {
        let disk = SimulatedDisk::default();
        let destination = Destination::down();
        let spool = spool().with_fsync(Fsync::EachBatch);
        let first = courier_with(&disk, destination.clone(), impatient(), spool.clone());
        let mut at = now() + Duration::from_secs(1);
        for items in 1..=9 {
            first.outbox().push(batch(items));
        }
        first.step(at, at + PATIENCE);
        assert_eq!(first.accounts().traces.spooled, 45);
        destination.come_back();
        disk.set_faults(faults);
        for _ in 0..5 {
            at += Duration::from_secs(1);
            assert_eq!(first.step(at, at + PATIENCE), Step::Sent);
        }
        assert_eq!(destination.taken(), [1, 2, 3, 4, 5]);
        disk.set_faults(Faults::default());
        destination.is_down.store(true, Ordering::Relaxed);
        first.shutdown(now() + MOMENT).expect("kept");
        assert_eq!(first.accounts().traces.spooled, 30);
        disk.lose_power(0);
        destination.come_back();
        let next = courier_with(&disk, destination.clone(), impatient(), spool);
        next.flush(now() + PATIENCE).expect("delivered");
        assert_eq!(destination.taken(), [6, 7, 8, 9], "{faults:?}");
    }
}

#[test]
fn full_memory_is_written_at_once() {
    let disk = SimulatedDisk::default();
    let settings = Settings::default().with_capacity_bytes(2000);
    let courier = courier_with(
        &disk,
        Destination::down(),
        settings,
        spool().with_patience(PATIENCE),
    );
    for items in 1..=100 {
        courier.outbox().push(batch(items));
        courier.step(now(), now() + PATIENCE);
    }
    let account = courier.accounts().traces;
    assert_eq!((account.dropped.total(), account.pending), (0, 5050));
    assert!(account.spooled > 4000, "{account:?}");
}

#[test]
fn a_batch_that_no_spool_could_hold_is_dropped_and_holds_up_no_other() {
    let disk = SimulatedDisk::default();
    let courier = courier_with(
        &disk,
        Destination::down(),
        impatient(),
        spool().with_capacity_bytes(1 << 20),
    );
    let at = now() + Duration::from_secs(1);
    courier
        .outbox()
        .push(Batch::new(Signal::Logs, vec![0; 2 << 20], 3));
    courier
        .outbox()
        .push(Batch::new(Signal::Logs, vec![0; 10], 4));
    courier.step(at, at + PATIENCE);
    let account = courier.accounts().logs;
    assert_eq!(account.dropped.by(DropReason::SpoolFull), 3);
    assert_eq!(account.spooled, 4);
}

#[test]
fn a_transport_that_panics_costs_a_batch_on_disk_as_it_does_one_in_memory() {
    let disk = SimulatedDisk::default();
    let attempts = Arc::new(AtomicU8::new(0));
    let counted = Arc::clone(&attempts);
    let capture = Capture::new().with_answer(move |batch| {
        assert!(
            batch.items != 13 || counted.fetch_add(1, Ordering::Relaxed) > 9,
            "broken"
        );
        Sent::DELIVERED
    });
    let courier = courier(&disk, capture.clone());
    let mut at = now() + Duration::from_secs(1);
    courier.outbox().push(batch(13));
    courier.outbox().push(batch(2));
    for _ in 0..10 {
        courier.step(at, at + PATIENCE);
        at += Duration::from_secs(1);
    }
    let account = courier.accounts().traces;
    assert_eq!(
        (account.dropped.by(DropReason::Fault), account.delivered),
        (13, 2)
    );
    assert_eq!((account.spooled, disk.segment_bytes()), (0, 0));
}
