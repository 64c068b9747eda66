//! Strings, numbers and brackets of JSON, as runs of bytes: where they end, and what they say.

use super::quote;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Eight times this byte.
const fn every(byte: u8) -> u64 {
    ONES * byte as u64
}

/// Marks the lowest byte that is zero; above it also others.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// Marks the lowest quote or backslash; above it also others.
#[inline]
const fn specials(word: u64) -> u64 {
    zeros(word ^ every(b'"')) | zeros(word ^ every(b'\\'))
}

/// Where the next quote or backslash is. Most strings are short, so the first of them is looked at without the set-up of a
/// longer search.
#[inline]
pub(crate) fn special(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for _ in 0..4 {
        let Some(eight) = bytes.get(at..at + 8) else {
            break;
        };
        let found = specials(eight.try_into().map_or(0, u64::from_le_bytes));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr::memchr2(b'"', b'\\', bytes.get(at..)?).map(|more| at + more)
}

/// The end of a string that has no escapes.
#[inline]
pub(crate) fn plain_end(bytes: &[u8], from: usize) -> Option<usize> {
    special(bytes, from).filter(|&at| bytes[at] == b'"')
}

/// The end of a string.
pub(crate) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    match skip(bytes, from) {
        (at, Skipped::Whole) => Some(at - 1),
        _ => None,
    }
}

/// The end of a string that begins what is there, in the same line.
#[inline(always)]
pub(crate) fn end_in_line(rest: &[u8]) -> Option<usize> {
    // Most are short and have no quotes in them: of the others, more is asked elsewhere.
    let near = quote::near(rest);
    if let Some(at) = near
        && rest.get(at) == Some(&b'"')
        && rest.get(at.wrapping_sub(1)) != Some(&b'\\')
    {
        return Some(at);
    }
    end_of_long_in_line(rest, near.unwrap_or_default())
}

/// The same, if it does not lie before `from`.
#[inline(never)]
fn end_of_long_in_line(rest: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at = quote::next(rest, at)?;
        let (text, after) = rest.split_at_checked(at)?;
        match after.first()? {
            b'"' if !is_escaped(text) => return Some(at),
            b'\n' | b'\r' => return None,
            _ => at += 1,
        }
    }
}

/// Whether what follows a text is escaped: an odd number of backslashes ends it.
#[inline]
fn is_escaped(text: &[u8]) -> bool {
    let backslashes = text.iter().rev().take_while(|byte| **byte == b'\\');
    backslashes.count() % 2 == 1
}

/// How a string went on.
#[derive(Debug)]
pub(crate) enum Skipped {
    /// To its end: the place is behind its quote.
    Whole,
    /// It goes on.
    More,
    /// It goes on, after a backslash.
    Escape,
}

/// Skips a string.
#[inline]
pub(crate) fn skip(bytes: &[u8], from: usize) -> (usize, Skipped) {
    let mut at = from;
    loop {
        match special(bytes, at) {
            None => return (bytes.len(), Skipped::More),
            Some(quote) if bytes[quote] == b'"' => return (quote + 1, Skipped::Whole),
            Some(backslash) if backslash + 1 == bytes.len() => {
                return (bytes.len(), Skipped::Escape);
            }
            Some(backslash) => at = backslash + 2,
        }
    }
}

/// The end of what a number may consist of.
#[inline]
pub(crate) fn number_end(bytes: &[u8], from: usize) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let mut at = from;
    while bytes.get(at).is_some_and(is_part) {
        at += 1;
    }
    at
}

/// The end of white space.
#[inline]
pub(crate) fn space_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of a number without sign or fraction.
#[inline]
pub(crate) fn digits_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// The number that digits are; more than fits saturates.
#[inline]
pub(crate) fn digits(bytes: &[u8]) -> u64 {
    /// So many always fit.
    const FIT: usize = 19;
    let digit = |byte: &u8| u64::from(byte.wrapping_sub(b'0'));
    if bytes.len() <= FIT {
        let more = |number: u64, byte| number.wrapping_mul(10).wrapping_add(digit(byte));
        return bytes.iter().fold(0, more);
    }
    let more = |number: u64, byte| number.saturating_mul(10).saturating_add(digit(byte));
    bytes.iter().fold(0, more)
}

