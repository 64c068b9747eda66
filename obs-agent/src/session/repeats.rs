//! How often the same tool is called with the same arguments.

/// Calls that are told apart. Beyond that one that came once makes room, or the one that came fewest.
const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// By their hashes, in the order in which they came last.
    calls: Vec<(u64, u32)>,
    /// The most that one came.
    most: u32,
}

impl Repeats {
    pub(super) fn add(&mut self, hash: u64) {
        let count = match self.calls.iter().position(|(known, _)| *known == hash) {
            Some(place) => self.calls.remove(place).1.saturating_add(1),
            None => {
                self.make_room();
                1
            }
        };
        self.calls.push((hash, count));
        self.most = self.most.max(count);
    }

    /// What is forgotten counts from one again: too few are told, never too many.
    fn make_room(&mut self) {
        if self.calls.len() < MOST {
            return;
        }
        let counts = self.calls.iter().enumerate();
        if let Some((place, _)) = counts.min_by_key(|(_, (_, count))| *count) {
            self.calls.remove(place);
        }
    }

    pub(super) fn most(&self) -> u32 {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_counted_wherever_it_comes_again() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.most(), 0);
        for hash in [1, 2, 1, 2, 1] {
            repeats.add(hash);
        }
        assert_eq!(repeats.most(), 3);
    }

    #[test]
    fn what_came_often_is_not_forgotten_for_what_came_once() {
        let mut repeats = Repeats::default();
        for _ in 0..2 {
            repeats.add(u64::MAX);
        }
        for hash in 0..10_000 {
            repeats.add(hash);
        }
        assert_eq!((repeats.most(), repeats.calls.len()), (2, MOST));
        repeats.add(u64::MAX);
        assert_eq!(repeats.most(), 3);
        // One that was forgotten is a new one.
        repeats.add(0);
        assert_eq!(repeats.most(), 3);
    }
}
