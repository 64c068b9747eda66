//! State shared by the receiver's handle and its connections.

use super::faults::Faults;
use super::received::{Answer, ByteCounts, ReceivedRequest};
use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::wait::Deadline;

const RETAINED_BYTES: usize = 256 << 20;

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) requests: VecDeque<ReceivedRequest>,
    pub(super) faults: Faults,
    pub(super) bytes: ByteCounts,
    pub(super) connections_accepted: u64,
    pub(super) forgotten: u64,
    retained_bytes: usize,
    retain_at_most: usize,
    changes: u64,
    stopped: bool,
    streams: HashMap<u64, TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            requests: VecDeque::new(),
            faults: Faults::default(),
            bytes: ByteCounts::default(),
            connections_accepted: 0,
            forgotten: 0,
            retained_bytes: 0,
            retain_at_most: RETAINED_BYTES,
            changes: 0,
            stopped: false,
            streams: HashMap::new(),
            threads: Vec::new(),
        }
    }
}

impl State {
    pub(super) fn push(&mut self, request: ReceivedRequest) {
        self.bytes.wire += request.wire_bytes;
        self.bytes.unpacked += request.unpacked_bytes;
        self.retained_bytes += request.unpacked_bytes;
        self.requests.push_back(request);
        self.retain_at_most(self.retain_at_most);
    }

    pub(super) fn retain_at_most(&mut self, bytes: usize) {
        self.retain_at_most = bytes;
        while self.retained_bytes > bytes {
            let Some(oldest) = self.requests.pop_front() else {
                break;
            };
            self.retained_bytes -= oldest.unpacked_bytes;
            self.forgotten += 1;
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.requests.clear();
        self.bytes = ByteCounts::default();
        self.retained_bytes = 0;
        self.forgotten = 0;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state.
    pub(super) fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and wakes all who wait for that.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        state.changes += 1;
        drop(state);
        self.changed.notify_all();
        result
    }

    /// How many changes there were: to be read before looking, and handed to [`Self::wait_for_change`] after.
    pub(super) fn changes(&self) -> u64 {
        self.with(|state| state.changes)
    }

    pub(super) fn wait_for_change(&self, seen: u64, at_most: Duration) {
        let unchanged = |state: &mut State| state.changes == seen;
        drop(
            self.changed
                .wait_timeout_while(self.lock(), at_most, unchanged)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Waits this long; `false` if the receiver stopped meanwhile.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let deadline = Deadline::after(pause);
        loop {
            let (seen, stopped) = self.with(|state| (state.changes, state.stopped));
            let left = deadline.left();
            if stopped || left.is_zero() {
                return !stopped;
            }
            self.wait_for_change(seen, left);
        }
    }

    /// Waits until requests are answered again or the receiver stops.
    pub(super) fn wait_while_never_answering(&self) {
        let silent = |state: &mut State| state.faults.never_answer && !state.stopped;
        drop(
            self.changed
                .wait_while(self.lock(), silent)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    pub(super) fn stop(&self) {
        self.change(|state| state.stopped = true);
    }

    pub(super) fn stopped(&self) -> bool {
        self.with(|state| state.stopped)
    }

    /// The number of a new connection.
    pub(super) fn connected(&self, stream: TcpStream) -> u64 {
        self.change(|state| {
            state.connections_accepted += 1;
            state.streams.insert(state.connections_accepted, stream);
            state.connections_accepted
        })
    }

    pub(super) fn disconnected(&self, connection: u64) {
        self.change(|state| state.streams.remove(&connection));
    }

    /// Keeps a connection's thread to join it; those that ended are let go.
    pub(super) fn keep_thread(&self, thread: JoinHandle<()>) {
        self.change(|state| {
            state.threads.retain(|thread| !thread.is_finished());
            state.threads.push(thread);
        });
    }

    /// Shuts all connections, which ends reads and writes their threads may be in.
    pub(super) fn hang_up_all(&self) {
        self.with(|state| {
            for stream in state.streams.values() {
                // It may be closed already, which is what is wanted.
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }

    pub(super) fn join_connections(&self) {
        let threads = self.change(|state| std::mem::take(&mut state.threads));
        for thread in threads {
            // A panic there has been printed; the test that owns the receiver shall fail for its own reasons.
            let _ = thread.join();
        }
    }

    /// Notes what became of a request that was recorded as unanswered.
    pub(super) fn record(&self, request: ReceivedRequest) {
        self.change(|state| state.push(request));
    }

    /// Decides what happens to the next request of a known path, given what it would be answered without faults.
    pub(super) fn decide(&self, without_faults: Answer) -> super::faults::Verdict {
        self.change(|state| state.faults.decide(without_faults))
    }
}
