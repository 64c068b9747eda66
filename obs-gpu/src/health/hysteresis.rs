//! What is on only after it was too much for a while, and off only after it was little for a while.

use obs_core::Moment;

/// One such switch. Between the two limits nothing changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hysteresis {
    on: bool,
    /// Since when what was seen speaks against what it is.
    against: Option<Moment>,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    TooMuch,
    Between,
    Little,
}

impl Seen {
    /// `value` against the limit from which on it is too much, and the one down to which it is little.
    pub(super) fn high(value: i64, enter: i64, leave: i64) -> Self {
        match value {
            value if value >= enter => Self::TooMuch,
            value if value <= leave => Self::Little,
            _ => Self::Between,
        }
    }
}

impl Hysteresis {
    /// How long, in ticks, it has to be seen to be on, and not to be off again. Says whether it is on.
    pub(super) fn see(
        &mut self,
        seen: Seen,
        at: Moment,
        (on_after, off_after): (u64, u64),
    ) -> bool {
        let speaks_against = match self.on {
            false => seen == Seen::TooMuch,
            true => seen == Seen::Little,
        };
        if !speaks_against {
            self.against = None;
            return self.on;
        }
        let since = *self.against.get_or_insert(at);
        let after = if self.on { off_after } else { on_after };
        if at.ticks_since(since) >= after {
            self.on = !self.on;
            self.against = None;
        }
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: u64) -> Moment {
        Moment::from_bits(1_000 + second).expect("not zero")
    }

    /// Letters by the second: `h` too much, `b` between, `l` little; what it is then, as `1` or `0`.
    #[track_caller]
    fn check(seen: &str, expect: &str) {
        let mut switch = Hysteresis::default();
        let is: String = (0..)
            .zip(seen.chars())
            .map(|(second, letter)| {
                let seen = match letter {
                    'h' => Seen::TooMuch,
                    'b' => Seen::Between,
                    _ => Seen::Little,
                };
                match switch.see(seen, at(second), (3, 5)) {
                    true => '1',
                    false => '0',
                }
            })
            .collect();
        assert_eq!(is, expect, "{seen}");
    }

    #[test]
    fn it_takes_a_while_to_be_on_and_a_longer_one_to_be_off() {
        check("hhhhh", "00011");
        check("hhhhllllllll", "000111111000");
    }

    #[test]
    fn what_comes_in_between_starts_it_anew() {
        check("hhbhhbhhlhhhh", "0000000000001");
        check("hhhhlllllblllllllll", "0001111111111110000");
        check("hhhhllllhlllllll", "0001111111111100");
    }

    #[test]
    fn between_the_limits_nothing_changes() {
        check("bbbbbbbb", "00000000");
        check("hhhhbbbbbbbb", "000111111111");
    }

    #[test]
    fn a_limit_belongs_to_its_side() {
        assert_eq!(Seen::high(95, 95, 90), Seen::TooMuch);
        assert_eq!(Seen::high(94, 95, 90), Seen::Between);
        assert_eq!(Seen::high(90, 95, 90), Seen::Little);
    }

    proptest! {
        /// It never changes more often than its times allow, whatever is seen.
        #[test]
        fn it_does_not_flutter(seen in prop::collection::vec(0_i64..100, 1..300)) {
            let mut switch = Hysteresis::default();
            let mut last: Option<(u64, bool)> = None;
            for (second, value) in (0..).zip(seen) {
                let before = switch.on;
                let is = switch.see(Seen::high(value, 60, 40), at(second), (3, 5));
                if is != before {
                    let after = if is { 3 } else { 5 };
                    if let Some((changed, _)) = last {
                        prop_assert!(second - changed > after);
                    }
                    last = Some((second, is));
                }
            }
        }
    }
}
