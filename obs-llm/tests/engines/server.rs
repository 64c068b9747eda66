//! An engine's page on a loopback socket, served as a test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Answer = Box<dyn FnMut(&str, &mut TcpStream) + Send>;

/// Serves until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    gone: Arc<AtomicBool>,
}

impl Server {
    /// Answers each request, of which it is given the head, as this does.
    pub(crate) fn start(answer: impl FnMut(&str, &mut TcpStream) + Send + 'static) -> Self {
        Self::at("127.0.0.1:0", answer)
    }

    pub(crate) fn at(
        address: &str,
        answer: impl FnMut(&str, &mut TcpStream) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a loopback socket");
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let (asked, gone) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let address = listener.local_addr().expect("an address");
        let (answers, asks, going) = (answer.clone(), asked.clone(), gone.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if going.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let head = head(&mut stream);
                if !head.is_empty() {
                    asks.fetch_add(1, Ordering::SeqCst);
                    (answers.lock().expect("no panic"))(&head, &mut stream);
                }
            }
        });
        Self {
            address,
            answer,
            asked,
            gone,
        }
    }

    /// A page of text.
    pub(crate) fn page(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::start(move |_, stream| send(stream, &text))
    }

    /// From now on it answers like this.
    pub(crate) fn then(&self, answer: impl FnMut(&str, &mut TcpStream) + Send + 'static) {
        *self.answer.lock().expect("no panic") = Box::new(answer);
    }

    pub(crate) fn then_page(&self, text: impl Into<String>) {
        let text = text.into();
        self.then(move |_, stream| send(stream, &text));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
        // It waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

fn head(stream: &mut TcpStream) -> String {
    let patience = Some(Duration::from_secs(5));
    stream.set_read_timeout(patience).expect("a timeout");
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return String::new(),
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Writes, and does not care whether anybody reads.
pub(crate) fn write(stream: &mut TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

/// A whole answer with a page.
pub(crate) fn send(stream: &mut TcpStream, page: &str) {
    send_as(stream, "text/plain; version=0.0.4; charset=utf-8", page);
}

pub(crate) fn send_as(stream: &mut TcpStream, content_type: &str, page: &str) {
    let length = page.len();
    write(
        stream,
        &format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{page}"
        ),
    );
}
