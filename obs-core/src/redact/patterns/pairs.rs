//! Values under a secret's name: `password=…`, `"token": "…"`, `Authorization: …`.

use super::found::{Found, Scan};
use super::{is_secret, urls, wrapped};
use crate::redact::nested::{decode, nested_at};

/// A name that is longer is looked at from its end.
const LONGEST_NAME: usize = 64;

/// Words that name a secret only beside others: alone they are a status, a map's key, a step of a test.
const NOT_ALONE: &[&str] = &["code", "key", "pass", "pin", "private", "ticket"];

/// Whether an attribute, a field or a pair of this name holds a secret: by the last part of the name, as `session.id` and
/// `code.file.path` hold none.
pub(super) fn names_secret(name: &str) -> bool {
    let last = name.rsplit(['.', ':', '/']).next().unwrap_or_default();
    let alone = |word: &&str| last.eq_ignore_ascii_case(word);
    !last.is_empty() && !NOT_ALONE.iter().any(alone) && is_secret(last.as_bytes())
}

/// Whether a value says nothing.
pub(super) fn is_nothing(value: &[u8]) -> bool {
    let words: [&[u8]; 6] = [
        b"",
        b"null",
        b"None",
        b"true",
        b"false",
        super::REDACTED.as_bytes(),
    ];
    words.contains(&value)
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'%')
}

/// Where the name begins that ends there.
fn name_before(scan: &Scan<'_>, end: usize) -> usize {
    let mut start = end;
    while end - start < LONGEST_NAME
        && let Some(before) = scan.before(start)
        && is_of_name(before)
    {
        start -= 1;
    }
    start
}

fn text_of<'t>(scan: &Scan<'t>, start: usize, end: usize) -> &'t str {
    let name = scan.bytes().get(start..end).unwrap_or_default();
    // Of ASCII only.
    std::str::from_utf8(name).unwrap_or_default()
}

/// `name=value`, in a query or anywhere else.
pub(super) fn equals(scan: &mut Scan<'_>, at: usize) -> Option<Found> {
    // `==`, `=>`, `!=`: something is compared, not said.
    if matches!(scan.from(at + 1).first(), Some(b'=' | b'>')) {
        return None;
    }
    let end = at - spaces_before(scan, at);
    let end = match scan.before(end) {
        Some(b'"' | b'\'') => end - 1,
        _ => end,
    };
    let start = name_before(scan, end);
    let name = decode(text_of(scan, start, end).as_bytes());
    let in_query = end == at && matches!(scan.before(start), Some(b'?' | b'&' | b';' | b'#'));
    let is_of_value = |byte| !urls::ends_url(byte) && !matches!(byte, b'&' | b'#');
    if in_query && is_secret(&name) {
        let value = at + 1;
        return secret(scan, value, || scan.run(value, is_of_value));
    }
    let name = String::from_utf8_lossy(&name);
    if name.is_empty() || !names_secret(&name) {
        return in_query
            .then(|| nested(scan, at + 1, is_of_value))
            .flatten();
    }
    value_at(scan, at + 1)
}

/// The secret of an address that is a value: `next=/reset%3Ftoken%3D…`.
fn nested(scan: &mut Scan<'_>, value: usize, is_of_value: impl Fn(u8) -> bool) -> Option<Found> {
    if value < scan.no_nested_until {
        return None;
    }
    let end = value + scan.run(value, is_of_value);
    let Some(at) = nested_at(scan.bytes().get(value..end)?) else {
        scan.no_nested_until = end;
        return None;
    };
    secret(scan, value + at, || end - (value + at))
}

/// `"name": value` and `name: value`.
pub(super) fn colon(scan: &Scan<'_>, at: usize) -> Option<Found> {
    if scan.from(at + 1).first() == Some(&b':') {
        return None;
    }
    let mut end = at - spaces_before(scan, at);
    let quote = scan.before(end).filter(|byte| matches!(byte, b'"' | b'\''));
    if quote.is_some() {
        end -= 1;
        // JSON in a JSON string.
        end -= usize::from(scan.before(end) == Some(b'\\'));
    }
    let start = name_before(scan, end);
    let name = text_of(scan, start, end);
    if name.is_empty() || !names_secret(name) {
        return None;
    }
    let value = at + 1 + spaces_after(scan, at + 1);
    if quote.is_some() {
        // JSON for people has the value on a line of its own, if it likes.
        return value_at(
            scan,
            value + scan.run(value, |byte| byte.is_ascii_whitespace()),
        );
    }
    if wrapped::before_quote(scan.from(value)).is_some() {
        return value_at(scan, value);
    }
    if is_header(name) {
        let is_of_line = |byte| !matches!(byte, b'\r' | b'\n');
        return secret(scan, value, || scan.run(value, is_of_line));
    }
    // In a sentence a word before a colon is a subject, unless it is one of a program's.
    is_strong(name).then(|| value_at(scan, value)).flatten()
}

