//! How rig's own reading of an answer went: it knows the end of formats that are not read here.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What became of one answer, told by who decodes it to who watches its frames.
#[derive(Debug, Default)]
pub(super) struct Fate(AtomicU8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Read {
    /// Nobody decodes it.
    Nobody,
    /// It is being decoded.
    Further,
    /// The provider has ended it.
    Ended,
    /// It is not the format's, or stopped where that does not end.
    Broken,
    /// The provider said that it failed.
    Refused,
}

impl Fate {
    pub(super) fn set(&self, read: Read) {
        self.0.store(read as u8, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Read {
        const ALL: [Read; 5] = [
            Read::Nobody,
            Read::Further,
            Read::Ended,
            Read::Broken,
            Read::Refused,
        ];
        let place = usize::from(self.0.load(Ordering::Relaxed));
        ALL.get(place).copied().unwrap_or(Read::Nobody)
    }
}

thread_local! {
    /// That of the answer that has just been opened on this thread. rig asks for its decoder in the same poll, and a wire cannot
    /// tell it otherwise which answer it is for.
    static OPENED: RefCell<Option<Arc<Fate>>> = const { RefCell::new(None) };
}

/// An answer is open, whose decoder is asked for next.
pub(super) fn open() -> Arc<Fate> {
    let fate = Arc::<Fate>::default();
    OPENED.with_borrow_mut(|opened| *opened = Some(fate.clone()));
    fate
}

/// For the decoder of the answer that has just been opened, if there is one.
pub(super) fn take() -> Option<Arc<Fate>> {
    let fate = OPENED.with_borrow_mut(Option::take)?;
    fate.set(Read::Further);
    Some(fate)
}

/// Its frames are asked for: whoever asks for a decoder from now on means another.
pub(super) fn forget(fate: &Arc<Fate>) {
    OPENED.with_borrow_mut(|opened| {
        opened.take_if(|opened| Arc::ptr_eq(opened, fate));
    });
}
