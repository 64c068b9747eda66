//! A forked child leaves its parent's spool alone.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::time::{Duration, Instant};

use fork::Fork;
use obs_core::courier::{Capture, Courier, DropReason, Signal, SpoolSettings};

use super::scratch::segments;
use super::{Scratch, numbered, quick, refusing, soon};

#[test]
fn a_forked_child_leaves_the_spool_of_its_parent_alone() {
    for threaded in [true, false] {
        let scratch = Scratch::new();
        let spool = scratch.path("spool");
        let settings = SpoolSettings::at(&spool).with_patience(Duration::ZERO);
        let courier = Courier::new(refusing(), quick().with_spool(settings.clone()));
        if threaded {
            courier.start().expect("threads");
        }
        courier.outbox().push(numbered(1, 1_000));
        let deadline = soon();
        while courier.accounts().traces.spooled == 0 {
            assert!(Instant::now() < deadline, "it was not written");
            courier.step(Instant::now(), deadline);
        }
        let before = segments(&spool);
        let child = match fork::fork().expect("a fork") {
            Fork::Child => {
                courier.outbox().push(numbered(2, 1_000));
                let forked = courier.accounts().traces.dropped.by(DropReason::Forked);
                courier.flush(soon()).ok();
                courier.shutdown(soon()).ok();
                drop(courier);
                exit(if forked == 1 { 0 } else { 1 });
            }
            Fork::Parent(child) => child,
        };
        assert_eq!(fork::waitpid(child).expect("a child"), 0);
        assert_eq!(segments(&spool), before);
        courier.shutdown(soon()).expect("kept");
        let capture = Capture::new();
        let next = Courier::new(capture.clone(), quick().with_spool(settings));
        next.step(Instant::now(), soon());
        next.shutdown(soon()).expect("delivered");
        assert_eq!(next.accounts().of(Signal::Traces).recovered, 1);
    }
}

#[test]
fn a_spool_is_free_once_its_courier_has_ended_and_no_sooner_whatever_a_forked_child_does() {
    for childs_is_dropped in [true, false] {
        let scratch = Scratch::new();
        let settings = SpoolSettings::at(scratch.path("spool"));
        let courier = Courier::new(refusing(), quick().with_spool(settings.clone()));
        courier.outbox().push(numbered(1, 1_000));
        courier.step(Instant::now(), soon());
        let (mut ours, mut childs) = UnixStream::pair().expect("a pair");
        let child = match fork::fork().expect("a fork") {
            Fork::Child => {
                // Or it would not see its parent end.
                drop(ours);
                let kept = Some(courier).filter(|_| !childs_is_dropped);
                childs.write_all(b"!").expect("told");
                childs.read_exact(&mut [0]).ok();
                drop(kept);
                exit(0);
            }
            Fork::Parent(child) => child,
        };
        ours.read_exact(&mut [0]).expect("it has begun");
        let second = Courier::new(refusing(), quick().with_spool(settings.clone()));
        second.step(Instant::now(), soon());
        assert_eq!(second.accounts().spool_errors, 1, "it is not free yet");
        courier.shutdown(soon()).expect("kept");
        let next = Courier::new(Capture::new(), quick().with_spool(settings));
        next.step(Instant::now(), soon());
        let problem = next.last_problem();
        next.shutdown(soon()).expect("delivered");
        let recovered = next.accounts().of(Signal::Traces).recovered;
        assert_eq!(recovered, 1, "{problem:?}");
        ours.write_all(b"!").expect("told");
        assert_eq!(fork::waitpid(child).expect("a child"), 0);
    }
}
