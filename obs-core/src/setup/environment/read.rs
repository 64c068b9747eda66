//! Typed values out of strings: each reader takes a variable's name, and notes what it cannot use.

use std::time::Duration;

use super::Warning;

pub(super) struct Reader<'a> {
    get: &'a mut dyn FnMut(&str) -> Option<String>,
    warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(get: &'a mut dyn FnMut(&str) -> Option<String>) -> Self {
        Self {
            get,
            warnings: Vec::new(),
        }
    }

    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }

    pub(super) fn warn(&mut self, variable: &str, problem: impl Into<String>) {
        self.warnings.push(Warning {
            variable: variable.to_owned(),
            problem: problem.into(),
        });
    }

    /// The value without surrounding white space, if there is anything left.
    pub(super) fn text(&mut self, variable: &str) -> Option<String> {
        let value = (self.get)(variable)?;
        let value = value.trim();
        if value.is_empty() {
            return None;
        }
        if value.contains(char::REPLACEMENT_CHARACTER) {
            self.warn(variable, "not valid UTF-8; ignored");
            return None;
        }
        Some(value.to_owned())
    }

    pub(super) fn boolean(&mut self, variable: &str) -> bool {
        self.decided(variable).unwrap_or(false)
    }

    /// A boolean that may be left to another variable.
    pub(super) fn decided(&mut self, variable: &str) -> Option<bool> {
        let value = self.text(variable)?;
        let yes = value.eq_ignore_ascii_case("true");
        if !yes && !value.eq_ignore_ascii_case("false") {
            self.warn(
                variable,
                format!(
                    "`{}` is neither `true` nor `false`; taken as `false`",
                    excerpt(&value)
                ),
            );
        }
        Some(yes)
    }

    /// A number of things of which there must be at least one.
    pub(super) fn count(&mut self, variable: &str) -> Option<usize> {
        self.number(variable, 1)
            .and_then(|number| usize::try_from(number).ok())
    }

    /// A cap, which may be zero.
    pub(super) fn limit(&mut self, variable: &str) -> Option<usize> {
        self.number(variable, 0)
            .and_then(|number| usize::try_from(number).ok())
    }

    /// Milliseconds, zero included.
    pub(super) fn duration(&mut self, variable: &str) -> Option<Duration> {
        self.number(variable, 0).map(Duration::from_millis)
    }

    /// Milliseconds between two occurrences: zero would be a busy loop.
    pub(super) fn interval(&mut self, variable: &str) -> Option<Duration> {
        self.number(variable, 1).map(Duration::from_millis)
    }

    /// Milliseconds; zero is no limit, by specification.
    pub(super) fn timeout(&mut self, variable: &str) -> Option<Duration> {
        self.duration(variable).map(|limit| {
            if limit.is_zero() {
                Duration::MAX
            } else {
                limit
            }
        })
    }

    fn number(&mut self, variable: &str, at_least: u64) -> Option<u64> {
        let value = self.text(variable)?;
        match value.parse::<u64>() {
            // The range that every implementation supports.
            Ok(number) if (at_least..=i32::MAX as u64).contains(&number) => Some(number),
            _ => {
                self.warn(
                    variable,
                    format!(
                        "`{}` is not a whole number from {at_least} to {}; ignored",
                        excerpt(&value),
                        i32::MAX
                    ),
                );
                None
            }
        }
    }

    /// One of a closed set, in any case.
    pub(super) fn choice<T: Copy>(&mut self, variable: &str, known: &[(&str, T)]) -> Option<T> {
        let value = self.text(variable)?;
        let found = known
            .iter()
            .find(|(name, _)| value.eq_ignore_ascii_case(name));
        if found.is_none() {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.warn(
                variable,
                format!(
                    "`{}` is not one of {}; ignored",
                    excerpt(&value),
                    names.join(", ")
                ),
            );
        }
        found.map(|&(_, choice)| choice)
    }

    /// Comma-separated names, each once.
    pub(super) fn list(&mut self, variable: &str) -> Option<Vec<String>> {
        let value = self.text(variable)?;
        let mut names: Vec<String> = Vec::new();
        for name in value
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        if names.is_empty() {
            self.warn(variable, "a list without a name in it; ignored");
            return None;
        }
        Some(names)
    }

    /// `key=value` pairs, percent-decoded. One mistake discards the whole value, as the resource SDK specification asks.
    pub(super) fn attributes(&mut self, variable: &str) -> Vec<(String, String)> {
        let Some(value) = self.text(variable) else {
            return Vec::new();
        };
        pairs(&value).unwrap_or_else(|problem| {
            self.warn(variable, format!("{problem}; the whole value is ignored"));
            Vec::new()
        })
    }
}

/// Reads `k1=v1,k2=v2`. The problem names the pair by its position: values may be secret.
pub(super) fn pairs(list: &str) -> Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    for (index, pair) in list.split(',').enumerate() {
        if pair.trim().is_empty() {
            continue;
        }
        let number = index + 1;
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("pair {number} has no `=`"))?;
        let (Some(key), Some(value)) = (percent_decoded(key.trim()), percent_decoded(value.trim()))
        else {
            return Err(format!(
                "pair {number} is not properly percent-encoded UTF-8"
            ));
        };
        if key.is_empty() {
            return Err(format!("pair {number} has no key"));
        }
        out.push((key, value));
    }
    Ok(out)
}

/// `None` for a `%` without two hexadecimal digits, or if the result is not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let [high, low, tail @ ..] = tail else {
                return None;
            };
            bytes.push(hex(*high)? << 4 | hex(*low)?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// A value as a message may show it.
pub(super) fn excerpt(value: &str) -> String {
    let mut shown: String = value
        .chars()
        .take(40)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}
