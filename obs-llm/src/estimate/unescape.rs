//! The text that stands in a JSON string, from pieces that may be cut anywhere.

/// What stands for an escape that makes no sense: JSON allows half of a surrogate pair, text does not.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Undoes escapes. Holds what a piece ended within: at most an escape and the first half of a pair of them.
#[derive(Debug, Default)]
pub(super) struct Unescape {
    /// The escape that has begun, from its backslash on.
    begun: [u8; 6],
    len: u8,
    /// The first half of a surrogate pair.
    high: Option<u32>,
}

impl Unescape {
    /// Adds the text of a piece.
    pub(super) fn push(&mut self, mut piece: &str, text: &mut String) {
        while !piece.is_empty() {
            if self.len == 0 {
                let run = memchr::memchr(b'\\', piece.as_bytes()).unwrap_or(piece.len());
                let (plain, rest) = piece.split_at(run);
                if !plain.is_empty() {
                    self.lone(text);
                    text.push_str(plain);
                }
                piece = rest;
                if piece.is_empty() {
                    return;
                }
            }
            // A backslash, or what follows one: all of it is ASCII, or it is no escape.
            let byte = piece.as_bytes()[0];
            let taken = match self.len {
                0 => true,
                1 => byte.is_ascii(),
                _ => byte.is_ascii_hexdigit(),
            };
            if !taken {
                self.len = 0;
                self.lone(text);
                text.push(REPLACEMENT);
                continue;
            }
            self.begun[usize::from(self.len)] = byte;
            self.len += 1;
            piece = &piece[1..];
            match self.len {
                2 if byte != b'u' => self.short(byte, text),
                6 => self.unit(text),
                _ => {}
            }
        }
    }

    /// Nothing follows: what has begun never ends.
    pub(super) fn end(&mut self, text: &mut String) {
        self.lone(text);
        if self.len > 0 {
            text.push(REPLACEMENT);
            self.len = 0;
        }
    }

    fn short(&mut self, byte: u8, text: &mut String) {
        self.len = 0;
        self.lone(text);
        text.push(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => REPLACEMENT,
        });
    }

    fn unit(&mut self, text: &mut String) {
        self.len = 0;
        let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
        let digits = self.begun[2..].iter().map(digit);
        let unit = digits.fold(0, |unit, digit| unit << 4 | digit);
        match (self.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                let scalar = 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
                text.push(char::from_u32(scalar).unwrap_or(REPLACEMENT));
            }
            (high, _) => {
                self.high = high;
                self.lone(text);
                match unit {
                    0xd800..=0xdbff => self.high = Some(unit),
                    // Half of a pair, the second, is no character.
                    _ => text.push(char::from_u32(unit).unwrap_or(REPLACEMENT)),
                }
            }
        }
    }

    /// A first half that no second one followed.
    fn lone(&mut self, text: &mut String) {
        if self.high.take().is_some() {
            text.push(REPLACEMENT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(pieces: &[&str]) -> String {
        let (mut unescape, mut text) = (Unescape::default(), String::new());
        for piece in pieces {
            unescape.push(piece, &mut text);
        }
        unescape.end(&mut text);
        text
    }

    #[track_caller]
    fn check(json: &str, expect: &str) {
        let cuts = (0..=json.len()).filter(|at| json.is_char_boundary(*at));
        for at in cuts {
            let (head, tail) = json.split_at(at);
            assert_eq!(whole(&[head, tail]), expect, "{json} cut at {at}");
        }
        let letters: Vec<_> = json.split("").collect();
        assert_eq!(whole(&letters), expect, "{json} letter by letter");
    }

    #[test]
    fn escapes_are_undone_wherever_a_piece_ends() {
        check(r#"a\nb\"c\\d\/e"#, "a\nb\"c\\d/e");
        check(r"\u00e9\u20AC", "\u{e9}\u{20ac}");
        check(r"x\ud83d\ude00y", "x\u{1f600}y");
        check("\u{1f600} caf\u{e9}", "\u{1f600} caf\u{e9}");
        check(r"\b\f\r\t", "\u{8}\u{c}\r\t");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        check(r"\ud83d", "\u{fffd}");
        check(r"\ud83dx", "\u{fffd}x");
        check(r"\ud83d\n", "\u{fffd}\n");
        check(r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}");
        check(r"\ude00", "\u{fffd}");
        check(r"\ud83d\u0041", "\u{fffd}A");
        check(r"\q", "\u{fffd}");
        check(r"\u00g9", "\u{fffd}g9");
        check("\\\u{e9}", "\u{fffd}\u{e9}");
        check(r"\u00", "\u{fffd}");
        check(r"\", "\u{fffd}");
    }

    proptest! {
        #[test]
        fn what_a_writer_of_json_escapes_is_read_back(text in any::<String>(), step in 1_usize..7) {
            let json = serde_json::to_string(&text).expect("JSON");
            let inner = &json[1..json.len() - 1];
            let ascii: String = inner.encode_utf16().map(|unit| match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
                _ => format!("\\u{unit:04x}"),
            }).collect();
            for escaped in [inner, &ascii] {
                let ends = escaped.char_indices().map(|(at, _)| at).step_by(step).chain([escaped.len()]);
                let ends: Vec<_> = ends.collect();
                let pieces: Vec<_> = ends.windows(2).map(|ends| &escaped[ends[0]..ends[1]]).collect();
                prop_assert_eq!(&whole(&pieces), &text);
            }
        }
    }
}
