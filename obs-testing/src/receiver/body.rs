//! The body of a request: unframed and unpacked within a bound.

use super::head::{Framing, Refusal};
use flate2::read::MultiGzDecoder;
use std::io::{BufRead, Read};

/// The longest line that gives a chunk's size, with its extensions; trailers are held to it too.
const LONGEST_LINE: u64 = 4096;
const MOST_TRAILERS: usize = 64;

/// Reads the body as it was sent, without its framing.
pub(super) fn read(
    reader: &mut impl BufRead,
    framing: Framing,
    largest: usize,
) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    match framing {
        Framing::Length(length) => read_exactly(reader, length, largest, &mut body)?,
        Framing::Chunked => {
            loop {
                let line = read_line(reader)?;
                let size = match httparse::parse_chunk_size(&line) {
                    Ok(httparse::Status::Complete((_, size))) => size,
                    _ => return Err(Refusal::malformed("a chunk has no size")),
                };
                if size == 0 {
                    break;
                }
                read_exactly(reader, size, largest, &mut body)?;
                if read_line(reader)? != b"\r\n" {
                    return Err(Refusal::malformed("a chunk is longer than it says"));
                }
            }
            skip_trailers(reader)?;
        }
    }
    Ok(body)
}

fn read_exactly(
    reader: &mut impl BufRead,
    length: u64,
    largest: usize,
    body: &mut Vec<u8>,
) -> Result<(), Refusal> {
    if length > largest.saturating_sub(body.len()) as u64 {
        return Err(too_large(largest));
    }
    // Grows with what arrives, not with what is announced.
    if (reader.take(length).read_to_end(body)? as u64) < length {
        return Err(Refusal::malformed("the request ends within its body"));
    }
    Ok(())
}

fn read_line(reader: &mut impl BufRead) -> Result<Vec<u8>, Refusal> {
    let mut line = Vec::new();
    reader.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\r\n") {
        Ok(line)
    } else {
        Err(Refusal::malformed(
            "a line of the chunked body does not end",
        ))
    }
}

fn skip_trailers(reader: &mut impl BufRead) -> Result<(), Refusal> {
    for _ in 0..=MOST_TRAILERS {
        if read_line(reader)? == b"\r\n" {
            return Ok(());
        }
    }
    Err(Refusal::malformed("too many trailers"))
}

/// Unpacks what `content-encoding` says was packed.
pub(super) fn unpack(
    sent: Vec<u8>,
    encoding: Option<&str>,
    largest: usize,
) -> Result<Vec<u8>, Refusal> {
    match encoding
        .map(|encoding| encoding.trim().to_ascii_lowercase())
        .as_deref()
    {
        None | Some("" | "identity") => Ok(sent),
        Some("gzip" | "x-gzip") => {
            let mut unpacked = Vec::new();
            let mut decoder = MultiGzDecoder::new(sent.as_slice()).take(largest as u64 + 1);
            decoder
                .read_to_end(&mut unpacked)
                .map_err(|error| Refusal::malformed(format!("gzip: {error}")))?;
            if unpacked.len() > largest {
                Err(too_large(largest))
            } else {
                Ok(unpacked)
            }
        }
        Some(other) => Err(Refusal::Status(
            415,
            format!("content-encoding {other} is not known"),
        )),
    }
}

fn too_large(largest: usize) -> Refusal {
    Refusal::Status(413, format!("the body is larger than {largest} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::{BufReader, Write};

    /// A reader that hands out at most so many bytes at a time, as a socket may.
    struct Sips<'a>(&'a [u8], usize);

    impl Read for Sips<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = self.1.min(buffer.len());
            (&mut self.0).take(most as u64).read(&mut buffer[..most])
        }
    }

    #[track_caller]
    fn check_refused(sent: &str, framing: Framing, expected: u16) {
        match read(&mut sent.as_bytes(), framing, 10) {
            Err(Refusal::Status(status, _)) => assert_eq!(status, expected),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn bodies_are_bounded_however_framed() {
        check_refused("12345678901", Framing::Length(11), 413);
        check_refused("b\r\n12345678901\r\n0\r\n\r\n", Framing::Chunked, 413);
        check_refused(
            "6\r\n123456\r\n6\r\n123456\r\n0\r\n\r\n",
            Framing::Chunked,
            413,
        );
        check_refused("", Framing::Length(u64::MAX), 413);
        check_refused("ffffffffffffffff\r\n", Framing::Chunked, 413);
    }

    #[test]
    fn bodies_that_break_their_framing_are_refused() {
        check_refused("123", Framing::Length(4), 400);
        check_refused("", Framing::Chunked, 400);
        check_refused("zz\r\n", Framing::Chunked, 400);
        check_refused("2\r\nabc\r\n0\r\n\r\n", Framing::Chunked, 400);
        check_refused("2\r\nab\r\n0\r\n", Framing::Chunked, 400);
        check_refused("11111111111111111\r\n", Framing::Chunked, 400);
        check_refused(
            &format!("0\r\n{}\r\n", "a: b\r\n".repeat(MOST_TRAILERS + 1)),
            Framing::Chunked,
            400,
        );
    }

    #[test]
    fn a_gzip_bomb_is_refused_without_unpacking_it_all() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(matches!(
            unpack(packed.clone(), Some("gzip"), 1000),
            Err(Refusal::Status(413, _))
        ));
        assert_eq!(
            unpack(packed.clone(), Some("gzip"), 1 << 20).unwrap().len(),
            1 << 20
        );
        let cut = packed[..packed.len() / 2].to_vec();
        assert!(matches!(
            unpack(cut, Some("gzip"), 1 << 20),
            Err(Refusal::Status(400, _))
        ));
        assert!(matches!(
            unpack(packed, Some("br"), 1 << 20),
            Err(Refusal::Status(415, _))
        ));
    }

    proptest! {
        #[test]
        fn chunks_come_out_as_they_went_in(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
            trailers in 0_usize..3,
            sip in 1_usize..9,
        ) {
            let mut sent = Vec::new();
            for chunk in &chunks {
                write!(sent, "{:x};ext=1\r\n", chunk.len()).unwrap();
                sent.extend_from_slice(chunk);
                sent.extend_from_slice(b"\r\n");
            }
            sent.extend_from_slice(b"0\r\n");
            sent.extend_from_slice("t: v\r\n".repeat(trailers).as_bytes());
            sent.extend_from_slice(b"\r\nnext");
            let mut reader = BufReader::with_capacity(sip, Sips(&sent, sip));
            prop_assert_eq!(read(&mut reader, Framing::Chunked, 1 << 20).unwrap(), chunks.concat());
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            prop_assert_eq!(rest, b"next");
        }

        #[test]
        fn no_bytes_bring_the_reader_down(sent in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&mut sent.as_slice(), Framing::Chunked, 100);
            let _ = super::super::head::read(&mut sent.as_slice());
            if let Ok(unpacked) = unpack(sent, Some("gzip"), 100) {
                prop_assert!(unpacked.len() <= 100);
            }
        }
    }
}
