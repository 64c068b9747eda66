//! In a forked child nobody waits for what the parent's threads were at, and its books hold only what is its own.

use super::{LONG, event};
use crate::support::{WORK, builder, sampler};
use obs_core::courier::{Capture, Sent};
use obs_core::{Labels, Outcome, Parent, Telemetry};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// What the child saw, in words for a pipe.
fn seen(telemetry: Telemetry) -> String {
    let begun = Instant::now();
    let books = telemetry.books();
    format!(
        "{} {} {}",
        books.is_balanced(),
        books.total().delivered,
        begun.elapsed() < Duration::from_secs(10)
    )
}

#[test]
fn a_childs_books_are_balanced_and_hold_nothing_of_its_parents() {
    let telemetry = builder()
        .with_sampler(sampler(true))
        .with_collect_interval(Duration::from_millis(1))
        .with_transport(Capture::new().with_answer(|_| Sent::DELIVERED))
        .build()
        .expect("usable");
    let kind = telemetry.kind(&WORK);
    let (mut read, mut write) = std::io::pipe().expect("a pipe");
    let end = || {
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED)
    };
    end();
    telemetry.flush(LONG).expect("delivered");
    let child = match fork::fork().expect("a fork") {
        fork::Fork::Child => {
            telemetry.emit(event());
            let _ = write.write_all(seen(telemetry).as_bytes());
            drop(write);
            // Nothing of the test's harness is the child's.
            std::process::abort();
        }
        fork::Fork::Parent(child) => child,
    };
    drop(write);
    let mut theirs = String::new();
    read.read_to_string(&mut theirs).expect("its books");
    fork::waitpid(child).ok();
    assert_eq!(theirs, "true 0 true");
    end();
    telemetry.shutdown(LONG).expect("delivered");
    super::assert_closed(&telemetry.books());
    assert_eq!(telemetry.books().traces.delivered, 2);
}

#[test]
fn the_books_of_a_childs_child_hold_nothing_of_the_child() {
    // Nobody can make this one again.
    let (dead, _) = super::Scripted::new(|_, _| Sent::retry("away"));
    let telemetry = builder()
        .manual()
        .with_sampler(sampler(true))
        .with_transport(dead)
        .build()
        .expect("usable");
    let (mut read, mut write) = std::io::pipe().expect("a pipe");
    let created = |events: u64| {
        (0..events).for_each(|_| telemetry.emit(event()));
        telemetry.flush(LONG).ok();
        let logs = telemetry.books().logs;
        format!("{} of {events} {} ", logs.created, logs.is_balanced())
    };
    let ended = |child| match child {
        fork::Fork::Child => true,
        fork::Fork::Parent(child) => {
            fork::waitpid(child).ok();
            false
        }
    };
    if ended(fork::fork().expect("a fork")) {
        let mut seen = created(3);
        if ended(fork::fork().expect("a fork")) {
            seen += &created(2);
            let _ = write.write_all(seen.as_bytes());
        }
        std::process::abort();
    }
    drop(write);
    let mut theirs = String::new();
    read.read_to_string(&mut theirs).expect("their books");
    assert_eq!(theirs, "3 of 3 true 2 of 2 true ");
}
