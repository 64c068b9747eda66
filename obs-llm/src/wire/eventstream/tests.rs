//! The three messages that Amazon's event-stream library is tested with, messages of our own whose sums are made a bit at a time,
//! and every way of being wrong.

use super::*;
use proptest::prelude::*;

/// CRC-32 as its definition has it (ISO 3309, reflected): the oracle for the crate that computes it.
fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = match sum & 1 {
                0 => sum >> 1,
                _ => sum >> 1 ^ 0xedb8_8320,
            };
        }
    }
    !sum
}

/// A header of a text.
fn text(name: &str, value: &str) -> Vec<u8> {
    let mut header = vec![name.len() as u8];
    header.extend(name.as_bytes());
    header.push(7);
    header.extend((value.len() as u16).to_be_bytes());
    header.extend(value.as_bytes());
    header
}

fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = (16 + headers.len() + payload.len()) as u32;
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend((headers.len() as u32).to_be_bytes());
    bytes.extend(crc(&bytes).to_be_bytes());
    bytes.extend([headers, payload].concat());
    bytes.extend(crc(&bytes).to_be_bytes());
    bytes
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    let headers = [
        text(":event-type", name),
        text(":content-type", "application/json"),
        text(":message-type", "event"),
    ];
    message(&headers.concat(), payload.as_bytes())
}

/// What is told of a stream: payloads joined, so that pieces make no difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    messages: Vec<(Message, String, Vec<u8>, bool)>,
    broken: u32,
    within: bool,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Told {
    let (mut stream, mut told) = (EventStream::new(), Told::default());
    for mut piece in pieces {
        while let Some(part) = stream.next(&mut piece) {
            match part {
                Part::Head(message) => {
                    let name = stream.name().to_owned();
                    told.messages.push((message, name, Vec::new(), false));
                }
                Part::Payload(bytes) => {
                    assert!(!bytes.is_empty());
                    told.messages.last_mut().expect("a head").2.extend(bytes);
                }
                Part::End => told.messages.last_mut().expect("a head").3 = true,
                Part::Broken => told.broken += 1,
            }
        }
        assert!(piece.is_empty());
    }
    told.within = stream.is_within();
    told
}

#[track_caller]
fn check(bytes: &[u8], expect: &[(Message, &str, &str)]) {
    let whole = read([bytes]);
    let expect: Vec<_> = expect
        .iter()
        .map(|(message, name, payload)| {
            (
                *message,
                (*name).to_owned(),
                payload.as_bytes().to_vec(),
                true,
            )
        })
        .collect();
    assert_eq!(whole.messages, expect);
    assert_eq!((whole.broken, whole.within), (0, false));
    for at in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(read([head, tail]), whole, "split at {at}");
    }
    assert_eq!(read(bytes.chunks(1)), whole);
}

#[test]
fn the_oracle_has_the_check_value_of_its_definition() {
    assert_eq!(crc(b"123456789"), 0xcbf4_3926);
}

#[test]
fn messages_that_amazons_library_is_tested_with() {
    let empty = [
        0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8,
        0xff,
    ];
    check(&empty, &[(Message::Other, "", "")]);
    let mut bytes = vec![0, 0, 0, 0x1d, 0, 0, 0, 0, 0xfd, 0x52, 0x8c, 0x5a];
    bytes.extend(b"{'foo':'bar'}");
    bytes.extend([0xc3, 0x65, 0x39, 0x36]);
    check(&bytes, &[(Message::Other, "", "{'foo':'bar'}")]);
    let mut bytes = vec![0, 0, 0, 0x3d, 0, 0, 0, 0x20, 0x07, 0xfd, 0x83, 0x96];
    bytes.extend(b"\x0ccontent-type\x07\x00\x10application/json{'foo':'bar'}");
    bytes.extend([0x8d, 0x9c, 0x08, 0xb1]);
    check(&bytes, &[(Message::Other, "", "{'foo':'bar'}")]);
}

