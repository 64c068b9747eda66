//! A transport that keeps what it is given: for tests, and for programs that are their own collector.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Batch, Remake, Sent, Transport};

/// Delivers into memory. Clones share what was captured; what it answers can be scripted.
///
/// ```
/// use obs_core::courier::{Batch, Capture, Courier, Settings, Signal};
/// use std::time::{Duration, Instant};
///
/// let capture = Capture::new();
/// let courier = Courier::new(capture.clone(), Settings::default());
/// courier.outbox().push(Batch::new(Signal::Traces, vec![10, 0], 1));
/// courier.flush(Instant::now() + Duration::from_secs(1))?;
/// assert_eq!(capture.take().len(), 1);
/// # Ok::<(), obs_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Capture(Arc<Mutex<Captured>>);

#[derive(Default)]
struct Captured {
    batches: Vec<Batch>,
    answer: Option<Answer>,
}

type Answer = Box<dyn FnMut(&Batch) -> Sent + Send>;

impl Capture {
    /// Takes everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers as `answer` says; a batch is captured if it was delivered, in whole or in part.
    #[must_use]
    pub fn with_answer(self, answer: impl FnMut(&Batch) -> Sent + Send + 'static) -> Self {
        self.lock().answer = Some(Box::new(answer));
        self
    }

    /// What has been captured since the last call, in order.
    pub fn take(&self) -> Vec<Batch> {
        std::mem::take(&mut self.lock().batches)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Captured> {
        // A scripted answer may panic on purpose.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Capture {
    fn send(&mut self, batch: &Batch, _deadline: Instant) -> Sent {
        let mut captured = self.lock();
        let sent = captured
            .answer
            .as_mut()
            .map_or(Sent::DELIVERED, |answer| answer(batch));
        if matches!(sent, Sent::Delivered { .. }) {
            captured.batches.push(batch.clone());
        }
        sent
    }

    /// One that captures in the child's memory, which only the child can read.
    fn remake(&self) -> Option<Remake> {
        Some(Box::new(|| Ok(Box::new(Self::new()))))
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Capture")
            .field(&self.lock().batches)
            .finish()
    }
}
