//! Amazon's event stream, `application/vnd.amazon.eventstream`: how its messages are divided, and their sums.
//!
//! A message is a prelude (its length, that of its headers, and the CRC-32 of these eight bytes), headers, a payload, and the
//! CRC-32 of all before it; numbers are big-endian. Nothing of a payload is held: it is handed on in pieces as it comes, so what
//! is told of a message is told before its sum is known. After a length or a sum that is wrong no byte can be trusted to begin a
//! message, so reading stops.
//!
//! The layout is the one that Amazon's documentation of Transcribe and the Smithy specification ("Amazon Event Stream") give.

use crc32fast::Hasher;

/// What comes next of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// The headers of a message are read.
    Head(Message),
    /// Some of its payload.
    Payload(&'a [u8]),
    /// It is over, and its sum is right.
    End,
    /// A length or a sum is wrong: nothing more is read. Told once.
    Broken,
}

/// What a message is: its `:message-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// An event, named by `:event-type`.
    Event,
    /// An exception that the service's model has, named by `:exception-type`.
    Exception,
    /// An error that it has not, named by `:error-code`.
    Error,
    /// None of them, or nothing said.
    Other,
}

/// Longer than the names of Bedrock's events and exceptions (`modelStreamErrorException`, `serviceUnavailableException`).
const NAME: usize = 32;
/// The longest name of a header that is read is `:exception-type`.
const HEADER: usize = 16;
/// The prelude with its sum.
const PRELUDE: u8 = 12;
/// The prelude and both sums.
const AROUND: u32 = 16;

/// Reads a stream of messages.
#[derive(Debug)]
pub(super) struct EventStream {
    at: At,
    /// Of all bytes of the message so far.
    sum: u32,
    /// Of the headers, not yet read.
    headers: u32,
    /// Of the payload, not yet read.
    payload: u32,
    /// Of the name or the value of a header, not yet read.
    field: u16,
    message: Message,
    /// The header whose value is wanted.
    wanted: Wanted,
    /// What is read as a whole: the prelude, the sum, the name of a header, the length of its value.
    held: [u8; HEADER],
    filled: u8,
    /// What the message is called.
    name: [u8; NAME],
    named: u8,
}

/// Where in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Prelude,
    HeaderLength,
    HeaderName,
    HeaderType,
    ValueLength,
    Value,
    Payload,
    Sum,
    Broken,
}

/// The headers that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    No,
    MessageType,
    /// `:event-type`, `:exception-type` or `:error-code`: a message has one of them.
    Name,
}

