//! Whether somebody outside of the layer makes a span of the same request: a layer of another library that was left in place.
//!
//! The first requests are looked at, twice: where the layer is called, and where its future is polled first, because some
//! layers make their span current in polls only. Afterwards it costs nothing.

use obs_core::Kind;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many requests are looked at.
const LOOKS: u32 = 128;

const WARNING: &str = "a span of another library is current where requests reach HttpServerLayer, so that its spans become \
    children of that one, or stand beside it: if it is of a layer that observes the same requests, each is recorded twice, and \
    one of the layers is to be taken away; if it is meant, with_duplicate_warning(false) on HttpServerLayer says so";

/// The requests of one layer that are still looked at.
#[derive(Debug)]
pub(crate) struct Outside(AtomicU32);

impl Outside {
    pub(crate) const fn watched(watched: bool) -> Self {
        Self(AtomicU32::new(if watched { LOOKS } else { 0 }))
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// One more request. Says whether there is another look to come.
    #[cold]
    #[inline(never)]
    pub(crate) fn look(&self, kind: &Kind) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        if left > 0 {
            // Whoever looks at the same time takes the same one: that is one more than promised.
            self.0.store(left - 1, Ordering::Relaxed);
            self.look_again(kind);
        }
        left > 0
    }

    /// The same request, at another place.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_again(&self, kind: &Kind) {
        if kind.is_inside_foreign_span() {
            self.0.store(0, Ordering::Relaxed);
            kind.warn(WARNING);
        }
    }
}

/// Each layer that was set differently looks for itself.
impl Clone for Outside {
    fn clone(&self) -> Self {
        Self(AtomicU32::new(self.0.load(Ordering::Relaxed)))
    }
}
