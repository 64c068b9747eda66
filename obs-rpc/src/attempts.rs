//! Attempts of one call: which each is, and which another has made needless.

use crate::descriptor::{ATTEMPTS, METHOD, RPC_CALL, RPC_CALL_NEXT};
use obs_core::{Active, LabelId};
use std::cell::Cell;

/// The number of an attempt to call `method` that starts now, if what is current is a call of it around attempts. Other
/// methods may well be called on the way, for a token say: they are no attempts.
pub(crate) fn count(call: &mut Active<'_>, method: &str) -> Option<u64> {
    let kind = call.kind();
    let descriptor = kind.descriptor();
    if !std::ptr::eq(descriptor, &RPC_CALL) && !std::ptr::eq(descriptor, &RPC_CALL_NEXT) {
        return None;
    }
    let of_call = call.label(METHOD);
    if of_call != LabelId::OVERFLOW && kind.known_label(METHOD, method) != Some(of_call) {
        return None;
    }
    let before = call.measure(ATTEMPTS).unwrap_or_default();
    call.set_measure(ATTEMPTS, before + 1);
    Some(before)
}

thread_local! {
    static DECIDED: Cell<bool> = const { Cell::new(false) };
    static ANSWERS: Cell<u32> = const { Cell::new(0) };
}

/// An attempt has its answer, or an error in its place.
#[inline(always)]
pub(crate) fn answered() {
    ANSWERS.set(ANSWERS.get().wrapping_add(1));
}

/// How many had, on this thread: a call that is over without a further one was decided by none of them, but by a timeout, say.
#[inline(always)]
pub(crate) fn answers() -> u32 {
    ANSWERS.get()
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
