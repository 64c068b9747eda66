//! Where a text may end: at a quote, or where a line does. What is escaped needs no look of its own, since nothing but a backslash
//! right before it makes a quote none that ends.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The first quote or control character, if it is among the first eight bytes.
#[inline(always)]
pub(super) fn near(bytes: &[u8]) -> Option<usize> {
    let marks = marks(word(bytes)?);
    (marks != 0).then(|| place(marks))
}

/// The first quote or control character from there on.
#[inline]
pub(super) fn next(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    match word(rest).map(marks) {
        Some(0) => further(bytes, from + 8),
        Some(marks) => Some(from + place(marks)),
        None => of_last(bytes, from),
    }
}

#[inline]
fn further(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(sixteen) = bytes.get(at..)?.first_chunk::<16>() {
        // All are looked at, so that the processor does it at once.
        if sixteen
            .iter()
            .fold(false, |any, byte| any | is_marked(*byte))
        {
            break;
        }
        at += 16;
    }
    while let Some(word) = word(bytes.get(at..)?) {
        let marks = marks(word);
        if marks != 0 {
            return Some(at + place(marks));
        }
        at += 8;
    }
    of_last(bytes, at)
}

/// The same of the last, which are less than a word.
#[inline(never)]
fn of_last(bytes: &[u8], from: usize) -> Option<usize> {
    let last = bytes.get(from..)?;
    Some(from + last.iter().position(|byte| is_marked(*byte))?)
}

/// A quote is two bits from a space, and control characters lie below that.
#[inline(always)]
fn is_marked(byte: u8) -> bool {
    byte ^ 2 < 0x21
}

/// Marks the lowest of eight bytes that is a quote or a control character; above it also others.
#[inline(always)]
fn marks(word: u64) -> u64 {
    let word = word ^ (ONES * 2);
    word.wrapping_sub(ONES * 0x21) & !word & HIGHS
}

/// Which byte is the lowest that is marked.
#[inline(always)]
fn place(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

#[inline(always)]
fn word(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(bytes: &[u8], from: usize) -> Option<usize> {
        let is = |byte: u8| matches!(byte, b'"' | 0..0x20);
        (from..bytes.len()).find(|at| is(bytes[*at]))
    }

    /// Every byte at every place of a word, of sixteen bytes and of the rest, after any others.
    #[test]
    fn each_byte_that_is_looked_for_is_found() {
        for before in [b'a', b' ', b'!', b'#', b'\\', 0x7f, 0x80, 0xa0, 0xa2, 0xff] {
            for byte in 0..=255 {
                for at in 0..44 {
                    let mut bytes = [before; 45];
                    bytes[at] = byte;
                    let expect = expect(&bytes, 0);
                    assert_eq!(next(&bytes, 0), expect, "{byte} after {before} at {at}");
                    let expect = expect.filter(|at| *at < 8);
                    assert_eq!(near(&bytes), expect, "{byte} after {before} at {at}");
                }
            }
        }
    }

    /// What lies before is not looked at, and what lies behind does not matter.
    #[test]
    fn it_is_the_first_from_there_on() {
        for len in 0..50 {
            for quote in 0..=len {
                for behind in [b'a', b'"', b'\\', 1, 0x20, 0x23] {
                    let mut bytes = vec![b'a'; len];
                    if let Some(tail) = bytes.get_mut(quote..) {
                        tail.fill(behind);
                    }
                    if let Some(byte) = bytes.get_mut(quote) {
                        *byte = b'"';
                    }
                    for from in 0..=len + 9 {
                        assert_eq!(next(&bytes, from), expect(&bytes, from), "{bytes:?} {from}");
                    }
                }
            }
        }
    }
}