impl EventStream {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Prelude,
            sum: 0,
            headers: 0,
            payload: 0,
            field: 0,
            message: Message::Other,
            wanted: Wanted::No,
            held: [0; HEADER],
            filled: 0,
            name: [0; NAME],
            named: 0,
        }
    }

    /// The next part of `bytes`, which is left after it; `None` if there is none before more bytes come.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Part<'a>> {
        while !bytes.is_empty() {
            match self.at {
                At::Prelude => {
                    if self.hold(bytes, PRELUDE) && !self.begin() {
                        return Some(self.broken());
                    }
                    if self.at == At::Payload {
                        return Some(Part::Head(self.message));
                    }
                }
                At::Payload => {
                    let piece = take(bytes, self.payload);
                    self.add(piece);
                    self.payload -= piece.len() as u32;
                    if self.payload == 0 {
                        self.at = At::Sum;
                    }
                    if !piece.is_empty() {
                        return Some(Part::Payload(piece));
                    }
                }
                At::Sum => {
                    if self.hold(bytes, 4) {
                        if u32::from_be_bytes(self.first()) != self.sum {
                            return Some(self.broken());
                        }
                        self.at = At::Prelude;
                        return Some(Part::End);
                    }
                }
                At::Broken => {
                    *bytes = &[];
                    return None;
                }
                _ => {
                    // Summed in one piece: a header is read in five.
                    let before = *bytes;
                    let mut right = true;
                    if self.at == At::HeaderLength
                        && let Some((block, rest)) = bytes.split_at_checked(self.headers as usize)
                        && self.block(block)
                    {
                        *bytes = rest;
                    }
                    while right && self.at != At::Payload && !bytes.is_empty() {
                        right = self.header(bytes);
                    }
                    let read = before.len() - bytes.len();
                    self.add(before.get(..read).unwrap_or_default());
                    if !right {
                        return Some(self.broken());
                    }
                    if self.at == At::Payload {
                        return Some(Part::Head(self.message));
                    }
                }
            }
        }
        None
    }

    /// What the message is called: the type of an event or an exception, the code of an error. Cut at 32 bytes.
    pub(super) fn name(&self) -> &str {
        let name = self.name.get(..usize::from(self.named)).unwrap_or_default();
        match std::str::from_utf8(name) {
            Ok(name) => name,
            Err(error) => {
                let valid = name.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(valid).unwrap_or_default()
            }
        }
    }

    /// Whether a message is begun and not over.
    pub(super) fn is_within(&self) -> bool {
        match self.at {
            At::Prelude => self.filled > 0,
            At::Broken => false,
            _ => true,
        }
    }

    fn broken<'a>(&mut self) -> Part<'a> {
        self.at = At::Broken;
        Part::Broken
    }

    /// The prelude is whole: whether it is right.
    fn begin(&mut self) -> bool {
        let [a, b, c, d, e, f, g, h, w, x, y, z, ..] = self.held;
        let (total, headers) = (
            u32::from_be_bytes([a, b, c, d]),
            u32::from_be_bytes([e, f, g, h]),
        );
        if crc32fast::hash(&[a, b, c, d, e, f, g, h]) != u32::from_be_bytes([w, x, y, z]) {
            return false;
        }
        let Some(payload) = total
            .checked_sub(AROUND)
            .and_then(|rest| rest.checked_sub(headers))
        else {
            return false;
        };
        self.sum = crc32fast::hash(&[a, b, c, d, e, f, g, h, w, x, y, z]);
        (self.headers, self.payload) = (headers, payload);
        (self.message, self.named) = (Message::Other, 0);
        self.at = match headers {
            0 => At::Payload,
            _ => At::HeaderLength,
        };
        true
    }

    /// All headers that are left, as they mostly come: whether they make sense. If not, or if one is of a type that Bedrock does
    /// not send, nothing happened.
    fn block(&mut self, block: &[u8]) -> bool {
        let (mut message, mut name) = (self.message, None);
        let mut rest = block;
        while let Some((&length, after)) = rest.split_first() {
            let Some((key, after)) = after.split_at_checked(length.into()) else {
                return false;
            };
            let Some((&[7, high, low], after)) = after.split_first_chunk::<3>() else {
                return false;
            };
            let length = u16::from_be_bytes([high, low]);
            let Some((value, after)) = after.split_at_checked(length.into()) else {
                return false;
            };
            match wanted(key) {
                Wanted::No if key.is_empty() => return false,
                Wanted::No => {}
                Wanted::MessageType => message = kind(value),
                Wanted::Name => name = Some(value),
            }
            rest = after;
        }
        self.message = message;
        if let Some(name) = name {
            self.named = append(&mut self.name, 0, name);
        }
        self.headers = 0;
        self.at = At::Payload;
        true
    }

    /// Some of the headers, up to what is read as a whole. Whether they make sense.
    fn header(&mut self, bytes: &mut &[u8]) -> bool {
        match self.at {
            At::HeaderLength => {
                let length = take(bytes, self.headers.min(1));
                self.field = length.first().map_or(0, |&length| length.into());
                self.spend(length);
                self.filled = 0;
                // A name has at least one byte.
                self.at = At::HeaderName;
                self.field > 0 && u32::from(self.field) < self.headers
            }
            At::HeaderName => {
                let piece = take(bytes, self.field.into());
                self.spend(piece);
                self.field -= piece.len() as u16;
                self.filled = append(&mut self.held, self.filled, piece);
                if self.field == 0 {
                    self.at = At::HeaderType;
                }
                true
            }
            At::HeaderType => {
                let kind = take(bytes, self.headers.min(1));
                self.spend(kind);
                let name = self.held.get(..usize::from(self.filled));
                let fixed = match kind.first() {
                    Some(0 | 1) => 0,
                    Some(2) => 1,
                    Some(3) => 2,
                    Some(4) => 4,
                    Some(5 | 8) => 8,
                    Some(9) => 16,
                    // Bytes and texts say how long they are.
                    Some(&kind @ (6 | 7)) => {
                        self.wanted = match name {
                            Some(name) if kind == 7 => wanted(name),
                            _ => Wanted::No,
                        };
                        if self.wanted == Wanted::Name {
                            self.named = 0;
                        }
                        self.filled = 0;
                        self.at = At::ValueLength;
                        return self.headers >= 2;
                    }
                    _ => return false,
                };
                self.wanted = Wanted::No;
                self.value(fixed)
            }
            At::ValueLength => {
                let before = bytes.len();
                let whole = self.hold(bytes, 2);
                self.headers -= (before - bytes.len()) as u32;
                if !whole {
                    return true;
                }
                let [high, low, ..] = self.held;
                self.value(u16::from_be_bytes([high, low]))
            }
            _ => {
                let piece = take(bytes, self.field.into());
                self.spend(piece);
                match self.wanted {
                    Wanted::No => {}
                    Wanted::MessageType => {
                        self.filled = append(&mut self.held, self.filled, piece);
                    }
                    Wanted::Name => self.named = append(&mut self.name, self.named, piece),
                }
                self.value(self.field - piece.len() as u16)
            }
        }
    }

    /// So much of a header's value is left. Whether there is so much.
    fn value(&mut self, left: u16) -> bool {
        self.field = left;
        if u32::from(left) > self.headers {
            return false;
        }
        if left > 0 {
            if self.at != At::Value {
                self.filled = 0;
            }
            self.at = At::Value;
            return true;
        }
        if self.wanted == Wanted::MessageType {
            self.message = kind(
                self.held
                    .get(..usize::from(self.filled))
                    .unwrap_or_default(),
            );
        }
        self.filled = 0;
        self.at = match self.headers {
            0 => At::Payload,
            _ => At::HeaderLength,
        };
        true
    }

    fn add(&mut self, piece: &[u8]) {
        let mut hasher = Hasher::new_with_initial(self.sum);
        hasher.update(piece);
        self.sum = hasher.finalize();
    }

    /// These were of the headers.
    fn spend(&mut self, piece: &[u8]) {
        self.headers -= piece.len() as u32;
    }

    /// Holds what is there of `whole` bytes: whether they all are.
    fn hold(&mut self, bytes: &mut &[u8], whole: u8) -> bool {
        let missing = usize::from(whole - self.filled);
        let (piece, rest) = bytes.split_at(missing.min(bytes.len()));
        *bytes = rest;
        self.filled = append(&mut self.held, self.filled, piece);
        let is_whole = self.filled == whole;
        if is_whole {
            self.filled = 0;
        }
        is_whole
    }

    fn first(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.held;
        [a, b, c, d]
    }
}

