//! What `Debug` and JSON put around a value: `Some(String("…"))`, `b"…"`, `Secret { inner: "…" }`, `["…", "…"]`.

/// A name that is longer is none of a type.
const LONGEST_NAME: usize = 48;

/// As many as types are wrapped into each other.
const MOST: usize = 4;

/// What stands before a value in quotes, a list or a map, of which it is `Debug`'s; of another value `Some(` alone.
pub(super) fn length(text: &[u8]) -> usize {
    let some = if text.starts_with(b"Some(") { 5 } else { 0 };
    before(text, |byte| matches!(byte, b'"' | b'\'' | b'[' | b'{')).unwrap_or(some)
}

/// The same before a quote; `None` where there is none.
pub(super) fn before_quote(text: &[u8]) -> Option<usize> {
    before(text, |byte| matches!(byte, b'"' | b'\''))
}

fn before(text: &[u8], ends: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    for _ in 0..=MOST {
        let rest = text.get(at..)?;
        match rest {
            [byte, ..] if ends(*byte) => return Some(at),
            [b'\\', b'"' | b'\'', ..] => return Some(at),
            _ => {}
        }
        let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
        let name = rest
            .iter()
            .take(LONGEST_NAME)
            .take_while(is_of_name)
            .count();
        at += match rest.get(name..)? {
            [b'(', ..] if name > 0 => name + 1,
            [b' ', b'{', ..] if name > 0 => name + 1,
            // Bytes, and a text without escapes.
            [b'"' | b'\'', ..] if name == 1 || name == 2 => name,
            _ => return None,
        };
    }
    None
}

/// Up to what closes the list or map that begins before it, or to the end: what was cut may be a secret too.
pub(super) fn up_to_closing(text: &[u8]) -> usize {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (_, b'\\') => escaped = true,
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"') => quote = Some(byte),
            (None, b'[' | b'{') => depth += 1,
            (None, b']' | b'}') if depth == 0 => return at,
            (None, b']' | b'}') => depth -= 1,
            _ => {}
        }
    }
    text.len()
}
