//! Owner store × fold × thread exit.

use crate::engine::cells::Cells;
use crate::engine::shards::Shards;
use loom::sync::Arc;
use loom::thread;

#[derive(Debug)]
struct Shard {
    owned: bool,
    cells: Cells,
}

fn make(owned: bool) -> Shard {
    Shard {
        owned,
        cells: Cells::new(1),
    }
}

/// A thread that records `times` and ends.
fn record(shards: &Shards<Shard>, times: u64) {
    let shard = shards.acquire(make);
    for _ in 0..times {
        shard.cells.add(0, 1, shard.owned);
    }
    if shard.owned {
        shards.release(shard);
    }
}

fn fold(shards: &Shards<Shard>) -> u64 {
    shards.all().iter().map(|shard| shard.cells.read(0)).sum()
}

/// `threads` that record and end while a fold looks twice.
fn model(most_owned: usize, threads: usize, times: u64) {
    loom::model(move || {
        let shards = Arc::new(Shards::new(most_owned));
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let shards = shards.clone();
                thread::spawn(move || record(&shards, times))
            })
            .collect();
        let first = fold(&shards);
        let second = fold(&shards);
        assert!(first <= second, "a sum went back from {first} to {second}");
        running
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(fold(&shards), threads as u64 * times, "a record was lost");
        assert!(shards.all().iter().filter(|shard| shard.owned).count() <= most_owned);
    });
}

#[test]
fn a_shard_handed_to_the_next_thread_loses_nothing() {
    model(2, 2, 1);
}

#[test]
fn a_thread_that_records_again_loses_nothing() {
    model(1, 1, 3);
}

#[test]
fn threads_beyond_those_that_own_a_shard_share_one() {
    model(1, 2, 1);
}

#[test]
fn a_shard_that_nobody_owns_is_exact() {
    model(0, 2, 1);
}

#[test]
fn a_gauge_moved_between_threads_is_right_in_the_sum() {
    loom::model(|| {
        let shards = Arc::new(Shards::new(2));
        let here = shards.acquire(make);
        here.cells.add(0, 1, here.owned);
        let other = {
            let shards = shards.clone();
            thread::spawn(move || {
                let shard = shards.acquire(make);
                shard.cells.add(0, 1_u64.wrapping_neg(), shard.owned);
            })
        };
        let seen = shards
            .all()
            .iter()
            .fold(0_u64, |sum, shard| sum.wrapping_add(shard.cells.read(0)));
        assert!(seen <= 1, "up before down: {seen}");
        other.join().expect("no panic");
        let sum = shards
            .all()
            .iter()
            .fold(0_u64, |sum, shard| sum.wrapping_add(shard.cells.read(0)));
        assert_eq!(sum, 0);
    });
}

#[test]
fn floating_point_sums_that_threads_share_are_exact() {
    loom::model(|| {
        let cells = Cells::new(1);
        let other = {
            let cells = cells.clone();
            thread::spawn(move || cells.add_f64(0, 1.5, false))
        };
        cells.add_f64(0, 2.0, false);
        other.join().expect("no panic");
        assert_eq!(f64::from_bits(cells.read(0)), 3.5);
    });
}

/// That the model sees what it is there for: a shared shard written as if it were owned.
#[test]
#[should_panic(expected = "a record was lost")]
fn a_shared_shard_written_like_an_owned_one_is_caught() {
    loom::model(|| {
        let shards = Arc::new(Shards::new(0));
        let other = {
            let shards = shards.clone();
            thread::spawn(move || shards.acquire(make).cells.add(0, 1, true))
        };
        shards.acquire(make).cells.add(0, 1, true);
        other.join().expect("no panic");
        assert_eq!(fold(&shards), 2, "a record was lost");
    });
}

/// The same for a thread that writes on after it gave its shard away.
#[test]
#[should_panic(expected = "a record was lost")]
fn a_shard_written_after_it_was_given_away_is_caught() {
    loom::model(|| {
        let shards = Arc::new(Shards::new(1));
        let other = {
            let shards = shards.clone();
            thread::spawn(move || {
                let shard = shards.acquire(make);
                shards.release(shard.clone());
                shard.cells.add(0, 1, shard.owned);
            })
        };
        record(&shards, 1);
        other.join().expect("no panic");
        assert_eq!(fold(&shards), 2, "a record was lost");
    });
}
