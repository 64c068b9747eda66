//! Any bytes as Amazon's event stream, cut by its own last bytes: as they are, and with their sums put right.
//!
//! The reader is private to its crate, so its file is taken in. What it tells is held against a reader of whole messages, which
//! is written as the format is.
#![no_main]

#[path = "../../obs-llm/src/wire/eventstream.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is at home elsewhere")]
mod eventstream;

use eventstream::{EventStream, Message, Part};
use libfuzzer_sys::fuzz_target;

/// A message: what it is, its name, its payload.
type Told = (Message, String, Vec<u8>);

fuzz_target!(|input: &[u8]| {
    check(input);
    check(&repaired(input));
});

fn check(input: &[u8]) {
    let expect = whole(input);
    let length = input.last().map_or(1, |last| usize::from(*last % 9) + 1);
    for pieces in [
        vec![input],
        input.chunks(length).collect(),
        input.chunks(1).collect(),
    ] {
        assert_eq!(read(&pieces), expect);
    }
}

/// The messages that are whole, and whether the stream is broken.
fn read(pieces: &[&[u8]]) -> (Vec<Told>, bool) {
    let (mut stream, mut told, mut broken) = (EventStream::new(), Vec::new(), false);
    let mut open = None;
    for mut piece in pieces.iter().copied() {
        while let Some(part) = stream.next(&mut piece) {
            assert!(!broken);
            match part {
                Part::Head(message) => {
                    open = Some((message, stream.name().to_owned(), Vec::new()));
                }
                Part::Payload(bytes) => open.as_mut().expect("a head").2.extend(bytes),
                Part::End => told.push(open.take().expect("a head")),
                Part::Broken => broken = true,
            }
        }
        assert!(piece.is_empty());
    }
    seeded(&mut told, pieces.len());
    (told, broken)
}

/// The same of all of it.
fn whole(input: &[u8]) -> (Vec<Told>, bool) {
    let (mut told, mut rest) = (Vec::new(), input);
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    while rest.len() >= 12 {
        let (total, headers) = (number(&rest[..4]) as usize, number(&rest[4..8]) as usize);
        if crc32fast::hash(&rest[..8]) != number(&rest[8..12]) || total < 16 || headers > total - 16
        {
            return (told, true);
        }
        let there = &rest[12..rest.len().min(12 + headers)];
        let Some(head) = head(there, headers) else {
            return (told, true);
        };
        let Some((message, after)) = rest.split_at_checked(total) else {
            return (told, false);
        };
        let (summed, sum) = message.split_at(total - 4);
        if crc32fast::hash(summed) != number(sum) {
            return (told, true);
        }
        let (kind, name) = head;
        told.push((kind, name, summed[12 + headers..].to_vec()));
        rest = after;
    }
    (told, false)
}

/// What the headers say, of which perhaps not all are there; nothing, if they make no sense.
fn head(there: &[u8], all: usize) -> Option<(Message, String)> {
    let (mut message, mut name) = (Message::Other, String::new());
    let mut at = 0;
    // Past what is there, nothing is known to be wrong.
    let unknown = Some((Message::Other, String::new()));
    while at < all {
        let Some(length) = there.get(at) else {
            return unknown;
        };
        let length = usize::from(*length);
        let kind = at + 1 + length;
        if length == 0 || kind >= all {
            return None;
        }
        let Some(kind_is) = there.get(kind) else {
            return unknown;
        };
        let (from, length) = match kind_is {
            0 | 1 => (kind + 1, 0),
            2 => (kind + 1, 1),
            3 => (kind + 1, 2),
            4 => (kind + 1, 4),
            5 | 8 => (kind + 1, 8),
            9 => (kind + 1, 16),
            6 | 7 if kind + 3 > all => return None,
            6 | 7 => match there.get(kind + 1..kind + 3) {
                Some(length) => (
                    kind + 3,
                    usize::from(u16::from_be_bytes([length[0], length[1]])),
                ),
                None => return unknown,
            },
            _ => return None,
        };
        if from + length > all {
            return None;
        }
        let Some(value) = there.get(from..from + length) else {
            return unknown;
        };
        if *kind_is == 7 {
            match &there[at + 1..kind] {
                b":message-type" => {
                    message = match value {
                        b"event" => Message::Event,
                        b"exception" => Message::Exception,
                        b"error" => Message::Error,
                        _ => Message::Other,
                    };
                }
                b":event-type" | b":exception-type" | b":error-code" => {
                    let value = &value[..value.len().min(32)];
                    name = match std::str::from_utf8(value) {
                        Ok(name) => name.to_owned(),
                        Err(error) => String::from_utf8_lossy(&value[..error.valid_up_to()]).into(),
                    };
                }
                _ => {}
            }
        }
        at = from + length;
    }
    Some((message, name))
}

/// The bytes with lengths that fit and sums that are right, so that what is behind them is reached.
fn repaired(input: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut rest = input;
    while let Some((lengths, after)) = rest.split_first_chunk::<2>() {
        let headers = usize::from(lengths[0]).min(after.len());
        let payload = usize::from(lengths[1]).min(after.len() - headers);
        let begin = stream.len();
        stream.extend(((16 + headers + payload) as u32).to_be_bytes());
        stream.extend((headers as u32).to_be_bytes());
        stream.extend(crc32fast::hash(&stream[begin..]).to_be_bytes());
        stream.extend(&after[..headers + payload]);
        stream.extend(crc32fast::hash(&stream[begin..]).to_be_bytes());
        rest = &after[headers + payload..];
    }
    stream
}

/// The seeded bug: of a stream in pieces, a payload of one byte is lost.
#[cfg(feature = "seeded-bug")]
fn seeded(told: &mut Vec<Told>, pieces: usize) {
    if pieces > 1 {
        told.retain(|(.., payload)| payload.len() != 1);
    }
}

#[cfg(not(feature = "seeded-bug"))]
fn seeded(_: &mut Vec<Told>, _: usize) {}
