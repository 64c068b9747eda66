//! Structured events on their way to the collector, bounded in bytes.

use crate::fork::PerProcess;
use crate::log_event::LogEvent;
use crate::sync::{lock_std, try_lock_std};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug)]
pub(crate) struct LogQueue {
    inner: PerProcess<Mutex<Inner>>,
    cap: usize,
    heard: AtomicBool,
    #[cfg(feature = "tracing")]
    sources: sources::Sources,
}

#[derive(Debug, Default)]
struct Inner {
    /// In pieces of [`PIECE`]: what grows as a whole holds up to twice what is in it, and is copied under the lock.
    events: Vec<Vec<LogEvent>>,
    /// With what was taken and not given back.
    bytes: usize,
    closed: bool,
}

const PIECE: usize = 64;

/// What waited, and how many bytes that is.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) events: Vec<Vec<LogEvent>>,
    bytes: usize,
}

impl Taken {
    /// How many events.
    pub(crate) fn len(&self) -> usize {
        self.events.iter().map(Vec::len).sum()
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queued {
    Taken,
    Full,
    /// The telemetry is shut down.
    Closed,
}

impl LogQueue {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            inner: PerProcess::default(),
            cap,
            heard: AtomicBool::new(false),
            #[cfg(feature = "tracing")]
            sources: sources::Sources::default(),
        }
    }

    /// Says what became of it.
    pub(crate) fn push(&self, event: LogEvent) -> Queued {
        let bytes = event.bytes();
        // Whoever held it when this process was forked is not here to release it.
        let mut inner = match try_lock_std(&self.inner) {
            Some(inner) => inner,
            None => {
                crate::fork::notice();
                lock_std(&self.inner)
            }
        };
        if inner.closed {
            return Queued::Closed;
        }
        if inner.bytes + bytes > self.cap {
            return Queued::Full;
        }
        inner.bytes += bytes;
        match inner.events.last_mut() {
            Some(piece) if piece.len() < piece.capacity() => piece.push(event),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(event);
                inner.events.push(piece);
            }
        }
        Queued::Taken
    }

    /// From now on nothing is taken; what is there waits for the last [`take`](Self::take).
    pub(crate) fn close(&self) {
        lock_std(&self.inner).closed = true;
    }

    /// Lets those who keep back a word say it. `last`: nothing can be emitted afterwards.
    pub(crate) fn settle(&self, last: bool) {
        #[cfg(feature = "tracing")]
        self.sources.settle(last);
        let _ = last;
    }

    /// Takes what waits; it counts until it is [given back](Self::give_back).
    pub(crate) fn take(&self) -> Taken {
        let mut inner = lock_std(&self.inner);
        Taken {
            events: std::mem::take(&mut inner.events),
            bytes: inner.bytes,
        }
    }

    /// Frees it, and the room that it took.
    pub(crate) fn give_back(&self, taken: Taken) {
        drop(taken.events);
        let mut inner = lock_std(&self.inner);
        inner.bytes = inner.bytes.saturating_sub(taken.bytes);
    }

    /// How many wait for the collector.
    pub(crate) fn len(&self) -> usize {
        lock_std(&self.inner).events.iter().map(Vec::len).sum()
    }

    /// Whether anybody wants what is put here.
    pub(crate) fn set_heard(&self, heard: bool) {
        self.heard.store(heard, Ordering::Relaxed);
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Asked at every collection what there is still to say.
    #[cfg(feature = "tracing")]
    pub(crate) fn add_source(&self, source: std::sync::Weak<dyn sources::Source>) {
        self.sources.add(source);
    }
}

#[cfg(feature = "tracing")]
pub(crate) mod sources {
    //! Those who emit events and keep back a word for later.

    use crate::fork::Kept;
    use std::sync::{Arc, Weak};

    pub(crate) trait Source: Send + Sync {
        /// `last`: nothing can be emitted afterwards.
        fn settle(&self, last: bool);
    }

    #[derive(Default)]
    pub(super) struct Sources(Kept<Vec<Weak<dyn Source>>>);

    impl Sources {
        pub(super) fn add(&self, source: Weak<dyn Source>) {
            self.0.write().push(source);
        }

        pub(super) fn settle(&self, last: bool) {
            let sources: Vec<Arc<dyn Source>> = {
                let mut all = self.0.write();
                all.retain(|source| source.strong_count() > 0);
                all.iter().filter_map(Weak::upgrade).collect()
            };
            sources.iter().for_each(|source| source.settle(last));
        }
    }

    impl std::fmt::Debug for Sources {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_tuple("Sources")
                .field(&self.0.read().len())
                .finish()
        }
    }
}
