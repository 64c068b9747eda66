//! What models used of a device up to moments of the last minutes, so that a call that is over can be told what its model used
//! meanwhile.

use crate::claims::{Owner, Settled};
use obs_core::Moment;
use std::collections::VecDeque;

/// As many readings as the ring of a device has samples.
const KEPT: usize = 2_400;

/// Models of one device that are told apart here: the first ones.
const MODELS: usize = 16;

/// Readings of one device's energy, with whose it was.
#[derive(Debug, Default)]
pub(super) struct Marks {
    models: Vec<Box<str>>,
    marks: VecDeque<Mark>,
}

/// Millijoules up to a reading, since the books were opened.
#[derive(Debug)]
struct Mark {
    at: Moment,
    /// How often the counter began anew by then: what it counted before it did is not all known.
    anew: u64,
    whole: u64,
    /// Somebody's, and it is not known whose.
    unknown: u64,
    /// By the place in the list of models.
    models: Box<[u64]>,
}

impl Mark {
    fn of(&self, model: usize) -> u64 {
        // One that came later had used nothing.
        self.models.get(model).copied().unwrap_or(0)
    }
}

impl Marks {
    /// Energy was read.
    pub(super) fn push(&mut self, at: Moment, settled: &Settled) {
        if self.marks.back().is_some_and(|last| last.at >= at) {
            return;
        }
        let mut models = vec![0_u64; self.models.len()];
        let (mut whole, mut unknown) = (0_u64, 0_u64);
        for (owner, &millijoules) in &settled.energy {
            whole = whole.saturating_add(millijoules);
            match owner {
                Owner::Unattributed | Owner::Other => unknown = unknown.saturating_add(millijoules),
                Owner::Claim {
                    model: Some(model), ..
                } => {
                    let known = self.models.iter().position(|known| known == model);
                    if known.is_none() && self.models.len() < MODELS {
                        self.models.push(model.clone());
                        models.push(millijoules);
                    } else if let Some(place) = known {
                        models[place] = models[place].saturating_add(millijoules);
                    }
                }
                _ => {}
            }
        }
        if self.marks.len() == KEPT {
            self.marks.pop_front();
        }
        self.marks.push_back(Mark {
            at,
            anew: settled.began_anew,
            whole,
            unknown,
            models: models.into(),
        });
    }

