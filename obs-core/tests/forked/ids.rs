//! Ids of a child are its own, without being told.

use crate::child::in_child;
use crate::support::*;
use obs_core::Outcome;
use std::collections::HashSet;
use std::io::{Read, Write};

fn ids(rig: &Rig) -> Vec<String> {
    let ids = |_| {
        let mut operation = rig.root("a");
        let parent = operation.active().expect("it records").trace_parent();
        operation.end(Outcome::ANSWERED);
        format!("{parent:?}")
    };
    (0..100).map(ids).collect()
}

#[test]
fn a_forked_child_does_not_repeat_its_parents_ids() {
    let rig = rig(true);
    // This thread's generator is seeded before the fork.
    rig.root("first").end(Outcome::ANSWERED);
    let (mut read, mut write) = std::io::pipe().expect("a pipe");
    in_child(|| {
        write
            .write_all(ids(&rig).join("\n").as_bytes())
            .expect("the parent reads");
    });
    drop(write);
    let mut theirs = String::new();
    read.read_to_string(&mut theirs).expect("its ids");
    let theirs: HashSet<_> = theirs.lines().map(str::to_owned).collect();
    let ours: HashSet<_> = ids(&rig).into_iter().collect();
    assert_eq!((theirs.len(), ours.len()), (100, 100));
    assert!(theirs.is_disjoint(&ours));
}

/// With threads nobody asks the kernel at each operation: there a child that makes ids has to say so.
#[test]
fn a_generator_seeds_anew_when_it_is_told_of_a_fork() {
    let mut generator = obs_core::ids::Rng::from_entropy();
    generator.next_u64();
    let (mut read, mut write) = std::io::pipe().expect("a pipe");
    in_child(|| {
        obs_core::ids::reseed();
        generator.refresh();
        let _ = write.write_all(&generator.next_u64().to_be_bytes());
    });
    drop(write);
    let mut theirs = [0; 8];
    read.read_exact(&mut theirs).expect("its number");
    assert_ne!(generator.next_u64().to_be_bytes(), theirs);
}