#[test]
fn several_messages_of_each_kind() {
    let exception = [
        text(":exception-type", "throttlingException"),
        text(":message-type", "exception"),
    ];
    let error = [
        text(":message-type", "error"),
        text(":error-message", "it broke"),
        text(":error-code", "InternalError"),
    ];
    let bytes = [
        event("chunk", r#"{"bytes":"e30="}"#),
        message(&exception.concat(), b"{}"),
        message(&error.concat(), b""),
    ];
    check(
        &bytes.concat(),
        &[
            (Message::Event, "chunk", r#"{"bytes":"e30="}"#),
            (Message::Exception, "throttlingException", "{}"),
            (Message::Error, "InternalError", ""),
        ],
    );
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let mut headers =
        b"\x01a\x00\x01b\x01\x01c\x02\x09\x01d\x03\x00\x09\x01e\x04\0\0\0\x09".to_vec();
    headers.extend(b"\x01f\x05\0\0\0\0\0\0\0\x09\x01g\x06\x00\x03abc\x01h\x07\x00\x00");
    headers.extend(b"\x01i\x08\0\0\0\0\0\0\0\x09\x01j\x09");
    headers.extend([7; 16]);
    // Not of a text, so it names nothing.
    headers.extend(b"\x0b:event-type\x06\x00\x03abc");
    headers.extend(text(":message-type", "event"));
    headers.extend(text(&"n".repeat(255), "value"));
    check(&message(&headers, b"x"), &[(Message::Event, "", "x")]);
}

#[test]
fn a_long_name_is_cut_and_a_character_not() {
    let long = format!("{}\u{e9}", "n".repeat(31));
    let bytes = event(&long, "");
    check(&bytes, &[(Message::Event, &"n".repeat(31), "")]);
}

/// What is broken is told once, and nothing after it is read.
#[track_caller]
fn broken(bytes: &[u8]) {
    let stream = [bytes, &event("chunk", "{}")].concat();
    for pieces in [vec![&*stream], stream.chunks(1).collect()] {
        let told = read(pieces);
        assert_eq!((told.broken, told.within), (1, false), "{told:?}");
        assert!(told.messages.iter().all(|(.., whole)| !whole), "{told:?}");
    }
}

#[test]
fn any_byte_that_is_wrong_breaks_the_stream() {
    let bytes = event("chunk", "{}");
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        broken(&bytes);
    }
}

/// Lengths that their sum confirms, and that are no message's.
#[test]
fn lengths_that_do_not_fit_break_the_stream() {
    for (total, headers) in [(0_u32, 0_u32), (15, 0), (16, 1), (20, 5), (16, u32::MAX)] {
        let mut bytes = total.to_be_bytes().to_vec();
        bytes.extend(headers.to_be_bytes());
        bytes.extend(crc(&bytes).to_be_bytes());
        broken(&bytes);
    }
}

#[test]
fn headers_that_do_not_fit_break_the_stream() {
    for headers in [
        // No name; a name, a type, a length, a value that ends outside; a type that there is none of.
        &b"\x00\x07\x00\x00"[..],
        b"\x04abc",
        b"\x03abc",
        b"\x03abc\x07\x00",
        b"\x03abc\x07",
        b"\x03abc\x07\x00\x05abcd",
        b"\x03abc\x04\x00\x00\x00",
        b"\x03abc\x0a",
    ] {
        broken(&message(headers, b"{}"));
    }
}

#[test]
fn a_stream_that_is_cut_is_within_a_message() {
    let bytes = event("chunk", "{}");
    for at in 0..=bytes.len() {
        let told = read([&bytes[..at]]);
        assert_eq!(told.within, at > 0 && at < bytes.len(), "cut at {at}");
        assert_eq!(told.broken, 0);
    }
}

#[test]
fn it_is_small() {
    assert!(size_of::<EventStream>() <= 80);
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        messages in prop::collection::vec(("[a-zA-Z]{0,40}", prop::collection::vec(any::<u8>(), 0..300)), 0..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        flip in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut bytes = Vec::new();
        for (name, payload) in &messages {
            let headers = [text(":event-type", name), text(":message-type", "event")];
            bytes.extend(message(&headers.concat(), payload));
        }
        if let (Some((at, by)), false) = (flip, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] ^= by;
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        let told = read([&*bytes]);
        prop_assert_eq!(&read(pieces), &told);
        if flip.is_none_or(|(_, by)| by == 0) {
            let payloads = told.messages.iter().map(|(_, _, payload, whole)| (payload, *whole));
            prop_assert!(payloads.eq(messages.iter().map(|(_, payload)| (payload, true))));
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let told = read([&*bytes]);
        prop_assert!(told.broken <= 1);
        prop_assert_eq!(read(bytes.chunks(3)), told);
    }
}