    /// Millijoules that a model used from one moment to another, as well as can be told; else `None`: see
    /// [`Attribution::energy_of`](super::Attribution::energy_of).
    pub(super) fn between(&self, model: &str, from: Moment, to: Moment) -> Option<f64> {
        let model = self.models.iter().position(|known| **known == *model)?;
        // The counter says something when it has moved: by how it was when it had before, and each time that it did since.
        let begun = self.marks.partition_point(|mark| mark.at <= from);
        let has_moved = |&place: &usize| {
            let before = place.checked_sub(1).map(|before| &self.marks[before]);
            before.is_none_or(|before| before.whole < self.marks[place].whole)
        };
        let first = &self.marks[(0..begun).rev().find(has_moved)?];
        let tenth = to.ticks_since(from) / 10;
        let (mut last, mut second) = (first, None);
        for place in (begun..self.marks.len()).take_while(|place| self.marks[*place].at <= to) {
            if has_moved(&place) {
                let mark = &self.marks[place];
                if mark.at.ticks_since(last.at) > tenth {
                    return None;
                }
                second.get_or_insert(mark);
                last = mark;
            }
        }
        let second = second?;
        let is_known = last.unknown - first.unknown <= (last.whole - first.whole) / 10;
        if to.ticks_since(last.at) > tenth || last.anew != first.anew || !is_known {
            return None;
        }
        // Evenly between the two readings that it began between, and to the end as before.
        let ticks = |from: Moment, to: Moment| to.ticks_since(from) as f64;
        let begun = ticks(first.at, from) / ticks(first.at, second.at);
        let begun = (second.of(model) - first.of(model)) as f64 * begun;
        let used = (last.of(model) - first.of(model)) as f64 - begun;
        Some(used * ticks(from, to) / ticks(from, last.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tick: u64) -> Moment {
        Moment::from_bits(tick).expect("not zero")
    }

    fn owner(model: &str, task: &str) -> Owner {
        Owner::Claim {
            model: Some(model.into()),
            task: Some(task.into()),
        }
    }

    fn settled(energy: &[(Owner, u64)]) -> Settled {
        Settled {
            energy: energy.iter().cloned().collect(),
            ..Settled::default()
        }
    }

    /// Read every ten ticks from 10 to 400: of 30 in each window ten are model a's by each of two tasks, and ten are model b's.
    fn marks() -> Marks {
        let mut marks = Marks::default();
        for n in 1..=40 {
            let owners = [owner("a", "x"), owner("a", "y"), owner("b", "x")];
            marks.push(at(n * 10), &settled(&owners.map(|owner| (owner, n * 10))));
        }
        marks
    }

    #[track_caller]
    fn check(marks: &Marks, from: u64, to: u64, expect: Option<f64>) {
        let used = marks.between("a", at(from), at(to));
        let near = used
            .zip(expect)
            .is_none_or(|(used, expect)| (used - expect).abs() < 1e-9);
        assert!(
            near && used.is_some() == expect.is_some(),
            "{from} to {to}: {used:?}"
        );
    }

    #[test]
    fn a_model_has_what_it_used_whatever_for_and_between_readings() {
        check(&marks(), 100, 300, Some(400.0));
        check(&marks(), 105, 295, Some(380.0));
        assert_eq!(marks().between("b", at(100), at(300)), Some(200.0));
        assert_eq!(marks().between("c", at(100), at(300)), None);
    }

    #[test]
    fn what_is_shorter_than_ten_steps_of_the_counter_has_none() {
        check(&marks(), 100, 199, None);
        check(&marks(), 100, 200, Some(200.0));
        check(&marks(), 200, 200, None);
        check(&marks(), 300, 100, None);
        // A counter that is renewed at each third reading only.
        let mut slow = Marks::default();
        for n in 1..=100 {
            slow.push(at(n * 10), &settled(&[(owner("a", "x"), n / 3 * 30)]));
        }
        check(&slow, 300, 500, None);
        check(&slow, 300, 620, Some(320.0));
    }

    #[test]
    fn what_was_not_read_has_none() {
        // Before the first reading, and long after the last one.
        check(&marks(), 5, 300, None);
        check(&marks(), 200, 460, None);
        // It was gone for a while.
        let mut gone = marks();
        (60..=100).for_each(|n| gone.push(at(n * 10), &settled(&[(owner("a", "x"), n * 20)])));
        check(&gone, 100, 1_000, None);
        check(&gone, 650, 950, Some(600.0));
        // It began anew.
        let mut anew = Marks::default();
        for n in 1..=100 {
            let mut settled = settled(&[(owner("a", "x"), n * 10)]);
            settled.began_anew = u64::from(n > 50);
            anew.push(at(n * 10), &settled);
        }
        check(&anew, 300, 700, None);
        check(&anew, 100, 450, Some(350.0));
        check(&anew, 510, 900, Some(390.0));
    }

    #[test]
    fn what_is_not_known_whose_it_was_has_none() {
        let mut marks = Marks::default();
        for n in 1..=100 {
            // From the fiftieth on a fifth of all is anybody's.
            let unknown = (Owner::Unattributed, n.max(50) * 2);
            marks.push(at(n * 10), &settled(&[(owner("a", "x"), n * 8), unknown]));
        }
        check(&marks, 100, 400, Some(240.0));
        check(&marks, 600, 900, None);
        check(&marks, 100, 530, Some(344.0));
    }

    #[test]
    fn time_does_not_go_back_and_all_is_bounded() {
        let mut marks = marks();
        marks.push(at(400), &settled(&[]));
        marks.push(at(350), &settled(&[]));
        check(&marks, 100, 300, Some(400.0));
        for n in 41..=5_000 {
            let many = (0..40).map(|model| (owner(&model.to_string(), "x"), n * 10));
            marks.push(at(n * 10), &settled(&many.collect::<Vec<_>>()));
        }
        assert_eq!((marks.marks.len(), marks.models.len()), (KEPT, MODELS));
        // Longer ago than is kept.
        assert_eq!(marks.between("0", at(100), at(40_000)), None);
    }
}
