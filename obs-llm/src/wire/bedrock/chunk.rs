//! What holds a model's document in a stream of `invoke`: `{"bytes":"eyJ0…","p":"abcd"}`.

/// So many bytes are handed on at once.
const PIECE: usize = 192;

/// Decodes the base64 of a chunk as it passes.
#[derive(Debug)]
pub(super) struct Chunk {
    at: At,
    /// What is within the chunk: brackets that are open.
    depth: u8,
    /// The bits that are read and not handed on, and how many.
    bits: u16,
    len: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// Between values: the next text is a key, or not.
    Key,
    Value,
    /// In a key, of which so much is that of the document.
    Name(u8),
    /// After the key of the document.
    Colon,
    Before,
    Bytes,
    /// In another text; after a backslash of it.
    Text,
    Escape,
    /// All that is wanted was there.
    Over,
}

const NAME: &[u8] = b"bytes";

impl Chunk {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Value,
            depth: 0,
            bits: 0,
            len: 0,
        }
    }

    /// Reads the next bytes of the chunk, and hands those of the document on.
    pub(super) fn feed(&mut self, bytes: &[u8], mut document: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            match self.at {
                At::Over => return,
                At::Bytes => rest = self.decode(rest, &mut document),
                _ => {
                    self.at = self.step(byte);
                    rest = after;
                }
            }
        }
    }

    /// Anything but the document's base64.
    fn step(&mut self, byte: u8) -> At {
        match (self.at, byte) {
            (At::Name(len), b'"') if usize::from(len) == NAME.len() => At::Colon,
            (At::Name(_), b'"') => At::Value,
            (At::Name(len), _) if NAME.get(usize::from(len)) == Some(&byte) => At::Name(len + 1),
            (At::Name(_), b'\\') => At::Escape,
            (At::Name(_), _) => At::Text,
            (At::Text, b'"') => At::Value,
            (At::Text, b'\\') => At::Escape,
            (At::Text | At::Escape, _) => At::Text,
            (At::Colon, b':') => At::Before,
            (At::Before, b'"') => At::Bytes,
            (At::Colon | At::Before, b' ' | b'\t' | b'\r' | b'\n') => self.at,
            // Only a name of the outermost object is one.
            (At::Key, b'"') if self.depth == 1 => At::Name(0),
            (_, b'"') => At::Text,
            (_, b'{' | b'[') => {
                self.depth = self.depth.saturating_add(1);
                At::Key
            }
            (_, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                At::Value
            }
            (_, b',') => At::Key,
            (at, _) => at,
        }
    }

    /// Some of the document's base64; what is left of it.
    fn decode<'a>(&mut self, bytes: &'a [u8], document: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let mut piece = [0; PIECE];
        let mut len = 0;
        let mut rest = bytes;
        while len + 3 <= PIECE {
            // Four characters are three bytes, as long as nothing is between them.
            if let (0, Some((four, after))) = (self.len, rest.split_first_chunk::<4>()) {
                let [a, b, c, d] = four.map(value);
                if (a | b | c | d) < NONE {
                    let bits = a << 18 | b << 12 | c << 6 | d;
                    if let Some(three) = piece.get_mut(len..len + 3) {
                        three.copy_from_slice(&bits.to_be_bytes()[1..]);
                    }
                    len += 3;
                    rest = after;
                    continue;
                }
            }
            let Some((&byte, after)) = rest.split_first() else {
                break;
            };
            rest = after;
            if byte == b'"' {
                self.at = At::Over;
                break;
            }
            let value = value(byte);
            if value == NONE {
                // Padding, a backslash before a slash: nothing of the document. What is wrong shows in what comes out.
                continue;
            }
            self.bits = self.bits << 6 | value as u16;
            self.len += 6;
            if self.len >= 8 {
                self.len -= 8;
                if let Some(place) = piece.get_mut(len) {
                    *place = (self.bits >> self.len) as u8;
                }
                len += 1;
            }
        }
        if let Some(piece) = piece.get(..len).filter(|piece| !piece.is_empty()) {
            document(piece);
        }
        rest
    }
}

/// What stands for nothing.
const NONE: u32 = 64;

fn value(byte: u8) -> u32 {
    VALUES[usize::from(byte)].into()
}

/// What each character of base64 stands for; [`NONE`] for what is none.
static VALUES: [u8; 256] = {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE as u8; 256];
    let mut at = 0;
    while at < letters.len() {
        values[letters[at] as usize] = at as u8;
        at += 1;
    }
    values
};
