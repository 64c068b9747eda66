//! A child that is forked begins with no sessions: those of its parent are the parent's to tell.
//!
//! A binary of its own with one test, which no other thread of the test disturbs while it forks.
#![cfg(unix)]

#[path = "session/support.rs"]
mod support;

use fork::Fork;
use obs_agent::session::Limits;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::{Rig, usage};

#[test]
fn a_child_begins_with_no_sessions() {
    let rig = Rig::new();
    rig.chat("parents", &usage(10, 0));
    let budget = rig
        .ledger
        .budget("parents", Limits::new().with_input_tokens(25));
    let Fork::Parent(pid) = fork::fork().expect("a fork") else {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            rig.chat("childs", &usage(3, 0));
            assert_eq!(rig.ledger.summary("parents"), None);
            let own = rig.ledger.summary("childs").expect("it is there");
            assert_eq!(own.input_tokens, 3);
            let counts = rig.ledger.counts();
            assert_eq!((counts.created, counts.live), (1, 1));
            // What it does in a session of that name is its own, and no budget of its parent's.
            rig.chat("parents", &usage(100, 0));
            assert_eq!(budget.check(), Ok(()));
            let mut closed: Vec<_> = { rig.ledger.sessions().into_iter() }
                .filter_map(|id| rig.ledger.close(&id))
                .map(|summary| summary.input_tokens)
                .collect();
            closed.sort_unstable();
            assert_eq!(closed, [3, 100]);
        }));
        std::process::exit(i32::from(ended.is_err()));
    };
    assert_eq!(fork::waitpid(pid).expect("a child"), 0, "of the child");
    rig.chat("parents", &usage(10, 0));
    let own = rig.ledger.summary("parents").expect("it is there");
    assert_eq!(own.input_tokens, 20);
    assert_eq!(budget.check(), Ok(()));
    assert_eq!(rig.ledger.sessions().len(), 1);
    rig.ledger.close("parents");
    rig.assert_balanced();
}
