//! The messages of a body, counted as they pass: a prefix of five bytes (a flag and a length) before each. Frames of HTTP/2
//! are no messages: one may hold many, and many one.

/// Where in a message a body is. Of constant size, whatever comes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frames {
    /// What is still to come of the message.
    left: u32,
    /// The prefix as far as it is there, but for its last byte.
    prefix: [u8; 4],
    have: u8,
}

/// What has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Messages that are there to their last byte.
    pub(crate) messages: u64,
    /// Of those that have begun, how many were compressed.
    pub(crate) compressed: u64,
    /// Bytes of messages, compressed or not, without prefixes.
    pub(crate) bytes: u64,
    /// Something stood in the place of a prefix that is none: this is no gRPC, or not any more.
    pub(crate) invalid: bool,
}

impl Tally {
    pub(crate) const NONE: Self = Self {
        messages: 0,
        compressed: 0,
        bytes: 0,
        invalid: false,
    };
}

const PREFIX: usize = 5;

impl Frames {
    /// Whether nothing was fed.
    pub(crate) fn is_untouched(&self, tally: &Tally) -> bool {
        tally.messages == 0 && tally.bytes == 0 && self.left == 0 && self.have == 0
    }

    /// Whether the body may end here: between two messages.
    pub(crate) fn is_between(&self) -> bool {
        self.left == 0 && self.have == 0
    }

    #[inline(always)]
    pub(crate) fn feed(&mut self, data: &[u8], tally: &mut Tally) {
        // Mostly one whole message.
        if self.left == 0
            && self.have == 0
            && let Some(([flag @ 0..=1, length @ ..], rest)) = data.split_first_chunk::<PREFIX>()
            && rest.len() == u32::from_be_bytes(*length) as usize
        {
            tally.messages += 1;
            tally.compressed += u64::from(*flag);
            tally.bytes += rest.len() as u64;
            return;
        }
        // HTTP/2 ends a stream with a frame that has none.
        if !data.is_empty() {
            self.feed_any(data, tally);
        }
    }

    #[inline(never)]
    fn feed_any(&mut self, mut data: &[u8], tally: &mut Tally) {
        while self.have == 0 {
            if self.left > 0 {
                let taken = data.len().min(self.left as usize);
                self.left -= taken as u32;
                tally.bytes += taken as u64;
                if self.left > 0 {
                    return;
                }
                tally.messages += 1;
                data = &data[taken..];
            }
            let Some((prefix, rest)) = data.split_first_chunk::<PREFIX>() else {
                break;
            };
            self.begin(*prefix, tally);
            data = rest;
        }
        if !data.is_empty() {
            self.feed_parts(data, tally);
        }
    }

    #[inline(always)]
    fn begin(&mut self, [flag, length @ ..]: [u8; PREFIX], tally: &mut Tally) {
        self.left = u32::from_be_bytes(length);
        tally.messages += u64::from(self.left == 0);
        match flag {
            0 => {}
            1 => tally.compressed += 1,
            _ => self.lose(tally),
        }
    }

    /// No message is found any more: what comes counts as one that does not end.
    #[cold]
    #[inline(never)]
    fn lose(&mut self, tally: &mut Tally) {
        tally.invalid = true;
        tally.messages -= u64::from(self.left == 0);
        self.left = u32::MAX;
    }

    /// A prefix that comes in parts.
    #[cold]
    #[inline(never)]
    fn feed_parts(&mut self, data: &[u8], tally: &mut Tally) {
        for (at, byte) in data.iter().enumerate() {
            let have = usize::from(self.have);
            if let Some(place) = self.prefix.get_mut(have) {
                *place = *byte;
                self.have += 1;
                continue;
            }
            let [flag, a, b, c] = self.prefix;
            self.have = 0;
            self.begin([flag, a, b, c, *byte], tally);
            return self.feed_any(&data[at + 1..], tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(messages: &[(u8, usize)]) -> (Vec<u8>, Tally) {
        let mut body = Vec::new();
        let mut tally = Tally::default();
        for (flag, length) in messages {
            body.push(*flag);
            body.extend((*length as u32).to_be_bytes());
            body.extend(std::iter::repeat_n(b'm', *length));
            tally.messages += 1;
            tally.compressed += u64::from(*flag != 0);
            tally.bytes += *length as u64;
        }
        (body, tally)
    }

    #[test]
    fn messages_are_counted_however_the_body_is_cut() {
        let (body, expect) = body(&[(0, 0), (1, 3), (0, 300), (0, 0), (1, 1)]);
        for size in 1..=body.len() {
            let (mut frames, mut tally) = (Frames::default(), Tally::default());
            for part in body.chunks(size) {
                frames.feed(part, &mut tally);
            }
            assert_eq!(tally, expect, "in parts of {size}");
            assert!(frames.is_between());
        }
    }

    #[test]
    fn what_is_no_grpc_has_no_messages() {
        for size in 1..=8 {
            let (mut frames, mut tally) = (Frames::default(), Tally::NONE);
            for part in b"<html>\0\0\0\0\0\0".chunks(size) {
                frames.feed(part, &mut tally);
            }
            assert!(tally.invalid, "in parts of {size}");
            assert_eq!((tally.messages, tally.compressed), (0, 0));
        }
    }

    #[test]
    fn a_message_counts_when_its_last_byte_is_there() {
        let (body, _) = body(&[(0, 10)]);
        let (mut frames, mut tally) = (Frames::default(), Tally::default());
        frames.feed(&body[..14], &mut tally);
        assert_eq!((tally.messages, tally.bytes), (0, 9));
        assert!(!frames.is_between());
        frames.feed(&body[14..], &mut tally);
        assert_eq!((tally.messages, tally.bytes), (1, 10));
    }
}
