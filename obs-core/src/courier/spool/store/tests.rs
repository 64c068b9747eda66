use super::super::crc32c::crc32c;
use super::super::record::{SEGMENT_HEADER, segment_header};
use super::super::simulated::{Faults, SimulatedDisk};
use super::*;

const SECOND: u64 = 1_000_000_000;
const ROOM: u64 = u64::MAX;

fn batch(signal: Signal, bytes: usize, items: u64) -> Batch {
    Batch::new(signal, vec![items as u8; bytes], items)
}

fn traces(items: u64) -> Batch {
    batch(Signal::Traces, 1000, items)
}

fn settings() -> SpoolSettings {
    SpoolSettings::at("simulated")
}

/// A store on this disk, with what it found.
#[track_caller]
fn open_with(disk: &SimulatedDisk, settings: &SpoolSettings) -> (Store, Recovered) {
    let mut store = Store::new(disk.files(), settings);
    let found = store.open(SECOND).expect("no fault").expect("not claimed");
    (store, found)
}

fn open(disk: &SimulatedDisk) -> (Store, Recovered) {
    open_with(disk, &settings())
}

#[track_caller]
fn load(store: &mut Store, signal: Signal) -> Option<Record> {
    match store.load(signal, ROOM, SECOND).expect("readable") {
        Load::Record(record) => Some(record),
        Load::Nothing => None,
        Load::NoRoom { .. } => panic!("there is room"),
    }
}

/// Everything that is left, in order, seen off.
#[track_caller]
fn drain(store: &mut Store, signal: Signal) -> Vec<u64> {
    let mut items = Vec::new();
    while let Some(record) = load(store, signal) {
        assert_eq!(record.batch.signal, signal);
        assert!(
            record
                .batch
                .body
                .iter()
                .all(|&byte| byte == record.batch.items as u8)
        );
        items.push(record.batch.items);
        store.done(signal, record.place).expect("marked");
    }
    items
}

#[test]
fn what_is_written_is_loaded_in_order_and_leaves_nothing_behind() {
    let disk = SimulatedDisk::default();
    let (mut store, found) = open(&disk);
    assert_eq!(found, Recovered::default());
    for items in 1..=5 {
        store.append(&traces(items), items, 0).expect("written");
        store
            .append(&batch(Signal::Logs, 0, items + 10), 0, 0)
            .expect("written");
    }
    assert_eq!(drain(&mut store, Signal::Traces), [1, 2, 3, 4, 5]);
    assert_eq!(drain(&mut store, Signal::Logs), [11, 12, 13, 14, 15]);
    assert_eq!(drain(&mut store, Signal::Metrics), [0; 0]);
    assert_eq!((disk.segment_bytes(), store.bytes()), (0, 0));
    store.append(&traces(6), 6, 0).expect("written");
    assert_eq!(drain(&mut store, Signal::Traces), [6]);
}

#[test]
fn a_restart_goes_on_behind_the_last_that_was_seen_off() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open(&disk);
    for items in 1..=5 {
        store
            .append(&traces(items), items + 70, 0)
            .expect("written");
    }
    let first = load(&mut store, Signal::Traces).expect("a record");
    assert_eq!(first.ticket, 71);
    store.done(Signal::Traces, first.place).expect("marked");
    load(&mut store, Signal::Traces).expect("in somebody's hands, and not seen off");
    drop(store);
    let (mut store, found) = open(&disk);
    assert_eq!(
        found.lanes[Signal::Traces.index()],
        Count {
            records: 4,
            items: 2 + 3 + 4 + 5
        }
    );
    let again = load(&mut store, Signal::Traces).expect("a record");
    assert_eq!(
        (again.batch.items, again.ticket),
        (2, 0),
        "no ticket of this run"
    );
    store.done(Signal::Traces, again.place).expect("marked");
    store.append(&traces(6), 1, 0).expect("written");
    assert_eq!(drain(&mut store, Signal::Traces), [3, 4, 5, 6]);
}

