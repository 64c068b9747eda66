//! Servers that do what servers should not: a bare socket for HTTP/1.1, the `h2` crate for HTTP/2.

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use http::Request;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Reads one request's head, says `answer`, and then closes, or resets, or holds the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Close,
    Reset,
    Hold,
}

pub(crate) async fn answering(answer: &'static str, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer, then));
        }
    });
    address
}

/// The same to whatever comes first.
pub(crate) async fn answering_at_once(answer: &'static [u8], then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            tokio::spawn(finish(stream, answer, then));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, answer: &'static str, then: Then) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    finish(stream, answer.as_bytes(), then).await;
}

async fn finish(mut stream: TcpStream, answer: &'static [u8], then: Then) {
    let _ = stream.write_all(answer).await;
    match then {
        Then::Close => {}
        Then::Reset => stream.set_zero_linger().expect("a TCP socket"),
        Then::Hold => std::future::pending().await,
    }
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    listener.local_addr().expect("bound")
}

/// A server of HTTP/2 whose one exchange is `answer`.
pub(crate) async fn h2<F>(
    answer: impl FnOnce(Connection<TcpStream, Bytes>, Request<h2::RecvStream>, SendResponse<Bytes>) -> F
    + Send
    + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        if let Some(Ok((request, respond))) = connection.accept().await {
            answer(connection, request, respond).await;
        }
    });
    address
}

/// A server of HTTP/2 that reads a request and says that it will look at none: GOAWAY with stream 0 as the last one.
/// By hand, because the `h2` crate looks at what it has read.
pub(crate) async fn goodbye() -> SocketAddr {
    const PREFACE: usize = 24;
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ENHANCE_YOUR_CALM: u8 = 11;
    const GOAWAY: &[u8] = &[
        0,
        0,
        8,
        7,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        ENHANCE_YOUR_CALM,
    ];
    const HEADERS: u8 = 1;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.write_all(SETTINGS).await.expect("a client");
        stream.read_exact(&mut [0; PREFACE]).await.expect("HTTP/2");
        let mut head = [0; 9];
        while head[3] != HEADERS {
            stream.read_exact(&mut head).await.expect("a frame");
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            stream.read_exact(&mut payload).await.expect("a frame");
        }
        stream.write_all(GOAWAY).await.expect("a client");
        // Until the client hangs up.
        while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
    });
    address
}