/// The next quote or bracket.
#[inline]
pub(crate) fn bracket(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
    let mut at = from;
    loop {
        // Of eight bytes without any, and with none that only looks like one, nothing else is asked.
        while let Some(eight) = bytes.get(at..at + 8) {
            let word = eight.try_into().map_or(0, u64::from_le_bytes);
            // Six bits apart: `[` and `{`, `]` and `}`.
            let brackets = zeros((word | every(0x26)) ^ every(0x7f));
            let found = brackets | zeros(word ^ every(b'"'));
            if found != 0 {
                at += found.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match bytes.get(at)? {
            byte @ (b'"' | b'{' | b'}' | b'[' | b']') => return Some((at, *byte)),
            _ => at += 1,
        }
    }
}

/// At most so many bytes, and no part of a character; of what is no UTF-8, what is before.
pub(crate) fn cut(bytes: &[u8], most: usize) -> &str {
    let bytes = &bytes[..bytes.len().min(most)];
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// What is no UTF-8 is replaced.
pub(crate) fn lossy(bytes: &[u8], mut piece: impl FnMut(&str)) {
    // Nearly always it is all UTF-8, which is asked faster of the whole.
    if let Ok(text) = str::from_utf8(bytes) {
        if !text.is_empty() {
            piece(text);
        }
        return;
    }
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            piece(chunk.valid());
        }
        if !chunk.invalid().is_empty() {
            piece("\u{fffd}");
        }
    }
}

/// As much of a string as can be told: where it ends, and whether that is the string's end.
pub(crate) fn piece(bytes: &[u8], from: usize) -> (usize, bool) {
    let mut at = from;
    loop {
        match special(bytes, at) {
            Some(quote) if bytes[quote] == b'"' => return (quote, true),
            Some(backslash) => match escape(&bytes[backslash..]) {
                Some(len) => at = backslash + len,
                None => return (backslash, false),
            },
            None => return (bytes.len() - unfinished(&bytes[at..]), false),
        }
    }
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(3);
    let tail = &bytes[last..];
    for (index, byte) in tail.iter().enumerate().rev() {
        if byte & 0xc0 == 0x80 {
            continue;
        }
        let tail = &tail[index..];
        let is_begun = str::from_utf8(tail).is_err_and(|error| error.error_len().is_none());
        return if is_begun { tail.len() } else { 0 };
    }
    0
}

/// How long the escape is that begins here, with the other half of its pair; nothing while that cannot be known.
fn escape(bytes: &[u8]) -> Option<usize> {
    match *bytes.get(1)? {
        b'u' => {}
        // No escape: the character behind the backslash stays whole.
        0x80.. => return Some(1),
        _ => return Some(2),
    }
    for at in 2..6 {
        if !bytes.get(at)?.is_ascii_hexdigit() {
            return Some(at);
        }
    }
    let is_first_half = bytes[2].eq_ignore_ascii_case(&b'd')
        && matches!(bytes[3].to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b');
    if !is_first_half || *bytes.get(6)? != b'\\' {
        return Some(6);
    }
    if *bytes.get(7)? != b'u' {
        return Some(8);
    }
    for at in 8..12 {
        if !bytes.get(at)?.is_ascii_hexdigit() {
            return Some(at);
        }
    }
    Some(12)
}

/// How long the escape or the character is that begins here; nothing while that cannot be known.
pub(crate) fn element(bytes: &[u8]) -> Option<usize> {
    if bytes.first() == Some(&b'\\') {
        return escape(bytes);
    }
    match str::from_utf8(bytes) {
        Ok(_) => Some(bytes.len()),
        Err(error) => error.error_len(),
    }
}

/// Where in an escape a text is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unescape {
    /// 0: in none; 1: after the backslash; 2 to 5: a digit is to come; 6 and 7: the backslash and the `u` of a pair's other half.
    step: u8,
    unit: u16,
    high: u16,
}

/// What a byte of an escape makes of it.
#[derive(Debug)]
pub(crate) enum Step {
    More,
    Char(char),
    /// Half of a pair had no other half, and this byte belongs to what follows.
    Alone,
    Bad,
}

impl Unescape {
    pub(crate) const NONE: Self = Self {
        step: 0,
        unit: 0,
        high: 0,
    };
    pub(crate) const BEGUN: Self = Self {
        step: 1,
        ..Self::NONE
    };
    const DIGITS: u8 = 2;
    const PAIR_BACKSLASH: u8 = 6;
    const PAIR_U: u8 = 7;

    pub(crate) fn is_none(self) -> bool {
        self.step == 0
    }

    pub(crate) fn next(&mut self, byte: u8) -> Step {
        match self.step {
            1 => self.letter(byte),
            Self::PAIR_BACKSLASH => {
                if byte == b'\\' {
                    self.step = Self::PAIR_U;
                    return Step::More;
                }
                *self = Self::NONE;
                Step::Alone
            }
            Self::PAIR_U => {
                if byte == b'u' {
                    self.step = Self::DIGITS;
                    self.unit = 0;
                    return Step::More;
                }
                // Another escape follows, of which the backslash has passed.
                *self = Self::BEGUN;
                Step::Alone
            }
            _ => self.digit(byte),
        }
    }

    fn letter(&mut self, byte: u8) -> Step {
        let char = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.step = Self::DIGITS;
                return Step::More;
            }
            _ => return Step::Bad,
        };
        *self = Self::NONE;
        Step::Char(char)
    }

    fn digit(&mut self, byte: u8) -> Step {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Step::Bad;
        };
        self.unit = self.unit << 4 | digit as u16;
        self.step += 1;
        if self.step < Self::DIGITS + 4 {
            return Step::More;
        }
        match (self.high, self.unit) {
            (0, 0xd800..0xdc00) => {
                self.high = self.unit;
                self.step = Self::PAIR_BACKSLASH;
                Step::More
            }
            (0, unit) => {
                *self = Self::NONE;
                Step::Char(char::from_u32(unit.into()).unwrap_or('\u{fffd}'))
            }
            (high, low) => self.pair(high, low),
        }
    }

    fn pair(&mut self, high: u16, low: u16) -> Step {
        *self = Self::NONE;
        match char::decode_utf16([high, low]).next() {
            Some(Ok(char)) => Step::Char(char),
            _ => Step::Char('\u{fffd}'),
        }
    }
}
