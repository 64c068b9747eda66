//! Disks that are full, read-only, in use or not there, as the kernel has them. Where no file system may be mounted, a limit on
//! the size of files stands in for one that is too small.

use std::fs;
use std::path::Path;
use std::process::Command;

use obs_core::courier::{Capture, Courier, SpoolSettings, Step};

use super::child::command;
use super::scratch::segments;
use super::{NOWHERE, Scratch, numbered, quick, refusing, soon};

/// A mount namespace of its own, as root or as anybody whom the kernel lets.
fn namespace() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-Urm"]];
    ways.into_iter().find(|way| {
        let tried = Command::new(way[0])
            .args(&way[1..])
            .args(["sh", "-c", "mount -t tmpfs -o size=64k obs /tmp"])
            .output();
        tried.is_ok_and(|tried| tried.status.success())
    })
}

/// Lets a child fill the spool on the disk that `script` prepares, and says what it printed.
fn fill_behind(before: &[&str], script: &str, spool: &Path) -> String {
    let shell = [before, &["sh", "-c", script]].concat();
    let ran = command(&shell, "fill", spool, NOWHERE, 0)
        .env("DISK", spool)
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}{complained}");
    said
}

/// Of a hundred.
fn on_disk(said: &str) -> u64 {
    let line = said
        .lines()
        .find(|line| line.contains(" of 100 were on disk"))
        .expect("a line");
    println!("{line}");
    line.split(' ')
        .next()
        .and_then(|count| count.parse().ok())
        .expect("a count")
}

#[test]
fn a_limit_on_the_size_of_files_costs_nothing_but_the_disk() {
    let scratch = Scratch::new();
    let spool = scratch.path("spool");
    // 60 KiB; the signal that goes with it is ignored, or it would end the process.
    let script = r#"trap '' XFSZ; ulimit -f 120; exec "$0" "$@""#;
    let on_disk = on_disk(&fill_behind(&[], script, &spool));
    assert!((1..100).contains(&on_disk));
}

#[test]
fn a_full_or_read_only_file_system_costs_nothing_but_the_disk() {
    let Some(namespace) = namespace() else {
        println!(
            "no file system may be mounted here: the limit on the size of files is what was tested"
        );
        return;
    };
    let scratch = Scratch::new();
    let spool = scratch.path("spool");
    fs::create_dir(&spool).expect("made");
    let full = r#"mount -t tmpfs -o size=256k obs "$DISK" && exec "$0" "$@""#;
    let count = on_disk(&fill_behind(namespace, full, &spool));
    assert!((1..100).contains(&count));
    let read_only = r#"mount -t tmpfs -o ro obs "$DISK" && exec "$0" "$@""#;
    assert_eq!(on_disk(&fill_behind(namespace, read_only, &spool)), 0);
}

#[test]
fn a_file_where_the_directory_should_be_costs_nothing_but_the_disk() {
    let scratch = Scratch::new();
    let spool = scratch.path("spool");
    fs::write(&spool, "in the way").expect("written");
    let said = fill_behind(&[], r#"exec "$0" "$@""#, &spool);
    assert_eq!(on_disk(&said), 0);
    assert_eq!(fs::read(&spool).expect("there"), b"in the way");
}

#[test]
fn a_second_process_keeps_to_memory() {
    let scratch = Scratch::new();
    let spool = scratch.path("spool");
    let first = Courier::new(refusing(), quick().with_spool(SpoolSettings::at(&spool)));
    assert_eq!(first.step(std::time::Instant::now(), soon()), Step::Idle);
    let said = fill_behind(&[], r#"exec "$0" "$@""#, &spool);
    assert_eq!(on_disk(&said), 0);
    assert_eq!(segments(&spool), []);
}

#[test]
fn a_directory_that_somebody_removes_is_made_anew() {
    let scratch = Scratch::new();
    let spool = scratch.path("spool");
    let settings = SpoolSettings::at(&spool).with_patience(std::time::Duration::ZERO);
    let courier = Courier::new(refusing(), quick().with_spool(settings.clone()));
    let mut at = std::time::Instant::now();
    for number in 0..3 {
        courier.outbox().push(numbered(number, 1_000));
        at += std::time::Duration::from_secs(61);
        courier.step(at, soon());
    }
    assert_eq!(courier.accounts().traces.spooled, 3);
    fs::remove_dir_all(&spool).expect("removed");
    for number in 3..6 {
        courier.outbox().push(numbered(number, 1_000));
        at += std::time::Duration::from_secs(61);
        courier.step(at, soon());
    }
    assert_eq!(segments(&spool).len(), 1);
    let lost = courier.shutdown(soon()).expect_err("three are gone");
    assert_eq!(lost.lost(), 3, "{lost}");
    assert_eq!(courier.accounts().traces.spooled, 3);
    let capture = Capture::new();
    let next = Courier::new(capture.clone(), quick().with_spool(settings));
    next.step(std::time::Instant::now(), soon());
    next.shutdown(soon()).expect("delivered");
    let numbers: Vec<_> = capture
        .take()
        .iter()
        .map(|batch| super::number_of(&batch.body))
        .collect();
    assert_eq!(numbers, [3, 4, 5]);
}
