//! JSON that was cut, made whole; and values of JSON as values of events.

use obs_core::Body;
use serde_json::Value;

/// Reads a document of which only the beginning is there, and `missing` bytes are not: a text that was cut has the mark of
/// texts that are cut, and what was open is closed. `None` if it is no JSON.
pub(super) fn read(bytes: &[u8], missing: usize) -> Option<Value> {
    as_it_is(bytes, missing).or_else(|| as_it_is(&paired(bytes)?, missing))
}

fn as_it_is(bytes: &[u8], missing: usize) -> Option<Value> {
    if missing == 0 {
        return serde_json::from_slice(bytes).ok();
    }
    serde_json::from_slice(&closed(bytes, missing)?).ok()
}

/// The same with `U+FFFD` for halves of pairs of surrogates: some servers divide a character between two events, some clients a
/// text within one, and both write what JSON allows (RFC 8259, §8.2) and no text of Unicode's has. `None` if there are none.
fn paired(bytes: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let is_low = |at: usize| unit(at).is_some_and(|unit| unit & 0xfc00 == 0xdc00);
    let mut whole = Vec::with_capacity(bytes.len());
    let (mut at, mut from) = (0, 0);
    while let Some(escape) = memchr::memchr(b'\\', &bytes[at..]) {
        let here = at + escape;
        at = match unit(here).map(|unit| unit & 0xfc00) {
            None => here + 2,
            Some(0xd800) if is_low(here + 6) => here + 12,
            Some(0xd800 | 0xdc00) => {
                whole.extend_from_slice(&bytes[from..here]);
                whole.extend_from_slice(b"\\ufffd");
                from = here + 6;
                from
            }
            Some(_) => here + 6,
        }
        .min(bytes.len());
    }
    whole.extend_from_slice(&bytes[from..]);
    (from > 0).then_some(whole)
}

/// The beginning of a document, closed behind the last value that can be told to be one.
fn closed(bytes: &[u8], missing: usize) -> Option<Vec<u8>> {
    let mut open = Vec::new();
    // Behind the last value that is whole, or the last bracket that opened, and what was open there.
    let (mut safe, mut safe_open) = (0, 0);
    let mut at = 0;
    // In an object: whether a name comes next, or a value.
    let mut is_name = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                open.push(*byte);
                is_name = *byte == b'{';
                (safe, safe_open) = (at + 1, open.len());
            }
            b'}' | b']' => {
                open.pop()?;
                is_name = false;
                (safe, safe_open) = (at + 1, open.len());
            }
            b'"' => match end_of_text(bytes, at + 1) {
                Ok(end) => {
                    at = end;
                    if !is_name {
                        (safe, safe_open) = (at + 1, open.len());
                    }
                    is_name = false;
                }
                Err(end) if !is_name => {
                    let missing = missing + end;
                    let end = before_last_word(bytes, at + 1, end);
                    let missing = missing - end;
                    let mut whole = bytes[..end].to_vec();
                    whole.extend_from_slice(format!("…[+{missing} bytes]\"").as_bytes());
                    close(&mut whole, &open);
                    return Some(whole);
                }
                Err(_) => break,
            },
            b',' => {
                // What stood before it is whole, a number too.
                (safe, safe_open) = (at, open.len());
                is_name = open.last() == Some(&b'{');
            }
            _ => {}
        }
        at += 1;
    }
    if open.len() < safe_open {
        return None;
    }
    let mut whole = bytes[..safe].to_vec();
    open.truncate(safe_open);
    close(&mut whole, &open);
    Some(whole)
}

/// Of a text that was cut the last word may be half a secret, which looks like none: it goes. Where there is no white space near,
/// as much goes as a secret may be long.
fn before_last_word(bytes: &[u8], from: usize, end: usize) -> usize {
    const NEAR: usize = 1 << 10;
    let near = end.saturating_sub(NEAR).max(from);
    // No escape has a space in it.
    match bytes[near..end].iter().rposition(|byte| *byte == b' ') {
        Some(space) => near + space,
        None => end_of_text(&bytes[..near], from).unwrap_or_else(|safe| safe),
    }
}

/// The same of text that is none of JSON.
pub(super) fn drop_last_word(text: &mut String) -> usize {
    let before = text.len();
    let end = before_last_word(text.as_bytes(), 0, before);
    let end = (0..=end).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    before - text.len()
}

fn close(whole: &mut Vec<u8>, open: &[u8]) {
    for bracket in open.iter().rev() {
        whole.push(match bracket {
            b'{' => b'}',
            _ => b']',
        });
    }
}

