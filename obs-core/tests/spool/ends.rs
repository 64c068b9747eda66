//! How a courier with a spool ends when there is little time, or when somebody else was at the directory.

use std::time::{Duration, Instant};

use obs_core::courier::{Courier, DropReason, Settings, SpoolSettings};

use super::{Scratch, numbered, quick, refusing, soon};

fn at(scratch: &Scratch) -> Settings {
    quick().with_spool(SpoolSettings::at(scratch.path("spool")))
}

#[test]
fn a_shutdown_without_time_writes_down_what_nobody_had_the_time_to_open_a_spool_for() {
    for manual in [true, false] {
        let scratch = Scratch::new();
        let courier = Courier::new(refusing(), at(&scratch));
        if !manual {
            courier.start().expect("threads");
        }
        for number in 0..10 {
            courier.outbox().push(numbered(number, 1_000));
        }
        courier.shutdown(Instant::now()).expect("kept");
        assert_eq!(courier.accounts().traces.spooled, 10);
    }
}

#[test]
fn who_ends_before_he_looked_again_takes_the_spool_of_a_predecessor_that_ended() {
    let scratch = Scratch::new();
    let old = Courier::new(refusing(), at(&scratch));
    old.outbox().push(numbered(0, 1_000));
    old.step(Instant::now(), soon());
    let new = Courier::new(refusing(), at(&scratch));
    new.outbox().push(numbered(1, 1_000));
    new.step(Instant::now(), soon());
    let problem = new.last_problem().expect("it is in use");
    assert!(new.accounts().spool_errors == 1, "{problem}");
    old.shutdown(soon()).expect("kept");
    // Sooner than the directory is looked for again.
    let soon = Instant::now() + Duration::from_millis(100);
    new.shutdown(soon).expect("kept");
    let traces = new.accounts().traces;
    assert_eq!((traces.recovered, traces.spooled), (1, 2));
}

#[test]
fn a_shutdown_is_not_ok_where_somebody_removed_the_spool() {
    let scratch = Scratch::new();
    let spool = SpoolSettings::at(scratch.path("spool")).with_patience(Duration::ZERO);
    for manual in [true, false] {
        let courier = Courier::new(refusing(), quick().with_spool(spool.clone()));
        if !manual {
            courier.start().expect("threads");
        }
        for number in 0..10 {
            courier.outbox().push(numbered(number, 1_000));
        }
        let until = soon();
        while courier.accounts().traces.spooled < 10 {
            assert!(Instant::now() < until, "{:?}", courier.accounts());
            courier.step(Instant::now(), soon());
        }
        std::fs::remove_dir_all(scratch.path("spool")).expect("removed");
        let lost = courier.shutdown(soon()).expect_err("nothing is left");
        let by = lost.losses().traces.by(DropReason::SpoolUnreadable);
        let at_last = lost.losses().traces.by(DropReason::Shutdown);
        // One may be on its way just then.
        assert_eq!(by + at_last, 10, "{lost}");
        assert_eq!(courier.accounts().traces.pending, 0);
    }
}
