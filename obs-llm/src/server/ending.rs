//! What is recorded when a request ends, however it does.

use super::InferenceRequest;
use super::descriptor::{DECODE, FIRST_TOKEN, PER_TOKEN};
use crate::call::ending::{annotate, describe};
use crate::usage::{Tokens, Usage};
use obs_core::semconv::obs;
use obs_core::{End, Moment, Outcome};

impl InferenceRequest {
    pub(super) fn record(&mut self, outcome: Outcome, began: bool) {
        if outcome.end() != End::Answered && began {
            self.finish.cut(self.choices);
        }
        let usage = self.whole_usage();
        let count = |tokens| usage.get(tokens).unwrap_or_default();
        self.count_rest(
            count(Tokens::Input),
            count(Tokens::CacheRead),
            count(Tokens::Output),
        );
        annotate(&mut self.operation, self.first, self.slow > 0);
        self.record_times(outcome, count(Tokens::Output));
        self.describe(&usage);
    }

    /// What was told of its tokens, and what was counted of those that nobody told.
    fn whole_usage(&self) -> Usage {
        let mut usage = Usage::new();
        let counted = [
            (Tokens::Input, self.input),
            (Tokens::CacheRead, self.cached),
            (Tokens::Output, self.output.into()),
        ];
        for (tokens, count) in counted {
            if count > 0 {
                usage.set(tokens, count);
            }
        }
        usage.update(&self.usage);
        usage
    }

    fn record_times(&mut self, outcome: Outcome, output: u64) {
        if self.scheduled.or(self.first).is_none() {
            return;
        }
        let Some(mut active) = self.operation.active() else {
            return;
        };
        let (kind, labels, started) = (self.shared.kind, active.labels(), active.started());
        let rate = kind.ticks_per_second();
        let in_seconds = |ticks: u64| ticks as f64 / rate;
        let seconds = |from, to: Moment| in_seconds(to.ticks_since(from));
        let answered = outcome.end() == End::Answered && !outcome.is_error();
        if let Some(scheduled) = self.scheduled {
            active.set(obs::LLM_SERVER_QUEUE, seconds(started, scheduled));
        }
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return;
        };
        active.set(obs::LLM_SERVER_FIRST_TOKEN, seconds(started, first));
        if let Some(scheduled) = self.scheduled {
            active.set(obs::LLM_SERVER_PREFILL, seconds(scheduled, first));
        }
        if answered {
            kind.record_stage(labels, FIRST_TOKEN, started, first);
        }
        if self.output <= self.choices {
            return;
        }
        kind.record_stage(labels, DECODE, first, last);
        active.set(obs::LLM_SERVER_DECODE, seconds(first, last));
        active.set(obs::LLM_SERVER_TOKEN_GAP_MAX, in_seconds(self.longest));
        let Some(ticks) = per_token(last.ticks_since(first), output, self.choices) else {
            return;
        };
        active.set(obs::LLM_TIME_PER_OUTPUT_TOKEN_ATTRIBUTE, in_seconds(ticks));
        if answered && let Some(then) = Moment::from_bits(first.to_bits().saturating_add(ticks)) {
            kind.record_stage(labels, PER_TOKEN, first, then);
        }
    }

    fn describe(&mut self, usage: &Usage) {
        let dialect = self.shared.dialect;
        let Some(mut active) = self.operation.active() else {
            return;
        };
        describe(&mut active, &self.finish, self.stops.take(), usage, dialect);
        if self.slow > 0 {
            active.set(obs::LLM_SLOW_COUNT, i64::from(self.slow));
        }
        if self.preemptions > 0 {
            active.set(obs::LLM_SERVER_PREEMPTIONS, i64::from(self.preemptions));
        }
    }
}

/// Ticks for each token after the first of one choice: a step writes one of each choice at once.
fn per_token(ticks: u64, output: u64, choices: u32) -> Option<u64> {
    let choices = u64::from(choices.max(1));
    let after = output.checked_sub(choices).filter(|after| *after > 0)?;
    let each = u128::from(ticks) * u128::from(choices) / u128::from(after);
    u64::try_from(each).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_takes_none_of_the_time_of_those_after_it() {
        assert_eq!(per_token(900, 10, 1), Some(100));
        assert_eq!(per_token(900, 1, 1), None);
        assert_eq!(per_token(900, 0, 1), None);
    }

    #[test]
    fn tokens_of_several_choices_come_at_once() {
        // Ten steps, of four tokens each.
        assert_eq!(per_token(900, 40, 4), Some(100));
        assert_eq!(per_token(900, 4, 4), None);
        assert_eq!(per_token(u64::MAX, 3, 2), None, "more than fits");
    }
}
