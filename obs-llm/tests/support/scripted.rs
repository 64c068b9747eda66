//! A server on loopback that does what it is told to, byte by byte, and keeps what it was asked.
#![allow(dead_code, reason = "each test uses its part")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A head, or a whole answer.
    Send(String),
    /// One chunk of a body.
    Chunk(String),
    /// The chunk that ends it.
    Last,
    /// Goes on when the test says so.
    Await,
    /// Until the client is gone.
    Hold,
    Reset,
    Close,
}

/// The head of a stream.
pub(crate) const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// What arrived: head and body.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    pub(crate) connections: Arc<AtomicU32>,
    /// A request is there.
    pub(crate) arrived: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
    /// Who held the line is gone.
    pub(crate) gone: Arc<Notify>,
}

impl Server {
    /// One that is not there.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            address,
            asked: Arc::default(),
            connections: Arc::default(),
            arrived: Arc::default(),
            go_on: Arc::default(),
            gone: Arc::default(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Bodies of requests.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|one| one.body.clone()).collect()
    }
}

/// Answers the n-th request by the n-th of these, and all further ones by the last.
pub(crate) async fn serve_each(scripts: Vec<Vec<Act>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let server = Server::at(listener.local_addr().expect("it is bound"));
    let (asked, arrived) = (server.asked.clone(), server.arrived.clone());
    let (go_on, gone) = (server.go_on.clone(), server.gone.clone());
    let connections = server.connections.clone();
    let scripts = Arc::new(scripts);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::Relaxed);
            let (asked, arrived) = (asked.clone(), arrived.clone());
            let (go_on, gone) = (go_on.clone(), gone.clone());
            let scripts = scripts.clone();
            tokio::spawn(async move {
                while let Some(one) = read(&mut stream).await {
                    let turn = {
                        let mut asked = asked.lock().unwrap();
                        asked.push(one);
                        (asked.len() - 1).min(scripts.len() - 1)
                    };
                    arrived.notify_one();
                    let played = play(&mut stream, &scripts[turn], &go_on, &gone).await;
                    if !matches!(played, Ok(true)) {
                        return;
                    }
                }
            });
        }
    });
    server
}

/// Answers each request so.
pub(crate) async fn serve(acts: Vec<Act>) -> Server {
    serve_each(vec![acts]).await
}

/// Reads a request, if there is one.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..at]).into_owned();
            let low = head.to_lowercase();
            assert!(
                !low.contains("\r\ntransfer-encoding:"),
                "its length is known"
            );
            let length = low.split("content-length: ").nth(1);
            let length = length.map_or(0, |length| {
                let length = length.lines().next().expect("a line");
                length.parse().expect("a number")
            });
            if read.len() >= at + 4 + length {
                let body = String::from_utf8_lossy(&read[at + 4..]).into_owned();
                return Some(Asked { head, body });
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&piece[..count]),
        }
    }
}

/// Whether the connection is kept.
async fn play(
    stream: &mut TcpStream,
    acts: &[Act],
    go_on: &Notify,
    gone: &Notify,
) -> std::io::Result<bool> {
    for act in acts {
        match act {
            Act::Send(text) => stream.write_all(text.as_bytes()).await?,
            Act::Chunk(text) => {
                let chunk = format!("{:x}\r\n{text}\r\n", text.len());
                stream.write_all(chunk.as_bytes()).await?;
            }
            Act::Last => stream.write_all(b"0\r\n\r\n").await?,
            Act::Await => go_on.notified().await,
            Act::Hold => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                gone.notify_one();
                return Ok(false);
            }
            Act::Reset => {
                stream.set_zero_linger()?;
                return Ok(false);
            }
            Act::Close => return Ok(false),
        }
    }
    Ok(true)
}

/// In time, or not at all.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, what).await.expect("in time")
}
