//! Attempts of one call: which each is, and which another has made needless.

use crate::descriptor::{ATTEMPTS, METHOD, RPC_CALL, RPC_CALL_NEXT};
use obs_core::{Active, LabelId, current};
use std::cell::Cell;

/// The number of an attempt to call `method` that starts now, if what is current is a call of it around attempts. Other
/// methods may well be called on the way, for a token say: they are no attempts.
pub(crate) fn count(call: &mut Active<'_>, method: &str) -> Option<u64> {
    if !is_around(call) {
        return None;
    }
    let kind = call.kind();
    let of_call = call.label(METHOD);
    if of_call != LabelId::OVERFLOW && kind.known_label(METHOD, method) != Some(of_call) {
        return None;
    }
    let before = call.measure(ATTEMPTS).unwrap_or_default();
    call.set_measure(ATTEMPTS, before + 1);
    Some(before)
}

fn is_around(call: &mut Active<'_>) -> bool {
    let descriptor = call.kind().descriptor();
    std::ptr::eq(descriptor, &RPC_CALL) || std::ptr::eq(descriptor, &RPC_CALL_NEXT)
}

thread_local! {
    static DECIDED: Cell<bool> = const { Cell::new(false) };
    static ANSWERS: Cell<u32> = const { Cell::new(0) };
    /// As many as there had been when the call that is polled here began to be.
    static SINCE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// An attempt has its answer, or an error in its place.
#[inline(always)]
pub(crate) fn answered() {
    ANSWERS.set(ANSWERS.get().wrapping_add(1));
}

/// Polls what is inside of a call around attempts, and says whether one of them was answered meanwhile: what is over without
/// was decided by none of them, but by a timeout, say.
pub(crate) fn around<R>(poll: impl FnOnce() -> R) -> (R, bool) {
    struct Restore(Option<u32>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SINCE.set(self.0);
        }
    }
    let before = ANSWERS.get();
    let _restore = Restore(SINCE.replace(Some(before)));
    (poll(), ANSWERS.get() != before)
}

/// Whether an attempt that is dropped here, in the poll of its call, goes because another was answered in the same poll.
#[cold]
pub(crate) fn has_lost() -> bool {
    let since = SINCE.get();
    since.is_some_and(|since| since != ANSWERS.get())
        && current::with(is_around).unwrap_or_default()
}

/// Runs `work`, in which is dropped what a call that has its answer no longer needs: attempts that are under way in it were
/// not given up, another was quicker.
pub(crate) fn decided(work: impl FnOnce()) {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            DECIDED.set(self.0);
        }
    }
    let _restore = Restore(DECIDED.replace(true));
    work();
}

pub(crate) fn is_decided() -> bool {
    DECIDED.get()
}