/// Where the text ends that begins here; where it does not, the last place at which it may be cut: in no escape, and in no
/// character.
fn end_of_text(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from;
    let mut safe = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at),
            b'\\' => {
                let is_unit = bytes.get(at + 1) == Some(&b'u');
                let mut len = if is_unit { 6 } else { 2 };
                // Half a pair of surrogates is no character.
                if is_unit
                    && matches!(
                        bytes.get(at + 2..at + 4),
                        Some([b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B'])
                    )
                {
                    len = 12;
                }
                at += len;
                if at <= bytes.len() {
                    safe = at;
                }
            }
            byte if byte.is_ascii() => {
                at += 1;
                safe = at;
            }
            byte => {
                at += match byte {
                    0xf0.. => 4,
                    0xe0.. => 3,
                    _ => 2,
                };
                if at <= bytes.len() {
                    safe = at;
                }
            }
        }
    }
    Err(safe)
}

/// A value of JSON as one of an event.
pub(crate) fn body(value: &Value) -> Body {
    match value {
        Value::Null => Body::Empty,
        Value::Bool(value) => Body::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Body::I64(whole),
            None => Body::F64(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Body::Text(text.clone()),
        Value::Array(list) => Body::List(list.iter().map(body).collect()),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| (key.clone(), body(value)));
            Body::Map(pairs.collect())
        }
    }
}

/// Arguments that are told as text, as the map that they are to be; the text where they are none.
pub(super) fn arguments(text: String) -> Body {
    match serde_json::from_str::<Value>(&text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => body(&value),
        _ => Body::Text(text),
    }
}

/// Writes a value as JSON. What JSON has no number for is null, and so are bytes.
pub(super) fn write(value: &Body, to: &mut String) {
    match value {
        Body::Bool(true) => to.push_str("true"),
        Body::Bool(false) => to.push_str("false"),
        Body::I64(number) => to.push_str(&number.to_string()),
        Body::F64(number) if number.is_finite() => {
            to.push_str(&Value::from(*number).to_string());
        }
        Body::Text(text) => write_text(text, to),
        Body::List(list) => {
            to.push('[');
            for (at, item) in list.iter().enumerate() {
                if at > 0 {
                    to.push(',');
                }
                write(item, to);
            }
            to.push(']');
        }
        Body::Map(map) => {
            to.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                if at > 0 {
                    to.push(',');
                }
                write_text(key, to);
                to.push(':');
                write(item, to);
            }
            to.push('}');
        }
        _ => to.push_str("null"),
    }
}

fn write_text(text: &str, to: &mut String) {
    // Of text it cannot fail.
    if let Ok(text) = serde_json::to_string(text) {
        to.push_str(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is cut off, what is left is JSON, and all of it stood there.
    #[test]
    fn a_document_may_be_cut_anywhere() {
        let document = r#"{"a":[{"b":"x\"\u00e9\ud83d\ude00é😀","c":12.5,"d":null},true,[]],"e":{"f":"g"},"h":-1}"#;
        let whole: Value = serde_json::from_str(document).expect("JSON");
        for len in 1..document.len() {
            let missing = document.len() - len;
            let left = read(&document.as_bytes()[..len], missing);
            let left = left.unwrap_or_else(|| panic!("{len}"));
            assert!(is_part(&left, &whole), "{len}: {left}");
        }
        assert_eq!(read(document.as_bytes(), 0), Some(whole));
        assert_eq!(read(b"]]", 3), None);
    }

    #[test]
    fn half_a_pair_of_surrogates_takes_no_more_than_itself() {
        let text = |json: &str| read(json.as_bytes(), 0).map(|told| told["a"].clone());
        for (json, said) in [
            (r#"{"a":"x\ud83d"}"#, "x\u{fffd}"),
            (r#"{"a":"\ude00 end"}"#, "\u{fffd} end"),
            (r#"{"a":"\uD83D\ud83d\ude00"}"#, "\u{fffd}😀"),
            (r#"{"a":"\\ud83d \udc00"}"#, "\\ud83d \u{fffd}"),
        ] {
            assert_eq!(text(json), Some(said.into()), "{json}");
        }
        assert_eq!(text(r#"{"a":"\ud83d\"#), None, "no JSON");
        let cut = br#"{"a":"\ud83d!","b":["word and wo"#;
        let left = read(cut, 7).expect("JSON");
        assert_eq!(left["a"], "\u{fffd}!");
        assert_eq!(left["b"][0], "word and…[+10 bytes]");
    }

    fn is_part(left: &Value, whole: &Value) -> bool {
        match (left, whole) {
            (Value::Object(left), Value::Object(whole)) => left
                .iter()
                .all(|(key, left)| whole.get(key).is_some_and(|whole| is_part(left, whole))),
            (Value::Array(left), Value::Array(whole)) => left
                .iter()
                .zip(whole)
                .all(|(left, whole)| is_part(left, whole)),
            (Value::String(left), Value::String(whole)) => match left.split_once("…[+") {
                Some((left, _)) => whole.starts_with(left),
                None => left == whole,
            },
            _ => left == whole,
        }
    }
}
