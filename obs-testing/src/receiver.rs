//! A small OTLP/HTTP receiver on loopback, with faults to script.
//!
//! It is a test double, not a collector: one thread per connection, everything kept in memory (bounded, see
//! [`Receiver::retain_at_most`]), HTTP/1.1 only, protobuf only. What it does do is real: sockets, keep-alive, chunked
//! bodies, gzip, and the official protobuf definitions.
//!
//! ```
//! use obs_testing::Receiver;
//! use std::time::Duration;
//!
//! let receiver = Receiver::start()?;
//! receiver.fail_next(1, 503, Some(Duration::from_secs(1)));
//! // … export to `receiver.endpoint()` …
//! let arrived = receiver.wait_for(Duration::ZERO, |receiver| !receiver.spans().is_empty());
//! assert!(!arrived, "nothing was exported");
//! # std::io::Result::Ok(())
//! ```

mod body;
mod connection;
mod convert;
mod faults;
mod head;
mod listener;
mod received;
mod reply;
mod shared;

pub use received::{
    Answer, ByteCounts, Payload, ReceivedLog, ReceivedRequest, ReceivedSpan, Scope, Signal,
};

/// The official OTLP messages that requests are decoded to.
pub use opentelemetry_proto::tonic as proto;

use crate::metrics::PointSet;
use crate::tree::SpanTree;
use crate::wait::Deadline;
use listener::Listener;
use proto::collector::logs::v1::ExportLogsServiceRequest;
use proto::collector::metrics::v1::ExportMetricsServiceRequest;
use proto::collector::trace::v1::ExportTraceServiceRequest;
use shared::Shared;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Bodies beyond this, on the wire or unpacked, are refused with status 413.
pub const LARGEST_BODY: usize = 64 << 20;

/// Receives OTLP over HTTP on a loopback port until dropped.
///
/// Requests to `/v1/traces`, `/v1/metrics` and `/v1/logs` with a protobuf body (`gzip` or plain) are decoded and kept;
/// a body that does not decode is answered with 400. Faults apply from the next request on and to requests with a known
/// path only. What is refused, cut off or never answered is in [`requests`](Self::requests) but not in
/// [`traces`](Self::traces), [`spans`](Self::spans) and the like, which hold what was accepted.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
    listener: Listener,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If no port can be had or no thread started.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let listener = Listener::open((Ipv4Addr::LOCALHOST, 0).into(), &shared)?;
        Ok(Self { shared, listener })
    }

    /// Where to export to, without a path: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The address listened on; it stays the same while connections are refused.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Waits until `predicate` holds (`true`) or `within` has passed (`false`); it is asked anew whenever something
    /// arrives. The predicate may ask the receiver anything.
    #[must_use = "false means the deadline passed first"]
    pub fn wait_for(&self, within: Duration, mut predicate: impl FnMut(&Self) -> bool) -> bool {
        let deadline = Deadline::after(within);
        loop {
            let seen = self.shared.changes();
            let left = deadline.left();
            if predicate(self) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            self.shared.wait_for_change(seen, left);
        }
    }
}

