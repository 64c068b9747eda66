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
