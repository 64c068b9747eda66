//! Brotli (RFC 7932).

use super::{Step, Unreadable, WINDOW_LOG};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use std::panic::{AssertUnwindSafe, catch_unwind};

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

pub(super) struct Brotli {
    /// Made at the first byte, which says the window. 2.5 KB without what it holds.
    state: Option<Box<State>>,
    over: bool,
}

impl std::fmt::Debug for Brotli {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Brotli").finish_non_exhaustive()
    }
}

impl Brotli {
    pub(super) fn new() -> Self {
        Self {
            state: None,
            over: false,
        }
    }

    pub(super) fn step(&mut self, bytes: &[u8], into: &mut [u8]) -> Result<Step, Unreadable> {
        if self.over {
            let read = bytes.len();
            return Ok(Step { read, written: 0 });
        }
        let state = match &mut self.state {
            // What was read by then may stand for more than there was room for.
            Some(state) => state,
            None => {
                let Some(&first) = bytes.first() else {
                    return Ok(Step {
                        read: 0,
                        written: 0,
                    });
                };
                if window_log(first).is_none_or(|log| log > WINDOW_LOG) {
                    return Err(Unreadable);
                }
                let alloc = StandardAlloc::default;
                let state = State::new_strict(alloc(), alloc(), alloc());
                self.state.insert(Box::new(state))
            }
        };
        let (mut left, mut read) = (bytes.len(), 0);
        let (mut room, mut written, mut total) = (into.len(), 0, 0);
        // It checks the bounds of its tables, and a stream that passes them must not be the service's end.
        let result = catch_unwind(AssertUnwindSafe(|| {
            BrotliDecompressStream(
                &mut left,
                &mut read,
                bytes,
                &mut room,
                &mut written,
                into,
                &mut total,
                state,
            )
        }));
        match result {
            Ok(BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput) => {}
            Ok(BrotliResult::ResultSuccess) => self.over = true,
            Ok(BrotliResult::ResultFailure) | Err(_) => return Err(Unreadable),
        }
        Ok(Step { read, written })
    }
}

/// The logarithm of the window, which stands in the first bits of the stream (RFC 7932 §9.1); `None` is a large window, which that
/// RFC has not.
fn window_log(first: u8) -> Option<u32> {
    if first & 1 == 0 {
        return Some(16);
    }
    match (first >> 1 & 7, first >> 4 & 7) {
        (0, 0) => Some(17),
        (0, 1) => None,
        (0, more) => Some(8 + u32::from(more)),
        (more, _) => Some(17 + u32::from(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bits_say_the_window() {
        // The table of RFC 7932 §9.1, its bits from the right.
        for (bits, log) in [
            (0b0, 16),
            (0b000_0001, 17),
            (0b0011, 18),
            (0b0101, 19),
            (0b0111, 20),
            (0b1001, 21),
            (0b1011, 22),
            (0b1101, 23),
            (0b1111, 24),
            (0b010_0001, 10),
            (0b011_0001, 11),
            (0b100_0001, 12),
            (0b101_0001, 13),
            (0b110_0001, 14),
            (0b111_0001, 15),
        ] {
            assert_eq!(window_log(bits), Some(log), "{bits:b}");
        }
        assert_eq!(window_log(0b001_0001), None);
    }
}
