//! Which of an engine's metrics says what: data, for the program and for documentation.

use super::target::Target;

/// How far a number is what its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Semantics {
    /// It is.
    Exact,
    /// It is nearly; [`Row::note`] says what is different.
    Approximate,
}

/// How far an engine says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// It does.
    Exact,
    /// Nearly.
    Approximate,
    /// It does not: the metric is absent, and nothing that looks like it stands in its place.
    None,
}

impl Coverage {
    /// As documentation has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Approximate => "approximate",
            Self::None => "none",
        }
    }
}

/// What a label must be, for a sample to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Select {
    /// The label has this value.
    Is(&'static str, &'static str),
    /// The label has this value, or is not there.
    IsOrAbsent(&'static str, &'static str),
    /// The label is not there.
    Absent(&'static str),
}

/// Where the value of a metric's further attribute comes from: the reason of [`Target::Finished`], the quantile of a quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Further {
    /// There is none.
    Nothing,
    /// A label of the sample.
    Label(&'static str),
    /// It is always this.
    Fixed(&'static str),
}

/// One metric of an engine, and what it says.
///
/// ```
/// use obs_llm::engines::{Row, Select, Target};
///
/// // An engine of one's own, which counts milliseconds.
/// const FIRST: Row = Row::exact("my_first_token_ms", Target::TimeToFirstToken)
///     .per(1e3)
///     .selecting(&[Select::Is("kind", "chat")]);
/// assert_eq!(FIRST.target.metric(), "gen_ai.server.time_to_first_token");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// The metric as it stands on the page. Of a histogram without `_bucket`; of everything else with whatever it ends in,
    /// so that a histogram's `_sum` can be read as the counter that it is.
    pub source: &'static str,
    /// What its labels must be. What differs in other labels is added up.
    pub select: &'static [Select],
    /// What it says.
    pub target: Target,
    /// How many of its units make one of the target's: 1000 for milliseconds.
    pub per: f64,
    /// How far it is that.
    pub semantics: Semantics,
    /// The further attribute.
    pub further: Further,
    /// What there is to know: where it is approximate, why.
    pub note: &'static str,
}

impl Row {
    /// A metric that says this.
    pub const fn exact(source: &'static str, target: Target) -> Self {
        Self {
            source,
            select: &[],
            target,
            per: 1.0,
            semantics: Semantics::Exact,
            further: Further::Nothing,
            note: "",
        }
    }

    /// A metric that nearly says this, but `why`.
    pub const fn approximate(source: &'static str, target: Target, why: &'static str) -> Self {
        let exact = Self::exact(source, target);
        Self {
            semantics: Semantics::Approximate,
            note: why,
            ..exact
        }
    }

    /// Of its samples only these.
    pub const fn selecting(self, select: &'static [Select]) -> Self {
        Self { select, ..self }
    }

    /// So many of its units make one of the target's.
    pub const fn per(self, per: f64) -> Self {
        Self { per, ..self }
    }

    /// Its label says the further attribute.
    pub const fn by(self, label: &'static str) -> Self {
        let further = Further::Label(label);
        Self { further, ..self }
    }

    /// The further attribute is this.
    pub const fn always(self, value: &'static str) -> Self {
        let further = Further::Fixed(value);
        Self { further, ..self }
    }

    /// With something to know.
    pub const fn noting(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// Rows of one place are spellings of the same: the first one that a page has counts.
    pub(crate) fn place(&self) -> (Target, Option<&'static str>) {
        match self.further {
            Further::Fixed(value) => (self.target, Some(value)),
            _ => (self.target, None),
        }
    }
}

/// How one engine's page is read.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// The value of `obs.llm.engine`.
    pub engine: &'static str,
    /// How people call it.
    pub title: &'static str,
    /// Where its page is.
    pub path: &'static str,
    /// Labels that say the model; the first one that is there counts.
    pub model: &'static [&'static str],
    /// Labels that say which of several engines behind the page it is; the first one that is there counts.
    pub index: &'static [&'static str],
    /// What its metrics say. Of rows of one target (and one fixed further attribute) the first that a page has counts: newer
    /// names stand before older ones.
    pub rows: &'static [Row],
    /// What it does not say, and why nothing it says stands for it.
    pub none: &'static [(Target, &'static str)],
    /// Where all that was read.
    pub read_in: &'static str,
}

impl Mapping {
    /// How far this engine says something: what the first row about it is.
    pub fn coverage(&self, target: Target) -> Coverage {
        let row = self.rows.iter().find(|row| row.target == target);
        match row.map(|row| row.semantics) {
            Some(Semantics::Exact) => Coverage::Exact,
            Some(Semantics::Approximate) => Coverage::Approximate,
            None => Coverage::None,
        }
    }

    /// Why it does not say something, where it does not.
    pub fn why_none(&self, target: Target) -> Option<&'static str> {
        let row = self.none.iter().find(|(none, _)| *none == target);
        row.map(|(_, why)| *why)
    }
}