fn is_header(name: &str) -> bool {
    let is = |word: &&str| name.eq_ignore_ascii_case(word);
    name.contains('-') || ["authorization", "cookie"].iter().any(is)
}

fn is_strong(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let has = |word: &&str| lower.contains(*word);
    let is_joined =
        lower.contains('_') || name.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    is_joined
        || ["passw", "passphrase", "secret", "apikey", "credential"]
            .iter()
            .any(has)
}

/// As many as columns are wide in which names and values stand.
const MOST_SPACES: usize = 64;

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn spaces_before(scan: &Scan<'_>, at: usize) -> usize {
    let is_space = |back: &usize| scan.before(at - back).is_some_and(is_space);
    (0..MOST_SPACES.min(at)).take_while(is_space).count()
}

fn spaces_after(scan: &Scan<'_>, at: usize) -> usize {
    let spaces = scan.from(at).iter().take(MOST_SPACES);
    spaces.take_while(|byte| is_space(**byte)).count()
}

/// A value in quotes or up to what ends a word.
fn value_at(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let mut start = at + spaces_after(scan, at);
    if is_marked(scan, start) {
        return None;
    }
    start += wrapped::length(scan.from(start));
    match scan.from(start) {
        [b'[' | b'{', ..] => {
            let value = start + 1 + spaces_after(scan, start + 1);
            secret(scan, value, || wrapped::up_to_closing(scan.from(value)))
        }
        [b'\\', quote @ (b'"' | b'\''), ..] => {
            let value = start + 2;
            secret(scan, value, || up_to_escaped(scan.from(value), *quote))
        }
        [quote @ (b'"' | b'\''), ..] => {
            let value = start + 1;
            secret(scan, value, || up_to(scan.from(value), *quote))
        }
        _ => {
            let ends = |byte: u8| {
                urls::ends_url(byte)
                    || matches!(byte, b',' | b';' | b'&' | b'\'' | b')' | b'}' | b']' | b'|')
            };
            secret(scan, start, || {
                let word = scan.run(start, |byte| !ends(byte));
                let next = start + word + spaces_after(scan, start + word);
                match is_scheme(scan.from(start).get(..word)) && next > start + word {
                    true => next - start + scan.run(next, |byte| !ends(byte)),
                    false => word,
                }
            })
        }
    }
}

/// Whether what is secret is the word behind: `authorization=Bearer …`.
fn is_scheme(word: Option<&[u8]>) -> bool {
    const SCHEMES: [&str; 7] = [
        "bearer",
        "basic",
        "token",
        "apikey",
        "dpop",
        "negotiate",
        "bot",
    ];
    let is = |scheme: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes()));
    SCHEMES.into_iter().any(is)
}

/// Up to the quote, or to the end: what was cut may be a secret too.
fn up_to(text: &[u8], quote: u8) -> usize {
    let mut escaped = false;
    text.iter()
        .position(|byte| {
            let ends = *byte == quote && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })
        .unwrap_or(text.len())
}

fn up_to_escaped(text: &[u8], quote: u8) -> usize {
    text.windows(2)
        .position(|pair| pair == [b'\\', quote])
        .unwrap_or(text.len())
}

/// A value of so many bytes, which are counted only if it is none that was replaced: what is left is not gone through again.
fn secret(scan: &Scan<'_>, start: usize, length: impl FnOnce() -> usize) -> Option<Found> {
    if is_marked(scan, start) {
        return None;
    }
    let end = start + length();
    let value = scan.bytes().get(start..end)?;
    (!is_nothing(value)).then(|| Found::secret(start..end))
}

fn is_marked(scan: &Scan<'_>, start: usize) -> bool {
    let marked = |mark: &str| scan.from(start).starts_with(mark.as_bytes());
    marked(super::REDACTED) || marked(super::super::WITHHELD)
}
