//! Protobuf's wire format into one growing buffer: the few shapes that OTLP needs.
//!
//! The output is canonical: fields in ascending order are up to the caller, defaults left out as well, lengths and
//! varints are of minimal size. That a decoder of others re-encodes it to the same bytes is what the tests check.

/// The tag of a field below 16, as its one byte.
pub(crate) const fn tag(field: u8, wire: Wire) -> u8 {
    assert!(field < 16);
    field << 3 | wire as u8
}

#[derive(Clone, Copy)]
pub(crate) enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
}

/// The tag of a length-delimited field.
pub(crate) const fn message(field: u8) -> u8 {
    tag(field, Wire::Bytes)
}

/// A buffer that protobuf is written to. Cleared, it keeps its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    #[cfg(feature = "sdk")]
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets the first `count` bytes.
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.0.drain(..count.min(self.0.len()));
    }

    /// Cuts, or fills up with zeros.
    pub(crate) fn resize(&mut self, len: usize) {
        self.0.resize(len, 0);
    }

    /// Replaces what lies from `at` on; what does not fit is left out.
    pub(crate) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// A buffer that once was large must not stay large.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        if self.0.capacity() > bytes {
            self.0.shrink_to(bytes);
        }
    }

    /// Bytes that are protobuf already.
    #[inline(always)]
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The first `len` of these bytes, with the eight at `at` replaced. Copying all of a known number is cheaper than
    /// copying some of an unknown one.
    #[inline(always)]
    pub(crate) fn template<const ROOM: usize>(
        &mut self,
        bytes: &[u8; ROOM],
        len: usize,
        at: usize,
        value: u64,
    ) {
        let start = self.0.len();
        self.0.extend_from_slice(bytes);
        if let Some(place) = self.0.get_mut(start + at..start + at + 8) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        self.0.truncate(start + len);
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A varint field, left out if 0.
    #[inline(always)]
    pub(crate) fn uint(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.0.push(tag(field, Wire::Varint));
            self.varint(value);
        }
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self, field: u8, value: u64) {
        let mut bytes = [tag(field, Wire::Fixed64); 9];
        bytes[1..].copy_from_slice(&value.to_le_bytes());
        self.raw(&bytes);
    }

    /// A length-delimited field, written even if empty.
    #[inline(always)]
    pub(crate) fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.0.push(message(field));
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// Begins a message whose length is known.
    pub(crate) fn open(&mut self, field: u8, len: usize) {
        self.0.push(message(field));
        self.varint(len as u64);
    }

    /// A text or bytes field, left out if empty.
    #[inline(always)]
    pub(crate) fn text(&mut self, field: u8, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// A message whose length is known only afterwards. `GUESS` is how many bytes its length is expected to take; a
    /// wrong guess moves the message.
    #[inline(always)]
    pub(crate) fn nested<const GUESS: usize>(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        self.0.push(message(field));
        let at = self.0.len();
        self.raw(&[0; GUESS]);
        write(self);
        self.close::<GUESS>(at);
    }

    #[inline(always)]
    fn close<const GUESS: usize>(&mut self, at: usize) {
        let start = at + GUESS;
        let len = self.0.len() - start;
        if varint_len(len) != GUESS {
            return self.move_and_close(at, GUESS, len);
        }
        put_varint(&mut self.0[at..start], len);
    }

    #[cold]
    #[inline(never)]
    fn move_and_close(&mut self, at: usize, guess: usize, len: usize) {
        let needed = varint_len(len);
        let start = at + guess;
        if needed > guess {
            self.raw(&[0; 10][..needed - guess]);
        }
        self.0.copy_within(start..start + len, at + needed);
        self.0.truncate(at + needed + len);
        put_varint(&mut self.0[at..at + needed], len);
    }
}

/// How many bytes a length takes.
#[inline(always)]
pub(crate) const fn varint_len(value: usize) -> usize {
    if value < 0x80 {
        return 1;
    }
    let bits = usize::BITS - value.leading_zeros();
    bits.div_ceil(7) as usize
}

#[inline(always)]
fn put_varint(into: &mut [u8], mut value: usize) {
    let last = into.len() - 1;
    for byte in &mut into[..last] {
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    into[last] = value as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_varint(value: u64, expect: &[u8]) {
        let mut buffer = Buffer::default();
        buffer.varint(value);
        assert_eq!(buffer.as_slice(), expect);
        if let Ok(len) = usize::try_from(value) {
            assert_eq!(varint_len(len), expect.len());
        }
    }

    // The examples of protobuf's own description of its encoding, and the edges.
    #[test]
    fn varints_are_minimal() {
        check_varint(0, &[0]);
        check_varint(1, &[1]);
        check_varint(127, &[0x7f]);
        check_varint(128, &[0x80, 0x01]);
        check_varint(150, &[0x96, 0x01]);
        check_varint(16_383, &[0xff, 0x7f]);
        check_varint(16_384, &[0x80, 0x80, 0x01]);
        check_varint(
            u64::MAX,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        );
    }

    #[track_caller]
    fn check_nested<const GUESS: usize>(len: usize) {
        let mut buffer = Buffer::default();
        buffer.raw(b"before");
        buffer.nested::<GUESS>(2, |buffer| (0..len).for_each(|at| buffer.raw(&[at as u8])));
        buffer.raw(b"after");
        let mut expect = Buffer::default();
        expect.raw(b"before");
        let content: Vec<u8> = (0..len).map(|at| at as u8).collect();
        expect.bytes(2, &content);
        expect.raw(b"after");
        assert_eq!(buffer.as_slice(), expect.as_slice(), "{GUESS} {len}");
    }

    #[test]
    fn a_wrong_guess_of_a_length_costs_a_move_and_changes_nothing() {
        for len in [0, 1, 127, 128, 300, 16_383, 16_384, 70_000, 2_097_152] {
            check_nested::<1>(len);
            check_nested::<2>(len);
            check_nested::<3>(len);
        }
    }
}
