//! Attribute values as plain data, whatever they came from.

use std::fmt;

/// The value of an attribute, of any type OTLP knows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttrValue {
    /// A value of no type (OTLP allows it; an instrumentation that sends it has a bug).
    Empty,
    /// Text.
    Str(String),
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<AttrValue>),
    /// A map, in the order sent.
    Map(Vec<(String, AttrValue)>),
}

impl AttrValue {
    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The floating-point number, if it is one (an integer is not).
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Written so that the type shows: `"1"`, `1` and `1.0` differ.
    pub(crate) fn literal(&self) -> String {
        match self {
            Self::Str(text) => format!("{text:?}"),
            Self::Array(values) => {
                let values: Vec<_> = values.iter().map(Self::literal).collect();
                format!("[{}]", values.join(", "))
            }
            Self::Map(entries) => literal_map(entries),
            other => other.to_string(),
        }
    }
}

/// `{key: "value", other: 1}`, in the order given.
pub(crate) fn literal_map(entries: &[(String, AttrValue)]) -> String {
    let entries: Vec<_> = entries
        .iter()
        .map(|(key, value)| format!("{key}: {}", value.literal()))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

/// The first value under `key`.
pub(crate) fn find<'a>(attributes: &'a [(String, AttrValue)], key: &str) -> Option<&'a AttrValue> {
    attributes
        .iter()
        .find(|(known, _)| known == key)
        .map(|(_, value)| value)
}

/// Text stands bare at the top, for tables and map keys; inside lists and maps it is quoted.
impl fmt::Display for AttrValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("(empty)"),
            Self::Str(text) => f.write_str(text),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Double(number) => write!(f, "{number:?}"),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Array(_) | Self::Map(_) => f.write_str(&self.literal()),
        }
    }
}

impl From<&str> for AttrValue {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for AttrValue {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<bool> for AttrValue {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i32> for AttrValue {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u16> for AttrValue {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<i64> for AttrValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for AttrValue {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl<V: Into<AttrValue>> From<Vec<V>> for AttrValue {
    fn from(values: Vec<V>) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

/// Attributes to look for: `attrs!["http.route" => "/items/{id}", "http.response.status_code" => 200]`.
#[macro_export]
macro_rules! attrs {
    ($($key:expr => $value:expr),* $(,)?) => {
        [$(($key, $crate::AttrValue::from($value))),*] as [(&str, $crate::AttrValue); _]
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: impl Into<AttrValue>, display: &str, literal: &str) {
        let value = value.into();
        assert_eq!(value.to_string(), display);
        assert_eq!(value.literal(), literal);
    }

    #[test]
    fn the_type_shows_in_the_literal() {
        check("1", "1", "\"1\"");
        check(1, "1", "1");
        check(1.0, "1.0", "1.0");
        check(true, "true", "true");
        check(vec!["a", "b"], "[\"a\", \"b\"]", "[\"a\", \"b\"]");
        check(AttrValue::Bytes(vec![0, 255]), "0x00ff", "0x00ff");
        check(
            AttrValue::Map(vec![("k".into(), 1.into())]),
            "{k: 1}",
            "{k: 1}",
        );
        check("two\nlines", "two\nlines", "\"two\\nlines\"");
    }

    #[test]
    fn a_value_is_only_what_it_is() {
        assert_eq!(AttrValue::from(1).as_f64(), None);
        assert_eq!(AttrValue::from(1).as_i64(), Some(1));
        assert_eq!(AttrValue::from("1").as_i64(), None);
        assert_eq!(AttrValue::from("1").as_str(), Some("1"));
        assert_eq!(AttrValue::from(false).as_bool(), Some(false));
        assert_eq!(AttrValue::from(0.5).as_f64(), Some(0.5));
    }

    #[test]
    fn attrs_mix_types() {
        assert_eq!(
            attrs!["a" => "x", "b" => 2],
            [("a", AttrValue::Str("x".into())), ("b", AttrValue::Int(2))]
        );
        assert!(attrs![].is_empty());
    }
}
