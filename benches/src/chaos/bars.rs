//! The bars R1 to R14 as figures, and nothing else: one line per bar and figure. R7 is the instruction table's.
//!
//! A row of a bar carries the bar's name before the slash (`R1/refused`), and each figure that the bar limits by its name.

use std::fmt;

/// What a figure may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// No more than this.
    AtMost(f64),
    /// No less.
    AtLeast(f64),
    /// This and nothing else: counts.
    Exactly(f64),
    /// Between these, both included.
    Within(f64, f64),
}

impl Limit {
    /// The limit on that figure of a row.
    pub(crate) fn of(row: &str, figure: &str) -> Option<Self> {
        let bar = row.split('/').next().unwrap_or_default();
        let of_row = |known: &str| known == row || known == bar;
        let found = BARS
            .iter()
            .find(|(known, name, _)| of_row(known) && *name == figure);
        found.map(|(.., limit)| *limit)
    }

    pub(crate) fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtMost(most) => measured <= most,
            Self::AtLeast(least) => measured >= least,
            Self::Exactly(value) => measured == value,
            Self::Within(least, most) => (least..=most).contains(&measured),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::Exactly(value) => write!(f, "= {value}"),
            Self::Within(least, most) => write!(f, "{least} to {most}"),
        }
    }
}

use Limit::{AtLeast, AtMost, Exactly, Within};

/// Bytes held against the cap: "exact to ±5 %", with the cap used up.
const CAP: Limit = Within(0.95, 1.05);
/// What the whole process may grow by, in MiB.
const MEMORY: Limit = AtMost(64.0);
/// Instructions of a request in an outage over those of a healthy one: equal within 1 %.
const SAME_WORK: Limit = Within(0.99, 1.01);
/// The 99th percentile in an outage over the worst of the healthy stretches of the same session: inside their spread.
const SAME_WAIT: Limit = AtMost(1.0);

#[rustfmt::skip]
static BARS: &[(&str, &str, Limit)] = &[
    ("R1", "failed requests", Exactly(0.0)),
    ("R1", "memory added", MEMORY),
    ("R1", "held / cap", CAP),
    ("R1", "unaccounted", Exactly(0.0)),
    ("R1", "delivered unlike arrived", Exactly(0.0)),
    ("R1", "duplicates", Exactly(0.0)),
    ("R1", "rejected unlike refused", Exactly(0.0)),
    ("R1", "undelivered after recovery", Exactly(0.0)),
    ("R1", "instructions outage / healthy", SAME_WORK),
    ("R1", "p99 outage / worst healthy", SAME_WAIT),
    ("R2", "failed requests", Exactly(0.0)),
    ("R2", "unaccounted", Exactly(0.0)),
    ("R2", "lost below the cap", Exactly(0.0)),
    ("R2", "spool / cap", AtMost(1.05)),
    ("R2", "undelivered after recovery", Exactly(0.0)),
    ("R2", "delivered unlike arrived", Exactly(0.0)),
    ("R2", "oldest are gone", Exactly(1.0)),
    ("R3", "lost", AtMost(1.0)),
    ("R3", "holes before that", Exactly(0.0)),
    ("R3", "duplicate batches", AtMost(1.0)),
    ("R3", "recovery", AtMost(2.0)),
    ("R3", "failed requests", Exactly(0.0)),
    ("R4", "failed requests", Exactly(0.0)),
    ("R4", "unaccounted", Exactly(0.0)),
    ("R4", "undelivered after recovery", Exactly(0.0)),
    ("R4", "delivered unlike arrived", Exactly(0.0)),
    ("R4", "told", AtLeast(1.0)),
    ("R5", "failed requests", Exactly(0.0)),
    ("R5", "memory added", MEMORY),
    ("R5", "held / cap", CAP),
    ("R5", "unaccounted", Exactly(0.0)),
    ("R5", "delivered unlike arrived", Exactly(0.0)),
    ("R5", "undelivered after recovery", Exactly(0.0)),
    ("R5", "instructions outage / healthy", SAME_WORK),
    ("R5", "p99 outage / worst healthy", SAME_WAIT),
    ("R6", "over the deadline", AtMost(100.0)),
    ("R6", "said Ok", Exactly(0.0)),
    ("R6", "lost unlike told", Exactly(0.0)),
    ("R8", "in flight", Exactly(0.0)),
    ("R8", "durations missing", Exactly(0.0)),
    ("R8", "spans missing", Exactly(0.0)),
    ("R8", "not cancelled", Exactly(0.0)),
    ("R9", "unlike without us", Exactly(0.0)),
    ("R9", "not counted", Exactly(0.0)),
    ("R9", "dead afterwards", Exactly(0.0)),
    ("R10", "series / configured", AtMost(1.0)),
    ("R10", "configured routes off by", Exactly(0.0)),
    ("R10", "memory added", AtMost(32.0)),
    ("R11", "of its own work", Exactly(0.0)),
    ("R11", "control", AtLeast(1.0)),
    ("R12", "hung", Exactly(0.0)),
    ("R12", "neither exported nor inert", Exactly(0.0)),
    ("R12", "parent unaccounted", Exactly(0.0)),
    ("R13", "hits", Exactly(0.0)),
    ("R13", "control", AtLeast(1.0)),
    ("R14", "negative durations", Exactly(0.0)),
    ("R14", "wrong durations", Exactly(0.0)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_limits_of_its_bar_and_no_others() {
        assert_eq!(
            Limit::of("R1/refused", "failed requests"),
            Some(Exactly(0.0))
        );
        assert_eq!(Limit::of("R10/flood", "memory added"), Some(AtMost(32.0)));
        assert_eq!(Limit::of("R1/refused", "requests"), None);
        assert_eq!(Limit::of("outage/grpc-refused", "failed requests"), None);
    }

    #[test]
    fn limits_include_their_ends() {
        assert!(CAP.holds(0.95) && CAP.holds(1.05) && !CAP.holds(1.06) && !CAP.holds(f64::NAN));
        assert!(AtMost(1.0).holds(1.0) && !AtMost(1.0).holds(1.01));
        assert!(Exactly(0.0).holds(0.0) && !Exactly(0.0).holds(1.0));
    }

    #[test]
    fn no_figure_has_two_bars() {
        for (at, (bar, figure, _)) in BARS.iter().enumerate() {
            let again = BARS[at + 1..]
                .iter()
                .any(|(other, name, _)| (other, name) == (bar, figure));
            assert!(!again, "{bar} {figure}");
        }
    }
}
