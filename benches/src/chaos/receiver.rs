//! A receiver of OTLP over HTTP with every fault that a bar names. What it acknowledged it counts exactly: by the official
//! protobuf definitions, and by span ids, so that what came twice is known.
//!
//! Not that of obs-testing, which keeps what it got to be looked at: millions of spans are counted here and forgotten.

use std::{
    collections::HashSet,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse},
    metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse},
    trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse},
};
use prost::Message;

mod grpc;
mod tally;

pub(crate) use tally::{Payload, Tally};

/// What the receiver does to requests from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Takes everything.
    #[default]
    None,
    /// The port is closed.
    Refuses,
    /// Reads requests and never answers.
    Hangs,
    /// Answers one byte in this time, and has kept nothing.
    Drips(Duration),
    /// Answers with this status, and asks for so many seconds of peace.
    Answers(u16, Option<u64>),
    /// Closes the connection with half of the request unread, which resets it.
    Resets,
    /// Takes the request and rejects so many of its items.
    Rejects(u64),
}

/// Looks at each acknowledged request.
type Visitor = Box<dyn Fn(&[u8], &Payload) + Send + Sync>;

/// Listens on loopback until dropped.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    speaks: Speaks,
    door: Mutex<Option<Door>>,
}

/// What listens, as long as it is kept.
enum Door {
    Http {
        closing: Arc<AtomicBool>,
        thread: JoinHandle<()>,
    },
    Grpc(#[allow(dead_code, reason = "kept for its end")] grpc::Served),
}

/// Which of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http,
    Grpc,
}

struct Shared {
    state: Mutex<State>,
    /// Shared by those who acknowledge, taken by who changes the fault: what is counted has been answered, whatever comes next.
    answering: RwLock<()>,
    changed: Condvar,
    visitor: Option<Visitor>,
}

#[derive(Default)]
struct State {
    fault: Fault,
    /// Changes with the fault: connections of before are of no use any more.
    epoch: u64,
    tally: Tally,
    seen: HashSet<u64>,
    streams: Vec<TcpStream>,
    stopped: bool,
}

impl Receiver {
    pub(crate) fn start() -> io::Result<Self> {
        Self::speaking(Speaks::Http)
    }

    pub(crate) fn speaking(speaks: Speaks) -> io::Result<Self> {
        Self::started(speaks, None)
    }

    /// One that shows each acknowledged request: its bytes unpacked, and what they mean.
    pub(crate) fn showing(
        visitor: impl Fn(&[u8], &Payload) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::started(Speaks::Http, Some(Box::new(visitor)))
    }

    /// The same over gRPC.
    pub(crate) fn showing_grpc(
        visitor: impl Fn(&[u8], &Payload) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::started(Speaks::Grpc, Some(Box::new(visitor)))
    }