#[test]
fn seen_off_in_another_order_it_waits_for_the_older() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open(&disk);
    let places: Vec<_> = (1..=3)
        .map(|items| store.append(&traces(items), 0, 0).expect("written"))
        .collect();
    store.hold(Signal::Traces, places[1], &traces(2));
    store.done(Signal::Traces, places[1]).expect("marked");
    assert_eq!(drain(&mut store, Signal::Traces), [1, 3]);
    assert_eq!(disk.segment_bytes(), 0);
}

#[test]
fn a_second_store_is_told_that_it_is_the_second() {
    let disk = SimulatedDisk::default();
    let (first, _) = open(&disk);
    let mut second = Store::new(disk.files(), &settings());
    assert_eq!(second.open(0).expect("no fault"), None);
    drop(first);
    assert!(second.open(0).expect("no fault").is_some());
}

#[test]
fn the_cap_holds_and_the_oldest_of_all_signals_go() {
    let disk = SimulatedDisk::default();
    let capacity = 2 << 20;
    let (mut store, _) = open_with(&disk, &settings().with_capacity_bytes(capacity));
    let (mut written, mut lost) = (0, 0);
    for round in 0..10_000 {
        // A busy signal and a quiet one.
        store.append(&traces(1), 0, 0).expect("written");
        written += 1;
        if round % 100 == 0 {
            store
                .append(&batch(Signal::Logs, 10, 1), 0, 0)
                .expect("written");
            written += 1;
        }
        lost += store
            .take_losses()
            .iter()
            .map(|loss| loss.unread.items)
            .sum::<u64>();
        assert!(disk.segment_bytes() <= capacity);
        if lost > 0 {
            assert!(
                disk.segment_bytes() >= capacity / 100 * 95,
                "{}",
                disk.segment_bytes()
            );
        }
    }
    let left = drain(&mut store, Signal::Traces).len();
    let quiet = drain(&mut store, Signal::Logs).len();
    assert!(lost > 5_000);
    assert_eq!(left as u64 + quiet as u64 + lost, written);
    // Both lost what is as old: the quiet one keeps its share of what the busy one keeps.
    assert!((left / 100).abs_diff(quiet) <= 2, "{left} and {quiet}");
}

#[test]
fn a_segment_that_goes_with_records_in_hand_says_so() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open_with(&disk, &settings().with_capacity_bytes(1 << 20));
    let large = batch(Signal::Traces, 600_000, 3);
    store.append(&large, 0, 0).expect("written");
    let held = load(&mut store, Signal::Traces).expect("a record");
    store
        .append(&batch(Signal::Metrics, 600_000, 4), 0, 0)
        .expect("written");
    let loss = Loss {
        signal: Signal::Traces,
        unread: Count::default(),
        reason: DropReason::SpoolFull,
        segment: Some(held.place.epoch),
    };
    assert_eq!(store.take_losses(), [loss]);
    store
        .done(Signal::Traces, held.place)
        .expect("nothing to mark");
    assert_eq!(drain(&mut store, Signal::Metrics), [4]);
    let error = store
        .append(&batch(Signal::Logs, 2 << 20, 1), 0, 0)
        .expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
}

#[test]
fn what_is_too_old_goes_and_is_counted() {
    let disk = SimulatedDisk::default();
    let aged = settings().with_max_age(Duration::from_secs(10));
    let (mut store, _) = open_with(&disk, &aged);
    store.append(&traces(1), 0, 5 * SECOND).expect("written");
    store.append(&traces(2), 0, 9 * SECOND).expect("written");
    store.expire(18 * SECOND);
    assert_eq!(store.take_losses(), [], "the second is young enough");
    let Load::Record(record) = store
        .load(Signal::Traces, ROOM, 18 * SECOND)
        .expect("readable")
    else {
        panic!("the second")
    };
    assert_eq!(record.batch.items, 2);
    let [loss] = store.take_losses()[..] else {
        panic!("the first")
    };
    assert_eq!((loss.unread.items, loss.reason), (1, DropReason::Expired));
    store.expire(30 * SECOND);
    let [loss] = store.take_losses()[..] else {
        panic!("with what was in hand")
    };
    assert_eq!(
        (loss.unread.items, loss.segment),
        (0, Some(record.place.epoch))
    );
    drop(store);

    let (mut store, _) = open_with(&disk, &aged);
    store.append(&traces(4), 0, 5 * SECOND).expect("written");
    drop(store);
    let mut store = Store::new(disk.files(), &aged);
    let found = store
        .open(100 * SECOND)
        .expect("no fault")
        .expect("not claimed");
    assert_eq!(found.lanes[0].items, 4, "found, and then dropped");
    assert_eq!(store.take_losses()[0].reason, DropReason::Expired);
    assert_eq!(disk.segment_bytes(), 0);
}

