//! How much a ledger holds, and for how long.

use super::ledger::Ledger;
use super::state::Most;
use obs_core::Telemetry;
use std::time::Duration;

/// Settings of a [`Ledger`].
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct LedgerBuilder {
    pub(super) most: Most,
    pub(super) idle: Duration,
}

impl LedgerBuilder {
    pub(super) fn new() -> Self {
        Self {
            most: Most {
                sessions: 10_000,
                bytes: 32 << 20,
                tools: 32,
            },
            idle: Duration::from_secs(30 * 60),
        }
    }

    /// How many sessions it holds at most; by default 10,000. What is new beyond that takes the place of the session that was not
    /// seen for longest.
    pub fn with_max_sessions(mut self, sessions: u32) -> Self {
        self.most.sessions = u64::from(sessions.max(1));
        self
    }

    /// How many bytes its sessions take at most, with what holds them; by default 32 MiB, at least 64 KiB. A session takes about a
    /// kilobyte, and as much again for five tools.
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.most.bytes = bytes.max(64 << 10);
        self
    }

    /// How many tools of a session are told apart; by default 32. All further ones of it are one, `_OTHER`.
    pub fn with_max_tools(mut self, tools: usize) -> Self {
        self.most.tools = tools.clamp(1, 256);
        self
    }

    /// How long a session may be without an operation that ends before it is over; by default half an hour.
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// From now on it is told of operations in sessions of this telemetry. It stays for as long as that does.
    ///
    /// Where the telemetry has [no room](Telemetry::witness_sessions) for it, it holds nothing, and
    /// [`warnings`](Telemetry::warnings) say so.
    pub fn build(self, telemetry: &Telemetry) -> Ledger {
        Ledger::start(self, telemetry)
    }
}

impl Default for LedgerBuilder {
    fn default() -> Self {
        Self::new()
    }
}