    fn started(speaks: Speaks, visitor: Option<Visitor>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            answering: RwLock::default(),
            changed: Condvar::new(),
            visitor,
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let door = Mutex::new(Some(Door::open(speaks, listener, &shared)?));
        Ok(Self {
            shared,
            address,
            speaks,
            door,
        })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From here on; connections that are open are reset, so that it holds at once.
    pub(crate) fn set(&self, fault: Fault) -> io::Result<()> {
        {
            let answering = &self.shared.answering;
            let _nobody = answering.write().unwrap_or_else(PoisonError::into_inner);
            let mut state = self.shared.lock();
            state.fault = fault;
            state.epoch += 1;
            drop(state);
            self.shared.hang_up();
        }
        self.shared.changed.notify_all();
        if fault == Fault::Refuses {
            self.close();
        } else {
            let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
            if door.is_none() {
                *door = Some(Door::open(
                    self.speaks,
                    TcpListener::bind(self.address)?,
                    &self.shared,
                )?);
            }
        }
        Ok(())
    }

    pub(crate) fn tally(&self) -> Tally {
        let state = self.shared.lock();
        Tally {
            distinct: state.seen.len() as u64,
            ..state.tally
        }
    }

    fn close(&self) {
        let door = self
            .door
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Door::Http { closing, thread }) = door {
            closing.store(true, Ordering::Release);
            // A blocking accept has no other way to be woken.
            drop(TcpStream::connect(self.address));
            let _ = thread.join();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        self.close();
        self.shared.hang_up();
    }
}

impl Door {
    fn open(speaks: Speaks, listener: TcpListener, shared: &Arc<Shared>) -> io::Result<Self> {
        if speaks == Speaks::Grpc {
            return grpc::Served::start(listener, shared).map(Self::Grpc);
        }
        let closing = Arc::new(AtomicBool::new(false));
        let (closed, shared) = (closing.clone(), shared.clone());
        let thread = thread::Builder::new()
            .name(String::from("chaos-receiver"))
            .spawn(move || {
                loop {
                    let accepted = listener.accept();
                    if closed.load(Ordering::Acquire) {
                        return;
                    }
                    let Ok((stream, _)) = accepted else { continue };
                    let shared = shared.clone();
                    thread::spawn(move || drop(shared.serve(stream)));
                }
            })?;
        Ok(Self::Http { closing, thread })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hang_up(&self) {
        for stream in self.lock().streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let epoch = {
            let mut state = self.lock();
            state.streams.push(stream.try_clone()?);
            state.epoch
        };
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        while let Some(head) = Head::read(&mut reader)? {
            if head.expects {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            let fault = self.lock().fault;
            // The preface of HTTP/2: gRPC is not spoken here, but its silence is.
            if fault == Fault::Hangs && head.path == "*" {
                self.lock().tally.unanswered += 1;
                self.wait_for_another(fault);
                return Ok(());
            }
            if fault == Fault::Resets {
                let mut half = vec![0; head.length / 2];
                reader.read_exact(&mut half)?;
                self.lock().tally.reset += 1;
                return Ok(());
            }
            let mut body = vec![0; head.length];
            reader.read_exact(&mut body)?;
            if head.gzip {
                let mut unpacked = Vec::new();
                GzDecoder::new(body.as_slice()).read_to_end(&mut unpacked)?;
                body = unpacked;
            }
            let Some(payload) = Payload::decode(&head.path, &body) else {
                stream.write_all(&answer(400, None, &[]))?;
                continue;
            };
            match fault {
                Fault::Hangs => {
                    self.lock().tally.unanswered += 1;
                    self.wait_for_another(fault);
                    return Ok(());
                }
                Fault::Drips(pause) => {
                    self.lock().tally.unanswered += 1;
                    for byte in answer(200, None, &[]) {
                        stream.write_all(&[byte])?;
                        thread::sleep(pause);
                        if self.lock().fault != fault {
                            return Ok(());
                        }
                    }
                }
                Fault::Answers(status, after) => {
                    let answering = &self.answering;
                    let _one = answering.read().unwrap_or_else(PoisonError::into_inner);
                    if self.lock().epoch != epoch {
                        return Ok(());
                    }
                    self.lock().tally.refuse(&payload);
                    stream.write_all(&answer(status, after, &[]))?;
                }
                Fault::None | Fault::Rejects(_) => {
                    let answering = &self.answering;
                    let _one = answering.read().unwrap_or_else(PoisonError::into_inner);
                    if self.lock().epoch != epoch {
                        return Ok(());
                    }
                    if let Some(visitor) = &self.visitor {
                        visitor(&body, &payload);
                    }
                    let asked = if let Fault::Rejects(items) = fault {
                        items
                    } else {
                        0
                    };
                    let rejected = asked.min(payload.items());
                    let said = success(&payload, rejected);
                    let mut state = self.lock();
                    let State { tally, seen, .. } = &mut *state;
                    tally.take(&payload, rejected, seen);
                    drop(state);
                    self.changed.notify_all();
                    stream.write_all(&answer(200, None, &said))?;
                }
                Fault::Refuses | Fault::Resets => return Ok(()),
            }
        }
        Ok(())
    }

    fn wait_for_another(&self, fault: Fault) {
        let same = |state: &mut State| state.fault == fault && !state.stopped;
        drop(
            self.changed
                .wait_while(self.lock(), same)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

/// What must be known of a request before its body is read.
#[derive(Debug, Default)]
struct Head {
    path: String,
    length: usize,
    gzip: bool,
    expects: bool,
}

impl Head {
    /// None where the client left between two requests.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = Self::default();
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        head.path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                return Ok(Some(head));
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = value.parse().unwrap_or(0),
                "content-encoding" => head.gzip = value.eq_ignore_ascii_case("gzip"),
                "expect" => head.expects = true,
                _ => {}
            }
        }
    }
}

fn answer(status: u16, after: Option<u64>, body: &[u8]) -> Vec<u8> {
    let after = after.map_or_else(String::new, |seconds| format!("retry-after: {seconds}\r\n"));
    let mut bytes = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/x-protobuf\r\n{after}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn success(payload: &Payload, rejected: u64) -> Vec<u8> {
    let (rejected, error_message) = (rejected.cast_signed(), String::from("as the case asked"));
    if rejected == 0 {
        return Vec::new();
    }
    match payload {
        Payload::Traces(_) => ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: rejected,
                error_message,
            }),
        }
        .encode_to_vec(),
        Payload::Metrics(_) => ExportMetricsServiceResponse {
            partial_success: Some(ExportMetricsPartialSuccess {
                rejected_data_points: rejected,
                error_message,
            }),
        }
        .encode_to_vec(),
        Payload::Logs(_) => ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message,
            }),
        }
        .encode_to_vec(),
    }
}
