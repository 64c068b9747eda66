//! Secrets that tell themselves: keys with a known beginning, web tokens, private keys, card numbers.

use super::found::{Found, Scan, is_word};

/// How a key begins, and how many characters follow at least.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 22),
    ("glpat-", 16),
    ("gsk_", 20),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxe-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xapp-", 10),
    ("xai-", 20),
    ("hf_", 20),
    ("npm_", 30),
    ("ya29.", 20),
    ("SG.", 20),
    ("dop_v1_", 20),
    ("shpat_", 20),
    ("shpss_", 20),
];

const fn is_of_key(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'-' | b'.')
}

/// RFC 9110's `token68`.
const fn is_of_credentials(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// A key at the beginning of a word.
pub(super) fn prefixed(scan: &mut Scan<'_>, at: usize) -> Option<Found> {
    let rest = scan.from(at);
    if rest.starts_with(b"eyJ") {
        return web_token(scan, at);
    }
    if matches!(rest.first(), Some(b'b' | b'B')) {
        return credentials(scan, at);
    }
    let (prefix, least) = PREFIXES
        .iter()
        .find(|(prefix, _)| rest.starts_with(prefix.as_bytes()))?;
    // No more is looked at than it takes to know; a word of plain letters is none.
    let first = rest.get(prefix.len()..prefix.len() + least)?;
    if !first.iter().all(|byte| is_of_key(*byte)) || !first.iter().any(u8::is_ascii_digit) {
        return None;
    }
    Some(Found::secret(at..at + scan.run(at, is_of_key)))
}

/// `eyJ` is how a JSON object begins in base64.
fn web_token(scan: &mut Scan<'_>, at: usize) -> Option<Found> {
    if at < scan.no_token_until {
        return None;
    }
    let is_of_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    let header = scan.run(at, is_of_part);
    let end = at + header;
    if header < 12 || scan.from(end).first() != Some(&b'.') {
        // What lies between is not gone through again for each `eyJ` in it.
        scan.no_token_until = end;
        return None;
    }
    let rest = scan.run(end, |byte| is_of_part(byte) || byte == b'.');
    Some(Found::secret(at..end + rest))
}

/// `Bearer …`, `Basic …`; the scheme stays.
fn credentials(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let rest = scan.from(at);
    let scheme = ["bearer", "basic"].into_iter().find(|scheme| {
        rest.get(..scheme.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(scheme.as_bytes()))
    })?;
    let gap = scan.run(at + scheme.len(), |byte| matches!(byte, b' ' | b'\t'));
    if gap == 0 || gap > 4 {
        return None;
    }
    let start = at + scheme.len() + gap;
    // `basic authentication` is a word of letters, and a short one.
    const LONGEST_WORD: usize = 20;
    let word = scan
        .from(start)
        .iter()
        .take(LONGEST_WORD)
        .take_while(|byte| byte.is_ascii_lowercase())
        .count();
    let end = start + scan.run(start, is_of_credentials);
    let is_word = word < LONGEST_WORD && start + word == end;
    (end >= start + 6 && !is_word && !scan.from(start).starts_with(super::REDACTED.as_bytes()))
        .then(|| Found::secret(start..end))
}

/// From its first line to its last, or to the end of the text: a key that was cut is one.
pub(super) fn private_key(scan: &Scan<'_>, at: usize) -> Option<Found> {
    const LONGEST_LINE: usize = 80;
    let rest = scan.from(at);
    if !rest.starts_with(b"-----BEGIN ") {
        return None;
    }
    let line = rest.get(..LONGEST_LINE).unwrap_or(rest);
    find(line, b"PRIVATE KEY")?;
    let end = find(rest, b"-----END").map(|end| {
        let name = rest.get(end + 8..).unwrap_or_default();
        let name = name.get(..LONGEST_LINE).unwrap_or(name);
        find(name, b"-----").map_or(end, |dashes| end + 8 + dashes + 5)
    });
    // Beside ASCII on both sides: the end of the text, or a dash.
    Some(Found::secret(at..at + end.unwrap_or(rest.len())))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// Digits of a card's number, alone or in groups.
pub(super) fn card(scan: &Scan<'_>, at: usize) -> Option<Found> {
    if matches!(scan.before(at), Some(b'.' | b'-' | b'_' | b'%' | b'#')) {
        return None;
    }
    let (mut digits, mut count, mut end) = ([0_u8; 19], 0, at);
    for (index, byte) in scan.from(at).iter().enumerate().take(19 * 2) {
        match byte {
            b'0'..=b'9' => {
                *digits.get_mut(count)? = byte - b'0';
                count += 1;
                end = at + index + 1;
            }
            b' ' | b'-' if end == at + index => {}
            _ => break,
        }
    }
    let next = scan.from(end);
    let goes_on = match next {
        [first, ..] if is_word(*first) => true,
        [b'.' | b'-', digit, ..] => digit.is_ascii_digit(),
        _ => false,
    };
    let digits = digits.get(..count)?;
    (!goes_on && is_of_brand(digits) && passes_luhn(digits)).then(|| Found::secret(at..end))
}

/// By ISO/IEC 7812's ranges of the brands that are in use.
fn is_of_brand(digits: &[u8]) -> bool {
    let number = |count: usize| {
        let first = digits.iter().take(count);
        first.fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    match digits.len() {
        13 => number(1) == 4,
        14 => matches!(number(2), 36 | 38 | 39) || matches!(number(3), 300..=305),
        15 => matches!(number(2), 34 | 37),
        16..=19 => {
            number(1) == 4
                || matches!(number(2), 51..=55 | 35 | 62 | 65)
                || matches!(number(3), 644..=649)
                || matches!(number(4), 2221..=2720 | 6011)
        }
        _ => false,
    }
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit @ 5..) => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// `name@example.com`, around its `@`.
pub(super) fn email(scan: &Scan<'_>, at: usize) -> Option<Found> {
    const LONGEST_NAME: usize = 64;
    let is_of_name = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'+' | b'-' | b'%');
    let mut start = at;
    while at - start < LONGEST_NAME
        && let Some(before) = scan.before(start)
        && is_of_name(before)
    {
        start -= 1;
    }
    let is_of_domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let domain = scan.from(at + 1);
    let length = domain
        .iter()
        .take(253)
        .take_while(|byte| is_of_domain(byte))
        .count();
    let domain = domain.get(..length)?;
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let top = domain.rsplit(|byte| *byte == b'.').next()?;
    let is_name =
        domain.len() > top.len() + 1 && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
    let name = scan.bytes().get(start..at)?;
    (!name.is_empty() && name != super::REDACTED.as_bytes() && is_name)
        .then(|| Found::secret(start..at + 1 + domain.len()))
}
