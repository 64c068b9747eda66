//! A server on loopback that does what it is told to, and keeps what it was asked.

use std::net::SocketAddr;
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
    /// Goes on when the test says so.
    Await,
    /// Until the client is gone.
    Hold,
    Reset,
    Close,
}

pub(crate) const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
pub(crate) const LAST: &str = "0\r\n\r\n";

/// An answer in one piece.
pub(crate) fn whole(status: &str, kind: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    vec![Act::Send(head + body)]
}

/// A stream of these events, to its end.
pub(crate) fn streamed(events: &[&str]) -> Vec<Act> {
    begun(events, &[Act::Send(LAST.to_owned())])
}

/// A stream of these events, that then does this.
pub(crate) fn begun(events: &[&str], then: &[Act]) -> Vec<Act> {
    let mut acts = vec![Act::Send(STREAM.to_owned())];
    acts.extend(events.iter().map(|event| Act::Chunk((*event).to_owned())));
    acts.extend(then.iter().cloned());
    acts
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Bodies of requests.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// A request is there.
    pub(crate) arrived: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Reads a request's body, if there is one.
async fn body(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..at]).to_lowercase();
            let length = head.split("content-length: ").nth(1).expect("it is known");
            let length: usize = length.lines().next().unwrap().parse().expect("a number");
            if read.len() >= at + 4 + length {
                return Some(String::from_utf8_lossy(&read[at + 4..]).into_owned());
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&piece[..count]),
        }
    }
}

/// Whether the connection is kept.
async fn act(stream: &mut TcpStream, acts: &[Act], go_on: &Notify) -> std::io::Result<bool> {
    for act in acts {
        match act {
            Act::Send(text) => stream.write_all(text.as_bytes()).await?,
            Act::Chunk(text) => {
                let chunk = format!("{:x}\r\n{text}\r\n", text.len());
                stream.write_all(chunk.as_bytes()).await?;
            }
            Act::Await => go_on.notified().await,
            Act::Hold => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
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

/// Answers the requests in turn so, and each further one as the last.
pub(crate) async fn serve_each(answers: Vec<Vec<Act>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let server = Server {
        address: listener.local_addr().expect("it is bound"),
        asked: Arc::default(),
        arrived: Arc::default(),
        go_on: Arc::default(),
    };
    let (asked, arrived) = (server.asked.clone(), server.arrived.clone());
    let go_on = server.go_on.clone();
    let answers = Arc::new(answers);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (asked, arrived) = (asked.clone(), arrived.clone());
            let (answers, go_on) = (answers.clone(), go_on.clone());
            tokio::spawn(async move {
                while let Some(body) = body(&mut stream).await {
                    let at = {
                        let mut asked = asked.lock().unwrap();
                        asked.push(body);
                        (asked.len() - 1).min(answers.len() - 1)
                    };
                    arrived.notify_one();
                    if !matches!(act(&mut stream, &answers[at], &go_on).await, Ok(true)) {
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

/// Where nobody answers.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    format!("http://{}", listener.local_addr().expect("it is bound"))
}

/// In time, or not at all.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, what).await.expect("in time")
}
