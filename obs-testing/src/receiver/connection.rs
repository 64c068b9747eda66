//! One connection: read a request, decide, answer, again.

use super::LARGEST_BODY;
use super::body;
use super::head::{self, Head, Refusal};
use super::proto::collector::logs::v1::ExportLogsServiceRequest;
use super::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use super::proto::collector::trace::v1::ExportTraceServiceRequest;
use super::received::{Answer, Payload, ReceivedRequest, Signal};
use super::reply::Reply;
use super::shared::Shared;
use prost::Message;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What a refused sender may still send before the connection is cut under it.
const LINGER_BYTES: u64 = LARGEST_BODY as u64;
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Serves `stream` until either side has had enough.
pub(super) fn serve(stream: TcpStream, number: u64, shared: &Shared) {
    let mut connection = Connection {
        reader: BufReader::new(stream),
        number,
        shared,
    };
    while !shared.stopped() && connection.exchange() {}
    shared.disconnected(number);
}

struct Connection<'a> {
    reader: BufReader<TcpStream>,
    number: u64,
    shared: &'a Shared,
}

impl Connection<'_> {
    /// One request and its answer; `true` if there may be another.
    fn exchange(&mut self) -> bool {
        let head = match head::read(&mut self.reader) {
            Ok(Some(head)) => head,
            Ok(None) | Err(Refusal::Gone) => return false,
            Err(Refusal::Status(status, why)) => return self.refuse(Reply::failure(status, why)),
        };
        if head.expects_continue && self.write(b"HTTP/1.1 100 Continue\r\n\r\n").is_err() {
            return false;
        }
        let sent = match body::read(&mut self.reader, head.framing, LARGEST_BODY) {
            Ok(sent) => sent,
            Err(Refusal::Gone) => return false,
            // The end of this body is unknown, so the next request cannot be found.
            Err(Refusal::Status(status, why)) => {
                self.record(&head, 0, 0, None, Answer::Status(status));
                return self.refuse(Reply::failure(status, why));
            }
        };
        let wire_bytes = sent.len();
        let Some(signal) = Signal::of_path(&head.path) else {
            return self.settle(
                &head,
                wire_bytes,
                Reply::failure(404, format!("nothing is at {}", head.path)),
            );
        };
        if head.method != "POST" {
            return self.settle(
                &head,
                wire_bytes,
                Reply::failure(405, "only POST is answered here"),
            );
        }
        let (unpacked_bytes, decoded) = decode(signal, &head, sent);
        self.answer(&head, signal, wire_bytes, unpacked_bytes, decoded)
    }

    fn answer(
        &mut self,
        head: &Head,
        signal: Signal,
        wire_bytes: usize,
        unpacked_bytes: usize,
        decoded: Result<Payload, Refusal>,
    ) -> bool {
        let (payload, mut reply) = match decoded {
            Ok(payload) => (Some(payload), None),
            Err(Refusal::Gone) => return false,
            Err(Refusal::Status(status, why)) => (None, Some(Reply::failure(status, why))),
        };
        let without_faults = Answer::Status(reply.as_ref().map_or(200, |reply| reply.status));
        let verdict = self.shared.decide(without_faults);
        self.record(head, wire_bytes, unpacked_bytes, payload, verdict.answer);
        let status = match verdict.answer {
            Answer::Status(status) => status,
            Answer::HungUp => return false,
            Answer::Never => {
                self.shared.wait_while_never_answering();
                return false;
            }
        };
        let mut reply = match reply.take() {
            Some(reply) if reply.status == status => reply,
            _ if (200..300).contains(&status) => Reply {
                status,
                ..Reply::success(signal, verdict.rejected)
            },
            _ => Reply::failure(status, "failed as the test asked for"),
        };
        reply.retry_after = verdict.retry_after;
        reply.close = !head.keep_alive;
        if !verdict.delay.is_zero() && !self.shared.pause(verdict.delay) {
            return false;
        }
        self.send(&reply, verdict.drip).is_ok() && head.keep_alive
    }

    /// Records and answers a request that faults do not apply to.
    fn settle(&mut self, head: &Head, wire_bytes: usize, mut reply: Reply) -> bool {
        self.record(
            head,
            wire_bytes,
            wire_bytes,
            None,
            Answer::Status(reply.status),
        );
        reply.close = !head.keep_alive;
        self.send(&reply, Duration::ZERO).is_ok() && head.keep_alive
    }

    fn record(
        &self,
        head: &Head,
        wire_bytes: usize,
        unpacked_bytes: usize,
        payload: Option<Payload>,
        answer: Answer,
    ) {
        self.shared.record(ReceivedRequest {
            connection: self.number,
            method: head.method.clone(),
            path: head.path.clone(),
            headers: head.headers.clone(),
            wire_bytes,
            unpacked_bytes,
            payload: payload.map(Arc::new),
            answer,
        });
    }

    /// Answers a request whose end cannot be found, and lets the sender finish sending for a moment: closing with bytes
    /// unread would reset the connection, and the answer with it.
    fn refuse(&mut self, mut reply: Reply) -> bool {
        reply.close = true;
        if self.write(&reply.to_bytes()).is_err() {
            return false;
        }
        let stream = self.reader.get_ref();
        if stream.shutdown(Shutdown::Write).is_ok()
            && stream.set_read_timeout(Some(LINGER_TIME)).is_ok()
        {
            // Whatever comes of it, the connection is closed next.
            let _ = io::copy(
                &mut self.reader.by_ref().take(LINGER_BYTES),
                &mut io::sink(),
            );
        }
        false
    }

    fn send(&self, reply: &Reply, drip: Duration) -> io::Result<()> {
        let bytes = reply.to_bytes();
        if drip.is_zero() {
            return self.write(&bytes);
        }
        for byte in bytes {
            if !self.shared.pause(drip) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.write(&[byte])?;
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.reader.get_ref();
        stream.write_all(bytes)
    }
}

/// The size after unpacking, and what was in it.
fn decode(signal: Signal, head: &Head, sent: Vec<u8>) -> (usize, Result<Payload, Refusal>) {
    let media_type = head.header("content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-protobuf") {
        let why = format!("content-type {media_type:?} is not application/x-protobuf");
        return (sent.len(), Err(Refusal::Status(415, why)));
    }
    let wire_bytes = sent.len();
    let unpacked = match body::unpack(sent, head.header("content-encoding"), LARGEST_BODY) {
        Ok(unpacked) => unpacked,
        Err(refusal) => return (wire_bytes, Err(refusal)),
    };
    let bytes = unpacked.as_slice();
    let decoded = match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(bytes).map(Payload::Traces),
        Signal::Metrics => ExportMetricsServiceRequest::decode(bytes).map(Payload::Metrics),
        Signal::Logs => ExportLogsServiceRequest::decode(bytes).map(Payload::Logs),
    };
    (
        unpacked.len(),
        decoded.map_err(|error| Refusal::malformed(error.to_string())),
    )
}
