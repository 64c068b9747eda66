//! Data that is looked at without being taken from.

use super::coding::Unreadable;
use bytes::Buf;
use std::io::IoSlice;

/// Of so many pieces may the data of one frame be, to be looked at.
const MOST: usize = 64;

/// Shows all that there is, piece by piece. Data that is not taken from shows itself at once or not at all.
#[inline(always)]
pub(super) fn each(
    data: &impl Buf,
    mut read: impl FnMut(&[u8]) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let first = data.chunk();
    match first.len() == data.remaining() {
        true => read(first),
        false => several(data, read),
    }
}

#[cold]
fn several(
    data: &impl Buf,
    read: impl FnMut(&[u8]) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut pieces = [IoSlice::new(&[]); MOST];
    let count = data.chunks_vectored(&mut pieces);
    let pieces = pieces.get(..count).unwrap_or_default();
    let shown: usize = pieces.iter().map(|piece| piece.len()).sum();
    // The rest is behind what was shown, or this is no count at all.
    if shown != data.remaining() {
        return Err(Unreadable);
    }
    pieces.iter().map(|piece| &**piece).try_for_each(read)
}
