//! Zstandard (RFC 8878).

use super::{Step, Unreadable, WINDOW_LOG};
use zstd::stream::raw::{DParameter, Decoder, Operation};

pub(super) struct Zstd(Decoder<'static>);

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zstd").finish_non_exhaustive()
    }
}

impl Zstd {
    /// `None` where there is no memory for it.
    pub(super) fn new() -> Option<Self> {
        let mut decoder = Decoder::new().ok()?;
        let window = DParameter::WindowLogMax(WINDOW_LOG);
        decoder.set_parameter(window).ok()?;
        Some(Self(decoder))
    }

    pub(super) fn step(&mut self, bytes: &[u8], into: &mut [u8]) -> Result<Step, Unreadable> {
        let status = self.0.run_on_buffers(bytes, into);
        let status = status.map_err(|_| Unreadable)?;
        Ok(Step {
            read: status.bytes_read,
            written: status.bytes_written,
        })
    }
}
