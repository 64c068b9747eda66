//! A collector on a real loopback socket that answers by script and remembers what it was sent.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A whole answer: status, header lines, body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Reads the request, and never says a word.
    Silence,
    /// One byte at a time, with a pause after each, without end.
    Drip(Duration),
    /// A good head, and then the body one byte at a time, with a pause after each, without end.
    DripBody(Duration),
    /// Reads the request, and hangs up.
    HangUp,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    pub(crate) fn protobuf(status: u16, body: Vec<u8>) -> Self {
        Self::Answer(
            status,
            vec![("Content-Type", "application/x-protobuf".into())],
            body,
        )
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The number of the connection it came on.
    pub(crate) connection: usize,
    pub(crate) at: Instant,
    pub(crate) line: String,
    /// By lower-case name.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Request>>,
    arrived: Condvar,
    over: AtomicBool,
}

impl Collector {
    /// Answers in the order of the script, then with empty 200s.
    pub(crate) fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), script)
    }

    pub(crate) fn start_at(address: SocketAddr, script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(address).expect("a loopback port");
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            ..Shared::default()
        });
        let address = listener.local_addr().expect("bound");
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for (connection, stream) in listener.incoming().enumerate() {
                    if shared.over.load(Ordering::Relaxed) {
                        return;
                    }
                    let (Ok(stream), shared) = (stream, Arc::clone(&shared)) else {
                        return;
                    };
                    thread::spawn(move || shared.serve(connection, &stream).ok());
                }
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Waits until so many requests have been read.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Request> {
        let requests = self.shared.requests.lock().unwrap();
        let (requests, waited) = self
            .shared
            .arrived
            .wait_timeout_while(requests, PATIENCE, |seen| seen.len() < count)
            .unwrap();
        assert!(
            !waited.timed_out(),
            "only {} of {count} requests came",
            requests.len()
        );
        requests.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn serve(&self, connection: usize, stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some(request) = read_request(connection, &mut reader)? {
            self.requests.lock().unwrap().push(request);
            self.arrived.notify_all();
            let reply = self.script.lock().unwrap().pop_front();
            match reply.unwrap_or(Reply::status(200)) {
                Reply::Answer(status, headers, body) => {
                    let mut head = format!(
                        "HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n",
                        body.len()
                    );
                    for (name, value) in headers {
                        head.push_str(&format!("{name}: {value}\r\n"));
                    }
                    // In one piece: small writes in a row wait for each other's acknowledgement.
                    let answer = [head.as_bytes(), b"\r\n", &body].concat();
                    writer.write_all(&answer)?;
                }
                // Until the client gives up.
                Reply::Silence => drop(reader.read(&mut [0])?),
                Reply::Drip(pause) => {
                    for byte in b"HTTP/1.1 200 OK\r\nX-Never-Ends: "
                        .iter()
                        .chain([b'x'; 10_000].iter())
                    {
                        writer.write_all(&[*byte])?;
                        thread::sleep(pause);
                    }
                }
                Reply::DripBody(pause) => {
                    writer.write_all(b"HTTP/1.1 503 Said\r\nContent-Length: 10000\r\n\r\n")?;
                    for byte in [b'x'; 10_000] {
                        writer.write_all(&[byte])?;
                        thread::sleep(pause);
                    }
                }
                Reply::HangUp => return Ok(()),
            }
        }
        Ok(())
    }
}

fn read_request(connection: usize, reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        connection,
        at: Instant::now(),
        line: line.trim_end().to_owned(),
        headers,
        body,
    }))
}
