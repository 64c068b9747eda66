//! Structured events on their way to the collector, bounded in bytes.

use crate::log_event::LogEvent;
use crate::sync::lock_std;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug)]
pub(crate) struct LogQueue {
    inner: Mutex<Inner>,
    cap: usize,
    heard: AtomicBool,
    #[cfg(feature = "tracing")]
    sources: sources::Sources,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<LogEvent>,
    bytes: usize,
    closed: bool,
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
            inner: Mutex::default(),
            cap,
            heard: AtomicBool::new(false),
            #[cfg(feature = "tracing")]
            sources: sources::Sources::default(),
        }
    }

    /// Says what became of it.
    pub(crate) fn push(&self, event: LogEvent) -> Queued {
        let bytes = event.bytes();
        let mut inner = lock_std(&self.inner);
        if inner.closed {
            return Queued::Closed;
        }
        if inner.bytes + bytes > self.cap {
            return Queued::Full;
        }
        inner.bytes += bytes;
        inner.events.push(event);
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

    pub(crate) fn take(&self) -> Vec<LogEvent> {
        let mut inner = lock_std(&self.inner);
        inner.bytes = 0;
        std::mem::take(&mut inner.events)
    }

    /// How many wait for the collector.
    pub(crate) fn len(&self) -> usize {
        lock_std(&self.inner).events.len()
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

    use crate::sync::lock_std;
    use std::sync::{Arc, Mutex, Weak};

    pub(crate) trait Source: Send + Sync {
        /// `last`: nothing can be emitted afterwards.
        fn settle(&self, last: bool);
    }

    #[derive(Default)]
    pub(super) struct Sources(Mutex<Vec<Weak<dyn Source>>>);

    impl Sources {
        pub(super) fn add(&self, source: Weak<dyn Source>) {
            lock_std(&self.0).push(source);
        }

        pub(super) fn settle(&self, last: bool) {
            let sources: Vec<Arc<dyn Source>> = {
                let mut all = lock_std(&self.0);
                all.retain(|source| source.strong_count() > 0);
                all.iter().filter_map(Weak::upgrade).collect()
            };
            sources.iter().for_each(|source| source.settle(last));
        }
    }

    impl std::fmt::Debug for Sources {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_tuple("Sources")
                .field(&lock_std(&self.0).len())
                .finish()
        }
    }
}
