//! The `ot` member of `tracestate`: what samplers tell each other, so that all of a trace is kept or dropped alike.
//!
//! OpenTelemetry's
//! [probability sampling](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/) and
//! [TraceState handling](https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/).

use std::fmt::Write;

/// The largest threshold, which keeps one trace in 2^56, and the largest randomness.
pub const MAX_THRESHOLD: u64 = (1 << 56) - 1;

/// Hex digits of 56 bits.
const DIGITS: usize = 14;

/// The two sub-keys that are defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ot {
    /// `th`, 56 bits: a trace was kept if its randomness is at least this. 0 keeps all; absent, the share is unknown.
    pub threshold: Option<u64>,
    /// `rv`, 56 bits: the trace's randomness where it is not the last 7 bytes of the trace id.
    pub randomness: Option<u64>,
}

impl Ot {
    /// Reads the member's value. What is malformed is absent; of a repeated sub-key the first counts.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let mut ot = Self::default();
        for (key, value) in sub_keys(value) {
            match key {
                "th" if ot.threshold.is_none() => ot.threshold = decode_threshold(value),
                "rv" if ot.randomness.is_none() && value.len() == DIGITS => {
                    ot.randomness = decode_threshold(value)
                }
                _ => {}
            }
        }
        ot
    }

    /// The member's value with `th` and `rv` as here, and the other sub-keys of `current`. Empty if there are none.
    #[must_use]
    pub fn update(self, current: &str) -> String {
        let mut value = String::new();
        let mut push = |key: &str, sub_value: &str| {
            let separator = if value.is_empty() { "" } else { ";" };
            _ = write!(value, "{separator}{key}:{sub_value}"); // writing to a string cannot fail
        };
        if let Some(threshold) = self.threshold {
            push("th", &encode_threshold(threshold));
        }
        if let Some(randomness) = self.randomness {
            push("rv", &digits(randomness));
        }
        for (key, sub_value) in sub_keys(current).filter(|(key, _)| !matches!(*key, "th" | "rv")) {
            push(key, sub_value);
        }
        value
    }

    /// Without what does not fit into 56 bits.
    pub(super) fn within_limits(self) -> Self {
        let fits = |value: &u64| *value <= MAX_THRESHOLD;
        Self {
            threshold: self.threshold.filter(fits),
            randomness: self.randomness.filter(fits),
        }
    }
}

/// A threshold as `th` wants it: 14 hex digits without the trailing zeros, `0` for 0.
#[must_use]
pub fn encode_threshold(threshold: u64) -> String {
    let mut digits = digits(threshold);
    digits.truncate(digits.trim_end_matches('0').len().max(1));
    digits
}

/// Reads a `th` of 1 to 14 lower-case hex digits; trailing zeros are implied.
#[must_use]
pub fn decode_threshold(digits: &str) -> Option<u64> {
    if digits.is_empty() || digits.len() > DIGITS {
        return None;
    }
    let value = digits.bytes().try_fold(0_u64, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((value << 4) | u64::from(digit))
    })?;
    Some(value << (4 * (DIGITS - digits.len())))
}

fn digits(value: u64) -> String {
    format!("{:014x}", value & MAX_THRESHOLD)
}

/// `key:value`, joined by semicolons. What does not look like that is not ours to understand, nor to send on.
fn sub_keys(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value
        .split(';')
        .filter_map(|sub| sub.split_once(':'))
        .filter(|(key, value)| {
            key.starts_with(|c: char| c.is_ascii_lowercase())
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_lose_their_trailing_zeros_and_nothing_else() {
        // From the tables of the specification.
        for (threshold, text) in [
            (0, "0"),
            (0x80_0000_0000_0000, "8"),
            (0xc0_0000_0000_0000, "c"),
            (0xfd_70a4_0000_0000, "fd70a4"),
            (0x00_0000_0000_0010, "0000000000001"),
            (MAX_THRESHOLD, "ffffffffffffff"),
        ] {
            assert_eq!(encode_threshold(threshold), text);
            assert_eq!(decode_threshold(text), Some(threshold));
        }
        assert_eq!(
            decode_threshold("00"),
            Some(0),
            "trailing zeros may also be there"
        );
        for wrong in ["", "g", "A", "+1", " 1", "0123456789abcde"] {
            assert_eq!(decode_threshold(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn other_sub_keys_stay_and_broken_ones_go() {
        let ot = Ot {
            threshold: Some(0xc0_0000_0000_0000),
            randomness: None,
        };
        assert_eq!(ot.update("p:8;r:62"), "th:c;p:8;r:62");
        assert_eq!(ot.update("th:8;x1:A_b-.;UP:1;novalue;"), "th:c;x1:A_b-.");
        assert_eq!(Ot::default().update("th:8"), "");
    }

    #[test]
    fn randomness_is_fourteen_digits_or_nothing() {
        assert_eq!(
            Ot::parse("rv:0123456789abcd").randomness,
            Some(0x01_2345_6789_abcd)
        );
        assert_eq!(Ot::parse("rv:0123456789abc").randomness, None);
        assert_eq!(Ot::parse("th:8;th:c").threshold, Some(0x80_0000_0000_0000));
    }
}