/// What arrived.
impl Receiver {
    /// Every request whose head could be read, in the order they arrived, whatever became of it.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared
            .with(|state| state.requests.iter().cloned().collect())
    }

    /// Accepted trace exports.
    #[must_use]
    pub fn traces(&self) -> Vec<ExportTraceServiceRequest> {
        self.accepted(|payload| match payload {
            Payload::Traces(request) => Some(request.clone()),
            _ => None,
        })
    }

    /// Accepted metric exports.
    #[must_use]
    pub fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.accepted(|payload| match payload {
            Payload::Metrics(request) => Some(request.clone()),
            _ => None,
        })
    }

    /// Accepted log exports.
    #[must_use]
    pub fn logs(&self) -> Vec<ExportLogsServiceRequest> {
        self.accepted(|payload| match payload {
            Payload::Logs(request) => Some(request.clone()),
            _ => None,
        })
    }

    /// All accepted spans, flat.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.traces().into_iter().flat_map(convert::spans).collect()
    }

    /// All accepted log records, flat.
    #[must_use]
    pub fn log_records(&self) -> Vec<ReceivedLog> {
        self.logs().into_iter().flat_map(convert::logs).collect()
    }

    /// All accepted metric points, flat.
    #[must_use]
    pub fn points(&self) -> PointSet {
        let mut points = PointSet::default();
        self.metrics()
            .into_iter()
            .for_each(|request| points.extend(convert::points(request)));
        points
    }

    /// All accepted spans as a tree.
    pub fn tree(&self) -> SpanTree {
        SpanTree::new(self.spans())
    }

    /// Bytes of all request bodies since the start or the last [`clear`](Self::clear).
    #[must_use]
    pub fn byte_counts(&self) -> ByteCounts {
        self.shared.with(|state| state.bytes)
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.with(|state| state.connections_accepted)
    }

    /// Forgets all requests and byte counts; faults stay.
    pub fn clear(&self) {
        self.shared.change(|state| state.forget_all());
    }

    /// Keeps no more than this many body bytes (as unpacked); beyond it the oldest requests are forgotten, and counted.
    /// 256 MiB unless set.
    pub fn retain_at_most(&self, bytes: usize) {
        self.shared.change(|state| state.retain_at_most(bytes));
    }

    /// How many requests were forgotten to stay within [`retain_at_most`](Self::retain_at_most).
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.shared.with(|state| state.forgotten)
    }

    fn accepted<T>(&self, pick: impl Fn(&Payload) -> Option<T>) -> Vec<T> {
        // The lock is held for cloning handles only, so that a large set cannot hold up a connection.
        let accepted: Vec<_> = self.shared.with(|state| {
            let accepted = state.requests.iter().filter(|request| request.accepted());
            accepted
                .filter_map(|request| request.payload.clone())
                .collect()
        });
        accepted
            .iter()
            .filter_map(|payload| pick(payload))
            .collect()
    }
}

/// What shall go wrong.
impl Receiver {
    /// Answers the next `requests` requests with `status`, and `retry-after` (in whole seconds, rounded up) if given.
    /// Replaces what an earlier call left to do.
    pub fn fail_next(&self, requests: u64, status: u16, retry_after: Option<Duration>) {
        self.shared
            .change(|state| state.faults.fail_next(requests, status, retry_after));
    }

    /// Reads the next `requests` requests and closes their connections without an answer.
    /// Replaces what an earlier call left to do.
    pub fn hang_up_next(&self, requests: u64) {
        self.shared.change(|state| state.faults.hang_up = requests);
    }

    /// While on, requests are read and never answered; when switched off, those connections are closed, still unanswered.
    pub fn never_answer(&self, on: bool) {
        self.shared.change(|state| state.faults.never_answer = on);
    }

    /// Answers this much later; zero ends it. The request counts as received at once, so a client that gives up and tries
    /// again delivers twice, as it would with a real collector.
    pub fn delay(&self, delay: Duration) {
        self.shared.change(|state| state.faults.delay = delay);
    }

    /// Sends answers a byte at a time, with this pause before each; zero ends it.
    pub fn drip(&self, pause: Duration) {
        self.shared.change(|state| state.faults.drip = pause);
    }

    /// Says in each answer that this many items were rejected (while keeping all of them); zero ends it.
    pub fn partial_success(&self, rejected: i64) {
        self.shared.change(|state| state.faults.rejected = rejected);
    }

    /// Stops listening and resets all connections: until [`accept_connections`](Self::accept_connections), clients are
    /// refused. When this returns, the port is closed.
    pub fn refuse_connections(&self) {
        self.listener.close();
        self.shared.hang_up_all();
    }

    /// Listens again, on the same port; nothing happens if it does.
    ///
    /// # Errors
    ///
    /// If another process took the port meanwhile.
    pub fn accept_connections(&self) -> io::Result<()> {
        self.listener.reopen(&self.shared)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stop();
        self.listener.close();
        self.shared.hang_up_all();
        self.shared.join_connections();
    }
}
