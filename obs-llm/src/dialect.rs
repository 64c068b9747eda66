//! Which of two versions of the conventions names what is emitted.

use crate::call::ending::key;
use crate::usage::Tokens;
use obs_core::Key;

/// The names that calls are told by. The conventions for generative AI moved to a repository of their own after v1.41 and are
/// renaming much there; backends read what was before.
///
/// It is one or the other for a whole [`Llm`](crate::Llm), never both: a metric under two names is counted twice by whoever sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// v1.41.1, the last of the core conventions.
    #[default]
    V1_41,
    /// `main` of the conventions' own repository (1.42.0-dev).
    Main,
}

/// What asks for the newest names: `OTEL_SEMCONV_STABILITY_OPT_IN`.
const VARIABLE: &str = "OTEL_SEMCONV_STABILITY_OPT_IN";
/// Of its comma-separated values, that of these conventions.
const NEWEST: &str = "gen_ai_latest_experimental";

impl Dialect {
    /// What `OTEL_SEMCONV_STABILITY_OPT_IN` asks for: [`Main`](Self::Main) if `gen_ai_latest_experimental` is among its values.
    pub fn from_environment() -> Self {
        Self::asked_by(std::env::var(VARIABLE).ok().as_deref())
    }

    /// The attribute that a count of tokens has by these names; none where they have none for it.
    pub fn usage_key(self, tokens: Tokens) -> Option<Key> {
        key(tokens, self)
    }

    fn asked_by(value: Option<&str>) -> Self {
        let mut values = value.unwrap_or_default().split(',');
        match values.any(|value| value.trim() == NEWEST) {
            true => Self::Main,
            false => Self::V1_41,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_names_are_asked_for_by_one_value_of_several() {
        assert_eq!(Dialect::asked_by(None), Dialect::V1_41);
        assert_eq!(Dialect::asked_by(Some("http/dup")), Dialect::V1_41);
        let several = Some("http, gen_ai_latest_experimental");
        assert_eq!(Dialect::asked_by(several), Dialect::Main);
        let other = Some("gen_ai_latest_experimental_2");
        assert_eq!(Dialect::asked_by(other), Dialect::V1_41);
    }
}
