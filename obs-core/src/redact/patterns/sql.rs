//! Statements of SQL without their literals.

/// Whether a text holds a statement: two words that go together.
pub(super) fn is_statement(text: &str) -> bool {
    const PAIRS: &[(&str, &str)] = &[
        ("insert", "into"),
        ("select", "from"),
        ("update", "set"),
        ("delete", "from"),
        ("merge", "into"),
        ("alter", "password"),
        ("create", "password"),
        ("values", "("),
    ];
    let lower = text.to_ascii_lowercase();
    let follows = |(first, then): &(&str, &str)| {
        lower
            .find(first)
            .is_some_and(|at| lower.get(at..).is_some_and(|rest| rest.contains(then)))
    };
    PAIRS.iter().any(follows)
}

/// Each literal in quotes is `?`.
pub(super) fn without_quoted(text: &str) -> Option<String> {
    replaced(text, false)
}

/// Each literal is `?`, numbers too, as the conventions for `db.query.text` ask (v1.44.0).
pub(super) fn without_literals(text: &str) -> Option<String> {
    replaced(text, true)
}

fn replaced(text: &str, numbers: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b'\'' => quoted(bytes, at),
            b'$' if numbers => dollars(bytes, at),
            b'"' | b'`' if numbers => {
                // Names, by the standard: nothing in them is a literal.
                at = closing(bytes, at + 1, *byte);
                continue;
            }
            b'0'..=b'9' if numbers && !continues_name(bytes, at) => number(bytes, at),
            _ => at,
        };
        if end == at {
            at += 1;
            continue;
        }
        out.push_str(text.get(copied..at).unwrap_or_default());
        out.push('?');
        (at, copied) = (end, end);
    }
    if copied == 0 {
        return None;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

/// After a text in single quotes, in which two are one, and a backslash may take the next one along; what has no end is all
/// of it.
fn quoted(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while let Some(byte) = bytes.get(next) {
        match byte {
            b'\\' => next += 2,
            b'\'' if bytes.get(next + 1) == Some(&b'\'') => next += 2,
            b'\'' => return next + 1,
            _ => next += 1,
        }
    }
    bytes.len()
}

/// After `$tag$ … $tag$`, as PostgreSQL has it; `$1` is a parameter.
fn dollars(bytes: &[u8], at: usize) -> usize {
    const LONGEST_TAG: usize = 64;
    let rest = bytes.get(at + 1..).unwrap_or_default();
    let is_of_tag = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let tag = rest
        .iter()
        .take(LONGEST_TAG)
        .take_while(|byte| is_of_tag(byte))
        .count();
    if rest.first().is_some_and(u8::is_ascii_digit) || rest.get(tag) != Some(&b'$') {
        return at;
    }
    let mark = bytes.get(at..at + tag + 2).unwrap_or_default();
    let from = at + tag + 2;
    let body = bytes.get(from..).unwrap_or_default();
    let end = body.windows(mark.len()).position(|window| window == mark);
    end.map_or(bytes.len(), |end| from + end + mark.len())
}

fn closing(bytes: &[u8], from: usize, quote: u8) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == quote);
    end.map_or(bytes.len(), |end| from + end + 1)
}

/// Whether a digit is a part of a name or of a parameter: `t1`, `$1`.
fn continues_name(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    before.is_some_and(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'$' | b'@' | b':')
            || !byte.is_ascii()
    })
}

fn number(bytes: &[u8], at: usize) -> usize {
    let is_of_number = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.';
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| is_of_number(byte)).count()
}