fn segment(disk: &SimulatedDisk) -> String {
    let names = disk.names();
    names
        .into_iter()
        .find(|name| name.ends_with(".seg"))
        .expect("a segment")
}

#[test]
fn a_torn_tail_ends_a_segment_at_the_last_whole_record() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open(&disk);
    for items in 1..=3 {
        store.append(&traces(items), 0, 0).expect("written");
    }
    drop(store);
    let whole = disk.len(&segment(&disk));
    let record = RECORD_HEADER + 1000;
    for torn in [1, record - 1, record] {
        let name = segment(&disk);
        disk.tear(&name, whole - torn);
        let (store, found) = open(&disk);
        assert_eq!(found.lanes[0].items, 3, "torn by {torn}");
        assert_eq!(found.corrupt_bytes as usize, record - torn);
        drop(store);
    }
    let (mut store, _) = open(&disk);
    assert_eq!(drain(&mut store, Signal::Traces), [1, 2]);
}

#[test]
fn a_flipped_bit_costs_a_body_its_record_and_a_header_what_follows() {
    for (byte, left, lost) in [
        (SEGMENT_HEADER + RECORD_HEADER + 7, vec![2, 4, 8], 1),
        (SEGMENT_HEADER + 3, vec![], 15),
    ] {
        let disk = SimulatedDisk::default();
        let (mut store, _) = open(&disk);
        for items in [1, 2, 4, 8] {
            store.append(&traces(items), 0, 0).expect("written");
        }
        let name = segment(&disk);
        disk.flip(&name, byte);
        assert_eq!(drain(&mut store, Signal::Traces), left);
        let [loss] = store.take_losses()[..] else {
            panic!("one loss")
        };
        assert_eq!(
            (loss.unread.items, loss.reason),
            (lost, DropReason::SpoolUnreadable)
        );
        store
            .append(&traces(16), 0, 0)
            .expect("it goes on in another");
        assert_eq!(drain(&mut store, Signal::Traces), [16]);
        assert_eq!(disk.segment_bytes(), 0);
    }
}

#[test]
fn files_that_make_no_sense_are_removed_and_those_of_a_later_version_are_not() {
    let disk = SimulatedDisk::default();
    let mut newer = segment_header(Signal::Logs, 4);
    newer[8] = 9;
    let (front, seal) = newer.split_last_chunk_mut::<4>().unwrap();
    *seal = crc32c(front).to_le_bytes();
    disk.put(&segment_name(Signal::Logs, 4), &newer);
    disk.put(&segment_name(Signal::Logs, 5), &[7; 100]);
    disk.put("notes.txt", b"of somebody else");
    let (mut store, found) = open(&disk);
    assert_eq!(
        found,
        Recovered {
            corrupt_bytes: 100,
            ..Recovered::default()
        }
    );
    assert_eq!(
        store.take_troubles()[0].error.kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(
        disk.names(),
        [segment_name(Signal::Logs, 4), "notes.txt".to_owned()]
    );
    let place = store
        .append(&batch(Signal::Logs, 1, 1), 0, 0)
        .expect("written");
    assert_eq!(place.epoch, 6, "no number is used twice");
}

#[test]
fn a_full_disk_leaves_no_half_a_record_behind() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open(&disk);
    store.append(&traces(1), 0, 0).expect("written");
    let before = disk.segment_bytes();
    for room in [0, 1, RECORD_HEADER as u64, 1039] {
        disk.set_faults(Faults {
            room: Some(room),
            ..Faults::default()
        });
        let error = store.append(&traces(2), 0, 0).expect_err("no room");
        assert!(
            matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::WriteZero),
            "{error}"
        );
        assert_eq!(disk.segment_bytes(), before);
    }
    disk.set_faults(Faults::default());
    store.append(&traces(3), 0, 0).expect("written");
    assert_eq!(drain(&mut store, Signal::Traces), [1, 3]);
}

