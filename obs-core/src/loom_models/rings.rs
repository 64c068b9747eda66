//! Ring push × drain × full.

use crate::engine::ring::{Pushed, Ring};
use loom::sync::Arc;
use loom::thread;

/// Pushes `items`; gives back those for which there was no room.
fn push_all(ring: &Ring<u32>, items: std::ops::Range<u32>) -> Vec<u32> {
    items
        .filter_map(|item| match ring.push(item) {
            Pushed::Full(item) => Some(item),
            Pushed::Taken | Pushed::HalfFull => None,
        })
        .collect()
}

fn drain(ring: &Ring<u32>, into: &mut Vec<u32>) {
    ring.drain(&mut Vec::new(), into);
}

/// `pushers` with `each` items, against a collector that drains `drains` times meanwhile.
fn model(capacity: usize, pushers: u32, each: u32, drains: usize) {
    loom::model(move || {
        let ring = Arc::new(Ring::new(capacity));
        let running: Vec<_> = (0..pushers)
            .map(|pusher| {
                let ring = ring.clone();
                thread::spawn(move || push_all(&ring, pusher * each..(pusher + 1) * each))
            })
            .collect();
        let mut seen = Vec::new();
        for _ in 0..drains {
            drain(&ring, &mut seen);
        }
        for thread in running {
            seen.extend(thread.join().expect("no panic"));
        }
        drain(&ring, &mut seen);
        seen.sort_unstable();
        let all: Vec<_> = (0..pushers * each).collect();
        assert_eq!(seen, all, "each once: taken or given back");
    });
}

#[test]
fn what_comes_while_a_ring_is_closed_is_drained_or_given_back() {
    loom::model(|| {
        let ring = Arc::new(Ring::new(2));
        let pusher = {
            let ring = ring.clone();
            thread::spawn(move || push_all(&ring, 0..2))
        };
        let mut seen = Vec::new();
        ring.close();
        drain(&ring, &mut seen);
        seen.extend(pusher.join().expect("no panic"));
        seen.sort_unstable();
        assert_eq!(seen, [0, 1], "each once, and nothing is left behind");
    });
}

#[test]
fn one_thread_and_the_collector_lose_and_double_nothing() {
    model(1, 1, 3, 2);
}

#[test]
fn two_threads_of_a_common_shard_lose_and_double_nothing() {
    model(1, 2, 1, 1);
}

#[test]
fn nothing_is_given_back_while_there_is_room() {
    loom::model(|| {
        let ring = Arc::new(Ring::new(1));
        let pusher = {
            let ring = ring.clone();
            thread::spawn(move || push_all(&ring, 0..2))
        };
        let mut seen = Vec::new();
        drain(&ring, &mut seen);
        drain(&ring, &mut seen);
        assert_eq!(pusher.join().expect("no panic"), [0_u32; 0]);
        drain(&ring, &mut seen);
        assert_eq!(seen.len(), 2);
    });
}
