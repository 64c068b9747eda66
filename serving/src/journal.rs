//! What the engine did, by a clock and counts that have nothing to do with the recorder's.

use std::time::{Duration, Instant};

/// A moment, between two readings of the clock: what the recorder read must lie between them.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    after: Instant,
    before: Instant,
}

impl Between {
    /// Does `work`, and says between which moments.
    pub fn of<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let after = Instant::now();
        let done = work();
        let before = Instant::now();
        (done, Self { after, before })
    }

    /// The least and the most that can lie between an earlier moment and this one.
    pub fn since(self, earlier: Self) -> (Duration, Duration) {
        let least = self.after.saturating_duration_since(earlier.before);
        let most = self.before.saturating_duration_since(earlier.after);
        (least, most)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Life {
    /// Which one.
    pub id: String,
    /// When it came in.
    pub asked: Between,
    /// When it was taken from the queue; it may never be.
    pub scheduled: Option<Between>,
    /// When its first token was there.
    pub first: Option<Between>,
    /// When its last one was.
    pub last: Option<Between>,
    /// What it was answered.
    pub tokens: Vec<u32>,
    /// How long the prompt was.
    pub prompt: usize,
    /// Whether its answer is complete.
    pub complete: bool,
}

/// One step of the model.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// How many requests it advanced.
    pub batch: usize,
    /// How many there are after it, and how many of these wait.
    pub active: usize,
    /// How many of them wait.
    pub waiting: usize,
    /// Of how many tokens keys and values are held after it, of those that there is room for.
    pub held: usize,
    /// Room for so many.
    pub room: usize,
}

/// All that an engine did.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Requests, in the order in which they were over.
    pub lives: Vec<Life>,
    /// Steps, in order.
    pub steps: Vec<Step>,
}
