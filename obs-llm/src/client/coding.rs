//! A coded answer, decoded beside the bytes that pass: nobody else reads what comes out.

#[cfg(feature = "compression")]
mod brotli;
#[cfg(feature = "compression")]
mod gzip;
#[cfg(feature = "compression")]
mod zstd;

use http::{HeaderMap, header};

/// The largest window that is held for one answer: what was written within the last 256 KiB. Beyond, an answer is not looked into.
#[cfg(feature = "compression")]
const WINDOW_LOG: u32 = 18;

/// So much of an answer is looked at decoded, at most: 64 MiB. A few kilobytes of a coding can stand for gigabytes.
#[cfg(feature = "compression")]
const MOST: u64 = 64 << 20;

/// And so much of one piece of it, as the client has it, beside sixteen times its length: whoever reads an answer waits for that,
/// some milliseconds at most. No text that a model writes is as dense.
#[cfg(feature = "compression")]
const MOST_AT_ONCE: u64 = 4 << 20;

/// What is decoded at once, before the scanner has it.
#[cfg(feature = "compression")]
const PIECE: usize = 4096;

/// What becomes of a body's bytes before they are read.
#[derive(Debug)]
pub(crate) enum Coding {
    /// Nothing: they are as they are.
    Identity,
    /// They are decoded.
    #[cfg(feature = "compression")]
    Coded(Box<Decoder>),
}

/// It cannot be read, or not further: its coding is not known here, or there are several; it is none of its coding, its window is
/// too large, or it is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Coding {
    /// What the head of an answer says of its body.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Unreadable> {
        let mut said = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(first) = said.next() else {
            return Ok(Self::Identity);
        };
        let name = first.to_str().unwrap_or_default().trim();
        if said.next().is_some() {
            return Err(Unreadable);
        }
        let is = |one: &str| name.eq_ignore_ascii_case(one);
        if is("identity") || name.is_empty() {
            return Ok(Self::Identity);
        }
        #[cfg(feature = "compression")]
        {
            let method = if is("gzip") || is("x-gzip") {
                Method::Gzip(gzip::Gzip::new())
            } else if is("deflate") {
                Method::Deflate(gzip::Deflate::new())
            } else if is("br") {
                Method::Brotli(brotli::Brotli::new())
            } else if is("zstd")
                && let Some(zstd) = zstd::Zstd::new()
            {
                Method::Zstd(zstd)
            } else {
                return Err(Unreadable);
            };
            Ok(Self::Coded(Box::new(Decoder {
                method,
                piece: [0; PIECE],
                decoded: 0,
            })))
        }
        #[cfg(not(feature = "compression"))]
        Err(Unreadable)
    }
}

#[cfg(feature = "compression")]
pub(crate) struct Decoder {
    method: Method,
    piece: [u8; PIECE],
    /// So far.
    decoded: u64,
}

#[cfg(feature = "compression")]
enum Method {
    Gzip(gzip::Gzip),
    Deflate(gzip::Deflate),
    Brotli(brotli::Brotli),
    Zstd(zstd::Zstd),
}

/// What one step did: bytes it read, and bytes it wrote.
#[cfg(feature = "compression")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    read: usize,
    written: usize,
}

/// Without what it decoded last.
#[cfg(feature = "compression")]
impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Decoder");
        shown.field("decoded", &self.decoded);
        shown.finish_non_exhaustive()
    }
}

#[cfg(feature = "compression")]
impl Decoder {
    /// Reads the next bytes, telling `read` what they stand for.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut read: impl FnMut(&[u8]),
    ) -> Result<(), Unreadable> {
        let at_once = MOST_AT_ONCE.saturating_add(16 * bytes.len() as u64);
        let most = self.decoded.saturating_add(at_once).min(MOST);
        loop {
            let step = match &mut self.method {
                Method::Gzip(gzip) => gzip.step(bytes, &mut self.piece),
                Method::Deflate(deflate) => deflate.step(bytes, &mut self.piece),
                Method::Brotli(brotli) => brotli.step(bytes, &mut self.piece),
                Method::Zstd(zstd) => zstd.step(bytes, &mut self.piece),
            }?;
            let written = self.piece.get(..step.written).unwrap_or_default();
            self.decoded += written.len() as u64;
            if self.decoded > most {
                return Err(Unreadable);
            }
            if !written.is_empty() {
                read(written);
            }
            bytes = bytes.get(step.read..).unwrap_or_default();
            // Less than there was room for: it waits for more.
            let is_over = bytes.is_empty() && written.len() < PIECE;
            if is_over
                || step
                    == (Step {
                        read: 0,
                        written: 0,
                    })
            {
                return Ok(());
            }
        }
    }
}
