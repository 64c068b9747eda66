//! A receiver that keeps every byte it is sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Bodies as they were sent, and unpacked.
#[derive(Clone, Default)]
pub(crate) struct Received(Arc<Mutex<Vec<Body>>>);

#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) path: String,
    pub(crate) sent: Vec<u8>,
    pub(crate) unpacked: Vec<u8>,
}

impl Received {
    pub(crate) fn bodies(&self) -> Vec<Body> {
        self.0.lock().expect("nobody panics").clone()
    }
}

/// Answers everything with this status; where that is no success, with all that came in the head, as proxies do that explain
/// themselves.
pub(crate) fn listen(status: &'static str) -> (SocketAddr, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let received = Received::default();
    let into = received.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let into = into.clone();
            std::thread::spawn(move || answer(stream, status, &into));
        }
    });
    (address, received)
}

/// Answers each request, until the connection ends.
fn answer(mut stream: TcpStream, status: &str, into: &Received) -> Option<()> {
    let mut seen = Vec::new();
    loop {
        let end = loop {
            match seen.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => more(&mut stream, &mut seen)?,
            }
        };
        let came = String::from_utf8_lossy(&seen[..end]).into_owned();
        let head = came.to_ascii_lowercase();
        let header = |name: &str| {
            let line = head
                .lines()
                .find(|line| line.starts_with(&format!("{name}:")))?;
            Some(line[name.len() + 1..].trim().to_owned())
        };
        let length: usize = header("content-length")?.parse().ok()?;
        while seen.len() < end + length {
            more(&mut stream, &mut seen)?;
        }
        let sent = seen[end..end + length].to_vec();
        seen.drain(..end + length);
        let unpacked = match header("content-encoding").as_deref() {
            Some("gzip") => {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(&sent[..])
                    .read_to_end(&mut plain)
                    .ok()?;
                plain
            }
            _ => sent.clone(),
        };
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        into.0.lock().expect("nobody panics").push(Body {
            path,
            sent,
            unpacked,
        });
        let said = match status.starts_with('2') {
            true => "",
            false => &*came,
        };
        let length = said.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{said}"
        );
        stream.write_all(answer.as_bytes()).ok()?;
    }
}

fn more(stream: &mut TcpStream, seen: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 16 << 10];
    let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
    seen.extend_from_slice(&chunk[..read]);
    Some(())
}
