//! `baggage`.

use obs_core::propagation::baggage::{Baggage, MAX_BYTES, MAX_MEMBERS};

/// Key, decoded value, properties.
pub(crate) type Entry = (String, String, String);

/// What a parser made of one input: its entries, and how many members it dropped.
pub(crate) fn parse(headers: &[&[u8]]) -> (Vec<Entry>, usize) {
    let (baggage, dropped) = Baggage::from_headers(headers.iter().copied());
    (entries(&baggage), dropped)
}

/// Checks a parser on one input: its lines are the headers.
#[track_caller]
pub(crate) fn check(parse: impl Fn(&[&[u8]]) -> (Vec<Entry>, usize), input: &[u8]) {
    let headers: Vec<_> = super::headers(input).collect();
    let shown = input.escape_ascii().to_string();
    let (read, dropped) = parse(&headers);
    assert_eq!((read.clone(), dropped), expected(&headers), "{shown:?}");
    assert!(read.len() <= MAX_MEMBERS);

    let (baggage, _) = Baggage::from_headers(headers.iter().copied());
    assert!(baggage.as_str().len() <= MAX_BYTES);
    assert_eq!(
        parse(&[baggage.as_str().as_bytes()]),
        (read.clone(), 0),
        "what we write, we read: {shown:?}"
    );

    let plain = read
        .iter()
        .map(|(key, value, properties)| (key.as_str(), value.as_str(), properties.as_str()));
    let (encoded, dropped) = Baggage::from_entries(plain);
    // Encoding may need more room than the sender's own did.
    if dropped == 0 {
        assert_eq!(entries(&encoded), read, "what is encoded, is decoded");
    } else {
        assert!(
            read.iter()
                .map(|(key, value, properties)| key.len() + 9 * value.len() + properties.len() + 3)
                .sum::<usize>()
                > MAX_BYTES
        );
    }
}

fn entries(baggage: &Baggage) -> Vec<Entry> {
    baggage
        .iter()
        .map(|entry| {
            (
                entry.key.into(),
                entry.value.into(),
                entry.properties.into(),
            )
        })
        .collect()
}

/// The specification's rules, one after the other.
fn expected(headers: &[&[u8]]) -> (Vec<Entry>, usize) {
    let (mut entries, mut dropped, mut length) = (Vec::new(), 0, 0);
    for raw in headers
        .join(&b',')
        .split(|byte| *byte == b',')
        .map(super::trim)
    {
        if raw.is_empty() {
            continue;
        }
        let member = std::str::from_utf8(raw).ok().and_then(member);
        let needed = member
            .as_ref()
            .map_or(0, |(written, _)| written.len() + usize::from(length > 0));
        match member {
            Some((_, entry))
                if entries.len() < MAX_MEMBERS
                    && raw.len() <= MAX_BYTES
                    && length + needed <= MAX_BYTES =>
            {
                length += needed;
                entries.push(entry);
            }
            _ => dropped += 1,
        }
    }
    (entries, dropped)
}

/// A member without white space, and what it says.
fn member(text: &str) -> Option<(String, Entry)> {
    let mut parts = text.split(';').map(|part| part.trim_matches([' ', '\t']));
    let (key, value) = parts.next()?.split_once('=')?;
    let (key, value) = (
        key.trim_end_matches([' ', '\t']),
        value.trim_start_matches([' ', '\t']),
    );
    (is_token(key) && is_value(value)).then_some(())?;
    let mut properties = Vec::new();
    for property in parts.filter(|property| !property.is_empty()) {
        properties.push(match property.split_once('=') {
            None => is_token(property).then(|| property.to_owned())?,
            Some((key, value)) => {
                let (key, value) = (
                    key.trim_end_matches([' ', '\t']),
                    value.trim_start_matches([' ', '\t']),
                );
                (is_token(key) && is_value(value)).then(|| format!("{key}={value}"))?
            }
        });
    }
    let properties = properties.join(";");
    let separator = if properties.is_empty() { "" } else { ";" };
    let written = format!("{key}={value}{separator}{properties}");
    Some((written, (key.to_owned(), decode(value), properties)))
}

fn is_token(text: &str) -> bool {
    let separators = "\"(),/:;<=>?@[\\]{}";
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !separators.contains(c))
}

fn is_value(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_graphic() && !"\",;\\".contains(c))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text
            .get(at + 1..at + 3)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (text.as_bytes()[at], digits) {
            (b'%', Some(digits)) => {
                bytes.push(u8::from_str_radix(digits, 16).expect("hex"));
                at += 3;
            }
            (byte, _) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