/// Takes what is there of `left` bytes.
fn take<'a>(bytes: &mut &'a [u8], left: u32) -> &'a [u8] {
    let (piece, rest) = match bytes.split_at_checked(left as usize) {
        Some(both) => both,
        None => (*bytes, Default::default()),
    };
    *bytes = rest;
    piece
}

/// What a header is, by its name.
fn wanted(name: &[u8]) -> Wanted {
    match name {
        b":message-type" => Wanted::MessageType,
        b":event-type" | b":exception-type" | b":error-code" => Wanted::Name,
        _ => Wanted::No,
    }
}

/// What a message is, by its type.
fn kind(value: &[u8]) -> Message {
    match value {
        b"event" => Message::Event,
        b"exception" => Message::Exception,
        b"error" => Message::Error,
        _ => Message::Other,
    }
}

/// Appends what there is room for: how much there is then.
fn append(buffer: &mut [u8], filled: u8, piece: &[u8]) -> u8 {
    let room = buffer.get_mut(usize::from(filled)..).unwrap_or_default();
    let fits = room.len().min(piece.len());
    if let (Some(to), Some(from)) = (room.get_mut(..fits), piece.get(..fits)) {
        to.copy_from_slice(from);
    }
    filled + fits as u8
}

// Where it is, wherever this file is taken in.
#[cfg(test)]
#[path = "eventstream/tests.rs"]
mod tests;
