//! Where an item is encoded before it is appended: a buffer of the thread's own, so that no lock is held meanwhile.

use crate::encode::Buffer;
use std::cell::Cell;

thread_local! {
    static SCRATCH: Cell<Buffer> = const { Cell::new(Buffer::new()) };
}

/// Lends the thread's buffer, empty. Where thread-locals are gone already, one that lasts as long as the call.
pub(super) fn with<R>(work: impl FnOnce(&mut Buffer) -> R) -> R {
    let mut buffer = SCRATCH.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let result = work(&mut buffer);
    buffer.clear();
    buffer.shrink_to(KEPT);
    // Without a place to go back to it is dropped.
    let _ = SCRATCH.try_with(|place| place.set(buffer));
    result
}

/// What a thread keeps after an item that was larger.
const KEPT: usize = 16 << 10;
