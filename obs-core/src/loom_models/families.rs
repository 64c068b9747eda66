//! Family park × decide × shed: where finished children of an undecided root end up.

use crate::engine::family::{Family, Parked, Verdict};
use loom::sync::Arc;
use loom::thread;

const BYTES: usize = 10;

/// What a child did at its end: it waits, or was told.
#[derive(Debug, PartialEq)]
enum Child {
    Waits,
    Told(Verdict),
    Refused,
}

fn park(family: &Family<u32>, child: u32, most: usize) -> Child {
    match family.park(child, BYTES, most, usize::MAX) {
        Parked::Waiting => Child::Waits,
        Parked::Decided(_, verdict) => Child::Told(verdict),
        Parked::NoRoom(_) => Child::Refused,
    }
}

#[test]
fn a_child_is_handed_to_the_root_or_told_the_verdict_never_both_nor_neither() {
    loom::model(|| {
        let family = Arc::new(Family::new(0));
        let children: Vec<_> = (0..2_u32)
            .map(|child| {
                let family = family.clone();
                thread::spawn(move || park(&family, child, 8))
            })
            .collect();
        let mut handed = Vec::new();
        let decided = family.decide(Verdict::Keep, &mut handed);
        assert_eq!(decided.verdict, Verdict::Keep);
        assert_eq!(decided.bytes, handed.len() * BYTES);
        for (child, thread) in children.into_iter().enumerate() {
            let waits = match thread.join().expect("no panic") {
                Child::Waits => true,
                Child::Told(Verdict::Keep) => false,
                other => panic!("{other:?}"),
            };
            assert_eq!(waits, handed.contains(&(child as u32)), "child {child}");
        }
        let (mut left, (_, bytes)) = (Vec::new(), family.state());
        assert_eq!(bytes, 0);
        family.shed(&mut left);
        assert_eq!(left, [0_u32; 0], "nothing stays behind");
    });
}

#[test]
fn the_first_verdict_stands_and_everybody_reads_it() {
    loom::model(|| {
        let family = Arc::new(Family::<u32>::new(0));
        let promoting = {
            let family = family.clone();
            thread::spawn(move || {
                let decided = family.decide(Verdict::Keep, &mut Vec::new());
                assert_eq!(family.verdict(), decided.verdict);
                decided.verdict
            })
        };
        let own = family.decide(Verdict::Drop, &mut Vec::new()).verdict;
        assert_eq!(promoting.join().expect("no panic"), own);
        assert_eq!(family.verdict(), own);
    });
}

#[test]
fn children_that_are_shed_are_not_handed_to_the_root_too() {
    loom::model(|| {
        let family = Arc::new(Family::new(0));
        assert_eq!(park(&family, 1, 8), Child::Waits);
        let child = {
            let family = family.clone();
            thread::spawn(move || park(&family, 2, 8))
        };
        let shedding = {
            let family = family.clone();
            thread::spawn(move || {
                let mut shed = Vec::new();
                let bytes = family.shed(&mut shed);
                assert_eq!(bytes, shed.len() * BYTES);
                shed
            })
        };
        let mut all = Vec::new();
        let decided = family.decide(Verdict::Keep, &mut all);
        assert_eq!(decided.bytes, all.len() * BYTES);
        all.extend(shedding.join().expect("no panic"));
        if child.join().expect("no panic") != Child::Waits {
            all.push(2);
        }
        all.sort_unstable();
        assert_eq!(all, [1, 2], "each in one place");
        assert_eq!(family.state().1, 0);
    });
}

#[test]
fn the_cap_holds_and_what_is_refused_is_counted() {
    loom::model(|| {
        let family = Arc::new(Family::new(0));
        let other = {
            let family = family.clone();
            thread::spawn(move || park(&family, 1, 1))
        };
        let here = park(&family, 2, 1);
        let both = [here, other.join().expect("no panic")];
        assert!(
            both.contains(&Child::Waits) && both.contains(&Child::Refused),
            "{both:?}"
        );
        let mut handed = Vec::new();
        let decided = family.decide(Verdict::Keep, &mut handed);
        assert_eq!((handed.len(), decided.truncated), (1, 1));
    });
}

#[test]
fn a_family_that_is_used_again_shows_the_next_root_nothing_of_the_last() {
    loom::model(|| {
        let family = Arc::new(Family::new(1));
        family.decide(Verdict::Drop, &mut Vec::new());
        family.reset(2);
        let child = {
            let family = family.clone();
            thread::spawn(move || park(&family, 1, 8))
        };
        let mut handed = Vec::new();
        let decided = family.decide(Verdict::Keep, &mut handed);
        assert_eq!(decided.verdict, Verdict::Keep, "not the last root's");
        let expected = if handed.is_empty() {
            Child::Told(Verdict::Keep)
        } else {
            Child::Waits
        };
        assert_eq!(child.join().expect("no panic"), expected);
    });
}
