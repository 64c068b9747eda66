//! What a session comes to.

use super::seen::{Seen, What};

/// Sums over the operations of a session. Saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) turns: u64,
    pub(super) failed_turns: u64,
    pub(super) inference_calls: u64,
    pub(super) failed_inference_calls: u64,
    pub(super) embeddings_calls: u64,
    pub(super) failed_embeddings_calls: u64,
    pub(super) without_usage: u64,
    pub(super) priced: u64,
    pub(super) unpriced: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cache_read: u64,
    pub(super) cache_write: u64,
    pub(super) reasoning: u64,
    pub(super) embeddings_input: u64,
    pub(super) picodollars: u64,
    pub(super) tool_calls: u64,
    pub(super) failed_tool_calls: u64,
}

fn add(to: &mut u64, by: u64) {
    *to = to.saturating_add(by);
}

impl Totals {
    pub(super) fn add(&mut self, seen: &Seen<'_>) {
        let failed = u64::from(seen.failed);
        match seen.what {
            What::Agent if seen.is_turn => {
                add(&mut self.turns, 1);
                add(&mut self.failed_turns, failed);
            }
            // A part of a turn that is counted.
            What::Agent => {}
            What::Tool => {
                add(&mut self.tool_calls, 1);
                add(&mut self.failed_tool_calls, failed);
            }
            What::Inference => {
                add(&mut self.inference_calls, 1);
                add(&mut self.failed_inference_calls, failed);
                let told = seen.told;
                for (to, told) in [
                    (&mut self.input, told.input),
                    (&mut self.output, told.output),
                    (&mut self.cache_read, told.cache_read),
                    (&mut self.cache_write, told.cache_write),
                    (&mut self.reasoning, told.reasoning),
                ] {
                    add(to, told.unwrap_or_default());
                }
                self.charge(seen);
            }
            What::Embeddings => {
                add(&mut self.embeddings_calls, 1);
                add(&mut self.failed_embeddings_calls, failed);
                add(
                    &mut self.embeddings_input,
                    seen.told.input.unwrap_or_default(),
                );
                self.charge(seen);
            }
        }
    }

    /// What has no price is not free: it is counted beside.
    fn charge(&mut self, seen: &Seen<'_>) {
        let untold = seen.told.is_empty();
        add(&mut self.without_usage, u64::from(untold));
        match seen.cost {
            Some(cost) => {
                add(&mut self.priced, 1);
                add(&mut self.picodollars, cost);
            }
            None => add(&mut self.unpriced, u64::from(!untold)),
        }
    }
}