#[test]
fn a_disk_that_cannot_be_read_is_given_up_after_three_times() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open(&disk);
    store.append(&traces(1), 0, 0).expect("written");
    store.append(&traces(2), 0, 0).expect("written");
    disk.set_faults(Faults {
        failing_reads: true,
        ..Faults::default()
    });
    for _ in 1..MAX_FAILURES {
        store.load(Signal::Traces, ROOM, 0).expect_err("EIO");
    }
    assert!(matches!(
        store.load(Signal::Traces, ROOM, 0),
        Ok(Load::Nothing)
    ));
    assert_eq!(
        store.take_losses()[0].unread,
        Count {
            records: 2,
            items: 3
        }
    );
    assert_eq!(store.take_troubles().len(), 1);
}

#[test]
fn a_directory_that_is_removed_is_noticed_and_made_anew() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open(&disk);
    store.append(&traces(1), 0, 0).expect("written");
    disk.remove_all();
    let error = store
        .append(&traces(2), 0, 0)
        .expect_err("nobody would find it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(store.claim().expect("no fault"));
    store.append(&traces(3), 0, 0).expect("written");
    assert_eq!(drain(&mut store, Signal::Traces), [3]);
    assert_eq!(store.take_losses()[0].unread.items, 1);
}

#[test]
fn what_was_synced_outlives_the_machine() {
    for (fsync, left) in [(Fsync::EachBatch, 3), (Fsync::Never, 0)] {
        let disk = SimulatedDisk::default();
        let policy = settings().with_fsync(fsync);
        let (mut store, _) = open_with(&disk, &policy);
        for items in 1..=3 {
            store.append(&traces(items), 0, 0).expect("written");
        }
        disk.lose_power(0);
        drop(store);
        let (_, found) = open_with(&disk, &policy);
        assert_eq!(found.lanes[0].records, left, "{fsync:?}");
    }
}

#[test]
fn a_failed_sync_is_told_and_nothing_more_goes_there() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open(&disk);
    let first = store.append(&traces(1), 0, 0).expect("written");
    disk.set_faults(Faults {
        failing_syncs: true,
        ..Faults::default()
    });
    assert!(store.is_dirty());
    store.sync();
    assert_eq!(
        store.take_troubles().len(),
        2,
        "the segment and the directory"
    );
    assert!(
        !store.is_dirty(),
        "it is not asked again for what the system gave up"
    );
    disk.set_faults(Faults::default());
    let second = store.append(&traces(2), 0, 0).expect("written");
    assert!(second.epoch > first.epoch);
    assert_eq!(drain(&mut store, Signal::Traces), [1, 2]);
}

#[test]
fn a_disk_that_turns_read_only_still_gives_and_repeats_only_after_a_restart() {
    let disk = SimulatedDisk::default();
    let (mut store, _) = open(&disk);
    for items in 1..=2 {
        store.append(&traces(items), 0, 0).expect("written");
    }
    disk.set_faults(Faults {
        read_only: true,
        ..Faults::default()
    });
    for items in 1..=2 {
        let record = load(&mut store, Signal::Traces).expect("a record");
        assert_eq!(record.batch.items, items);
        store
            .done(Signal::Traces, record.place)
            .expect_err("cannot be marked");
    }
    assert!(load(&mut store, Signal::Traces).is_none());
    disk.set_faults(Faults::default());
    store.append(&traces(3), 0, 0).expect("written");
    assert_eq!(drain(&mut store, Signal::Traces), [3]);
    assert_eq!(disk.segment_bytes(), 0);
}
