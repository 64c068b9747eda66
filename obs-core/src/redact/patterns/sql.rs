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
    let (mut at, mut copied, mut comment) = (0, 0, 0);
    let mut list = List::default();
    while let Some(byte) = bytes.get(at) {
        if at >= comment {
            comment = end_of_comment(bytes, at);
        }
        // What opens in a comment does not go on behind it: `-- it's`.
        let bytes = if at < comment {
            bytes.get(..comment).unwrap_or(bytes)
        } else {
            bytes
        };
        list.pass(bytes, at);
        let end = match byte {
            b'\'' => quoted(bytes, at),
            b'$' if numbers => dollars(bytes, at),
            b'"' if numbers && (list.is_of_values() || is_compared(bytes, at)) => {
                closing(bytes, at + 1, *byte)
            }
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

/// Where the comment ends that begins there, if one does.
fn end_of_comment(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = match rest {
        // With the blank, as MySQL wants it: `5--3` is a number less another.
        [b'-', b'-', blank, ..] if blank.is_ascii_whitespace() => {
            rest.iter().position(|byte| *byte == b'\n')
        }
        [b'/', b'*', ..] => rest
            .windows(2)
            .skip(2)
            .position(|two| two == b"*/")
            .map(|end| end + 2),
        _ => return 0,
    };
    at + end.unwrap_or(rest.len())
}

/// Whether the statement is in a list of values.
#[derive(Default)]
struct List {
    values: bool,
    within: bool,
}

impl List {
    fn pass(&mut self, bytes: &[u8], at: usize) {
        match bytes.get(at) {
            Some(b'(') => {
                let before = bytes.get(..at).unwrap_or_default().trim_ascii_end();
                let word = before.rsplit(|byte| !is_of_word(*byte)).next();
                let is = |name: &[u8]| word.is_some_and(|word| word.eq_ignore_ascii_case(name));
                // Rows follow rows, and functions are called in them.
                self.values |= is(b"values");
                self.within |= is(b"in");
            }
            Some(b')') => self.within = false,
            _ => {}
        }
    }

    const fn is_of_values(&self) -> bool {
        self.values || self.within
    }
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether what is in double quotes is compared with, or set: MySQL has texts in them.
fn is_compared(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default().trim_ascii_end();
    let word = before
        .get(before.len().saturating_sub(4)..)
        .unwrap_or_default();
    matches!(before, [.., b'=' | b'<' | b'>']) || word.eq_ignore_ascii_case(b"like")
}

/// After a text in single quotes, in which two are one; what has no end is all of it. A backslash takes the next one along, or
/// does not, as the engine likes: where both can be, up to the last quote there is.
fn quoted(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while let Some(byte) = bytes.get(next) {
        match byte {
            b'\\' if bytes.get(next + 1) == Some(&b'\'') => {
                return bytes
                    .iter()
                    .rposition(|byte| *byte == b'\'')
                    .map_or(bytes.len(), |at| at + 1);
            }
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
