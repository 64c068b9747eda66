//! Text inside a JSON string: one line, valid, and harmless in a terminal.

use std::fmt::{self, Write};

/// Writes text into a JSON string, escaped, until either bound is reached; what is left out is counted.
#[derive(Debug)]
pub(super) struct Escaped<'a> {
    out: &'a mut String,
    /// Bytes of text that are still taken.
    left: usize,
    /// How long `out` may become.
    end: usize,
    /// Bytes of text that were left out.
    pub(super) cut: usize,
}

impl<'a> Escaped<'a> {
    pub(super) fn new(out: &'a mut String, most: usize, end: usize) -> Self {
        Self {
            out,
            left: most,
            end,
            cut: 0,
        }
    }

    /// Says how much was left out, where something was.
    pub(super) fn finish(self) {
        if self.cut > 0 {
            // Into a `String`, which takes everything.
            let _ = write!(self.out, "…[+{} bytes]", self.cut);
        }
    }

    fn push(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let plain = plain(rest.as_bytes());
            let room = self.left.min(self.end.saturating_sub(self.out.len()));
            let taken = floor(rest, plain.min(room));
            self.out.push_str(&rest[..taken]);
            self.left -= taken;
            rest = &rest[taken..];
            if taken < plain {
                break;
            }
            let Some(c) = rest.chars().next() else { break };
            if self.left < c.len_utf8() || self.out.len() + LONGEST > self.end {
                break;
            }
            push_char(self.out, c);
            self.left -= c.len_utf8();
            rest = &rest[c.len_utf8()..];
        }
        self.cut += rest.len();
    }
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.cut == 0 {
            self.push(text);
        } else {
            self.cut += text.len();
        }
        Ok(())
    }
}

/// Of an escape: a pair of surrogates.
const LONGEST: usize = 12;

/// How many bytes from the front need no look.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    let mut at = 0;
    // Eight at a time, while they are printable ASCII: a byte that is not sets its highest bit, and perhaps that of a later one.
    while let Some(chunk) = text[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20);
        let is = |byte: u64| (word ^ (ONES * byte)).wrapping_sub(ONES);
        let found = word | control | is(u64::from(b'"')) | is(u64::from(b'\\')) | is(0x7f);
        if found & HIGH != 0 {
            break;
        }
        at += 8;
    }
    let rest = text[at..].iter();
    at + rest.take_while(|byte| !needs_a_look(**byte)).count()
}

/// Whether a character that begins with this byte may have to be escaped.
fn needs_a_look(byte: u8) -> bool {
    // C1 controls begin with C2, marks of direction with D8 and E2, byte order marks and annotations with EF, tags with F3.
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f | 0xc2 | 0xd8 | 0xe2 | 0xef | 0xf3)
}

/// What would end the string or the line, drive a terminal, or make text look like other text: controls, line and paragraph
/// separators, everything that turns or hides the direction of writing, invisible tags.
fn is_harmful(c: char) -> bool {
    matches!(c,
        '"' | '\\'
        | '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

fn push_char(out: &mut String, c: char) {
    if !is_harmful(c) {
        return out.push(c);
    }
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    let digit = (*unit >> shift & 0xf) as usize;
                    out.push(char::from(b"0123456789abcdef"[digit]));
                }
            }
        }
    }
}

/// The largest boundary of characters up to `index`.
pub(super) fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, most: usize, end: usize) -> String {
        let mut out = String::new();
        let mut into = Escaped::new(&mut out, most, end);
        into.write_str(text).expect("a string takes everything");
        into.finish();
        out
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(escaped(text, 1_000, 10_000), expect);
    }

    #[test]
    fn what_could_do_harm_is_escaped_and_nothing_else() {
        check("plain, größer, 日本語, … 🦀", "plain, größer, 日本語, … 🦀");
        check("a\"b\\c", "a\\\"b\\\\c");
        check("a\nb\r\tc\0", "a\\nb\\r\\tc\\u0000");
        check("\u{1b}[31m\u{7f}\u{9b}", "\\u001b[31m\\u007f\\u009b");
        check(
            "\u{2028}\u{2029}\u{202a}\u{202e}",
            "\\u2028\\u2029\\u202a\\u202e",
        );
        check(
            "\u{2066}\u{2069}\u{200f}\u{61c}",
            "\\u2066\\u2069\\u200f\\u061c",
        );
        check("\u{feff}\u{e0041}", "\\ufeff\\udb40\\udc41");
    }

    #[test]
    fn every_harmful_character_begins_with_a_byte_that_is_looked_at() {
        for c in '\0'..=char::MAX {
            let first = c.encode_utf8(&mut [0; 4]).as_bytes()[0];
            assert!(!is_harmful(c) || needs_a_look(first), "{c:?}");
        }
    }

    #[test]
    fn eight_at_a_time_finds_what_one_at_a_time_finds() {
        for before in 0..20 {
            for byte in 0..=u8::MAX {
                let text = [vec![b'a'; before], vec![byte; 2], vec![b'!'; 9]].concat();
                let expect = text.iter().position(|byte| needs_a_look(*byte));
                assert_eq!(
                    plain(&text),
                    expect.unwrap_or(text.len()),
                    "{byte:#x} after {before}"
                );
            }
        }
    }

    #[test]
    fn a_cut_is_between_characters_and_says_how_much() {
        assert_eq!(escaped("grün", 3, 100), "gr…[+3 bytes]");
        assert_eq!(escaped("a\n\n\n", 3, 100), "a\\n\\n…[+1 bytes]");
        assert_eq!(escaped("\n\n\n", 100, 14), "\\n\\n…[+1 bytes]");
    }
}
