//! Code of users on our threads and in their calls: whatever it throws ends there.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` gives, or `None` if it panics. State that it leaves broken is its own: it is asked again.
pub(crate) fn contain<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(given) => Some(given),
        Err(payload) => {
            let_go(payload);
            None
        }
    }
}

/// Drops what was thrown. That can panic too, and what is thrown then is let go of unseen.
#[cold]
pub(crate) fn let_go(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn what_was_thrown_may_panic_again_when_it_is_dropped() {
        assert_eq!(contain(|| 7), Some(7));
        assert_eq!(contain::<()>(|| std::panic::panic_any(Bomb)), None);
    }
}
