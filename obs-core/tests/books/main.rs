//! One set of books: created = delivered + dropped + pending, whatever happens on the way, and a shutdown that never says Ok
//! after a loss.

#[path = "../support/support.rs"]
mod support;

mod answers;
mod exported;
#[cfg(unix)]
mod forked;
mod grace;
mod steps;
mod stress;

use obs_core::courier::{Batch, Sent, Signal, Transport};
use obs_core::{Body, Books, LogEvent, Outcome};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const FAILED: Outcome = Outcome::failed(obs_core::ErrorType::own(0));
const LONG: Duration = Duration::from_secs(30);

fn event() -> LogEvent {
    LogEvent::new("test.event", Body::Text("x".into()))
}

/// What a destination took, by signal.
#[derive(Clone, Debug, Default)]
struct Taken(Arc<[AtomicU64; Signal::ALL.len()]>);

impl Taken {
    fn of(&self, signal: Signal) -> u64 {
        self.0[signal.index()].load(Ordering::SeqCst)
    }
}

/// A destination that does what `answer` says to its n-th batch, and knows what it took.
struct Scripted<F> {
    answer: F,
    batches: u64,
    taken: Taken,
}

impl<F> Scripted<F> {
    fn new(answer: F) -> (Self, Taken) {
        let taken = Taken::default();
        let scripted = Self {
            answer,
            batches: 0,
            taken: taken.clone(),
        };
        (scripted, taken)
    }
}

impl<F: FnMut(u64, Signal) -> Sent + Send + 'static> Transport for Scripted<F> {
    fn send(&mut self, batch: &Batch, _: Instant) -> Sent {
        self.batches += 1;
        let sent = (self.answer)(self.batches, batch.signal);
        if let Sent::Delivered { rejected, .. } = &sent {
            let took = batch.items - rejected.min(&batch.items);
            self.taken.0[batch.signal.index()].fetch_add(took, Ordering::SeqCst);
        }
        sent
    }
}

fn refuses_one_item() -> Sent {
    Sent::Delivered {
        rejected: 1,
        message: None,
    }
}

/// Without the hook's message: these are expected.
fn panic_silently() -> ! {
    resume_unwind(Box::new("on purpose"))
}

#[track_caller]
fn assert_closed(books: &Books) {
    assert!(books.is_balanced(), "{books:#?}");
    assert_eq!(books.total().pending, 0, "{books:#?}");
}
