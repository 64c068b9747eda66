//! A forked child that says so makes ids of its own.
#![cfg(unix)]

#[path = "support/support.rs"]
mod support;

use obs_core::Outcome;
use std::io::{Read, Write};
use support::*;

fn ids(rig: &Rig) -> String {
    let mut operation = rig.root("a");
    format!(
        "{:?}",
        operation.active().expect("it records").trace_parent()
    )
}

#[test]
fn a_forked_child_that_seeds_anew_does_not_repeat_its_parents_ids() {
    let rig = rig(true);
    // This thread's generator is seeded before the fork.
    rig.root("first").end(Outcome::ANSWERED);
    let (mut read, mut write) = std::io::pipe().expect("a pipe");
    let child = match fork::fork().expect("a fork") {
        fork::Fork::Child => {
            obs_core::ids::reseed();
            let _ = write.write_all(ids(&rig).as_bytes());
            drop(write);
            // Nothing of the test's harness is the child's.
            std::process::abort();
        }
        fork::Fork::Parent(child) => child,
    };
    drop(write);
    let (own, mut theirs) = (ids(&rig), String::new());
    read.read_to_string(&mut theirs).expect("its ids");
    fork::waitpid(child).ok();
    assert!(theirs.contains("TraceParent"), "{theirs}");
    assert_ne!(own, theirs);
}
