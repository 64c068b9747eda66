//! One thing measured: the same work without and with what is being priced.

use std::fmt;

/// A closure that does one call's worth of work.
pub(crate) type Work = Box<dyn FnMut()>;

/// How many calls run between two settlings, unless a pair says otherwise: every queue of every peer holds more.
const BURST: u64 = 1_000;

/// The work without (`bare`) and with the instrument, and how to hold it to account.
pub(crate) struct Pair {
    pub(crate) bare: Work,
    pub(crate) with: Work,
    /// Operations in one call of either side: chunks of a body, spans of a batch; 1 for a request.
    pub(crate) per_call: u64,
    /// Calls between two settlings.
    pub(crate) burst: u64,
    settle: Work,
    account: Box<dyn Fn(u64) -> Result<String, String>>,
    calls: u64,
}

impl Pair {
    /// A pair of one operation per call, with nothing to settle and nothing to account for.
    pub(crate) fn new(bare: impl FnMut() + 'static, with: impl FnMut() + 'static) -> Self {
        Self {
            bare: Box::new(bare),
            with: Box::new(with),
            per_call: 1,
            burst: BURST,
            settle: Box::new(|| {}),
            account: Box::new(|_| Ok(String::from("nothing leaves this case"))),
            calls: 0,
        }
    }

    /// Operations done by one call.
    pub(crate) fn with_per_call(mut self, operations: u64) -> Self {
        self.per_call = operations;
        self
    }

    /// Calls between two settlings.
    pub(crate) fn with_burst(mut self, calls: u64) -> Self {
        self.burst = calls;
        self
    }

    /// Runs between bursts, outside what is measured: lets a queue drain.
    pub(crate) fn with_settle(mut self, settle: impl FnMut() + 'static) -> Self {
        self.settle = Box::new(settle);
        self
    }

    /// Given the calls made of the instrumented side, says what left the process for them, or what is missing.
    pub(crate) fn with_account(
        mut self,
        account: impl Fn(u64) -> Result<String, String> + 'static,
    ) -> Self {
        self.account = Box::new(account);
        self
    }

    /// The instrumented side, counted for the accounting.
    pub(crate) fn run_with(&mut self, calls: u64, run: impl FnOnce(&mut dyn FnMut(), u64)) {
        self.calls += calls;
        run(&mut *self.with, calls);
    }

    /// Whole bursts outside what is measured: they fill caches, pools and first sights.
    pub(crate) fn warm_up(&mut self) {
        for _ in 0..2 {
            self.try_out(self.burst);
        }
    }

    /// Some calls of both sides.
    pub(crate) fn try_out(&mut self, calls: u64) {
        for _ in 0..calls {
            (self.bare)();
        }
        self.run_with(calls, |work, calls| (0..calls).for_each(|_| work()));
        self.settle();
    }

    pub(crate) fn settle(&mut self) {
        (self.settle)();
    }

    /// Fails when what came out does not match what was done.
    pub(crate) fn settle_accounts(&mut self) -> Result<String, String> {
        self.settle();
        (self.account)(self.calls)
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("per_call", &self.per_call)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}
