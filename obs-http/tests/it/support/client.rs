//! Clients that can misbehave: a bare socket for HTTP/1.1, the `h2` crate for HTTP/2.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// A connection on which a request head has been sent.
pub(crate) async fn send(address: SocketAddr, method: &str, path: &str) -> TcpStream {
    send_with(address, method, path, "").await
}

/// The same with further header lines, each ended by CRLF.
pub(crate) async fn send_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a listener");
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
    stream
        .write_all(head.as_bytes())
        .await
        .expect("the request goes out");
    stream
}

/// Reads until `marker` has been seen or the connection ends; everything that came.
pub(crate) async fn read_until(stream: &mut TcpStream, marker: &str) -> String {
    let mut text = Vec::new();
    let mut chunk = [0; 1024];
    while !String::from_utf8_lossy(&text).contains(marker) {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => text.extend_from_slice(&chunk[..read]),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Sends a request, reads to the end of the connection.
pub(crate) async fn exchange(address: SocketAddr, method: &str, path: &str) -> String {
    exchange_with(address, method, path, "").await
}

pub(crate) async fn exchange_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
) -> String {
    let headers = format!("{headers}connection: close\r\n");
    let mut stream = send_with(address, method, path, &headers).await;
    read_until(&mut stream, "\0never").await
}

/// An HTTP/2 connection; the socket closes when it is dropped.
pub(crate) struct H2 {
    requests: SendRequest<Bytes>,
    connection: AbortHandle,
}

pub(crate) async fn h2(address: SocketAddr) -> H2 {
    let stream = TcpStream::connect(address).await.expect("a listener");
    let (requests, connection) = h2::client::handshake(stream).await.expect("a handshake");
    let connection = tokio::spawn(async move {
        let _ = connection.await;
    });
    H2 {
        requests,
        connection: connection.abort_handle(),
    }
}

impl H2 {
    /// The answer to come, and the stream to reset.
    pub(crate) async fn send(
        &self,
        method: &str,
        uri: &str,
    ) -> (ResponseFuture, h2::SendStream<Bytes>) {
        let request = Request::builder().method(method).uri(uri).body(());
        self.send_request(request.expect("a request"), true).await
    }

    /// The same with a stream that stays open, for CONNECT; the extended one where there is a protocol (RFC 8441).
    pub(crate) async fn connect(
        &self,
        uri: &str,
        protocol: Option<&'static str>,
    ) -> (ResponseFuture, h2::SendStream<Bytes>) {
        let mut request = Request::builder().method("CONNECT").uri(uri);
        if let Some(protocol) = protocol {
            let requests = self.requests.clone();
            // A setting of the server's, which arrives in its own time.
            let enabled = move || requests.is_extended_connect_protocol_enabled();
            super::until("the setting", enabled).await;
            request = request.extension(h2::ext::Protocol::from_static(protocol));
        }
        self.send_request(request.body(()).expect("a request"), false)
            .await
    }

    async fn send_request(
        &self,
        request: Request<()>,
        last: bool,
    ) -> (ResponseFuture, h2::SendStream<Bytes>) {
        let mut requests = self.requests.clone().ready().await.expect("a connection");
        requests
            .send_request(request, last)
            .expect("the request goes out")
    }
}

impl Drop for H2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
