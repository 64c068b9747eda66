//! What shall go wrong with the next requests.

use super::received::Answer;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Faults {
    failures: u64,
    status: u16,
    retry_after: Option<Duration>,
    pub(super) hang_up: u64,
    pub(super) never_answer: bool,
    pub(super) delay: Duration,
    pub(super) drip: Duration,
    pub(super) rejected: i64,
}

/// What happens to one request.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) answer: Answer,
    pub(super) retry_after: Option<Duration>,
    pub(super) delay: Duration,
    pub(super) drip: Duration,
    pub(super) rejected: i64,
}

impl Faults {
    pub(super) fn fail_next(&mut self, requests: u64, status: u16, retry_after: Option<Duration>) {
        self.failures = requests;
        self.status = status;
        self.retry_after = retry_after;
    }

    /// The verdict on the next request. Silence goes before hanging up, and that before failing: who never answers uses up
    /// no failure.
    pub(super) fn decide(&mut self, without_faults: Answer) -> Verdict {
        let mut retry_after = None;
        let answer = if self.never_answer {
            Answer::Never
        } else if self.hang_up > 0 {
            self.hang_up -= 1;
            Answer::HungUp
        } else if self.failures > 0 {
            self.failures -= 1;
            retry_after = self.retry_after;
            Answer::Status(self.status)
        } else {
            without_faults
        };
        Verdict {
            answer,
            retry_after,
            delay: self.delay,
            drip: self.drip,
            rejected: self.rejected,
        }
    }
}
