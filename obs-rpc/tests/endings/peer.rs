//! Peers that speak HTTP/2 and nothing more: what tonic's would not do.

use crate::echo::EchoClient;
use crate::world::{all, capture, endpoint, listener};
use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use obs_rpc::client::RpcClient;
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tower::Layer;

pub(crate) type Respond = h2::server::SendResponse<Bytes>;

/// A server that lets its only request, read to its end, be answered.
pub(crate) async fn server<F>(act: impl FnOnce(Respond) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let handshake = h2::server::handshake(stream).await;
        let mut connection = handshake.expect("HTTP/2");
        let mut act = Some(act);
        while let Some(Ok((request, respond))) = connection.accept().await {
            let act = act.take().expect("one request");
            tokio::spawn(async move {
                read(request.into_body()).await;
                act(respond).await;
            });
        }
    });
    address
}

async fn read(mut body: RecvStream) {
    while let Some(data) = body.data().await {
        let data = data.expect("the client sends it all");
        let _ = body.flow_control().release_capacity(data.len());
    }
}

/// The head of a response that is gRPC's.
pub(crate) fn head(status: u16) -> Response<()> {
    Response::builder()
        .status(status)
        .header("content-type", "application/grpc")
        .body(())
        .expect("a head")
}

/// A message as it is on the wire: a field of text.
pub(crate) fn message(text: &[u8]) -> Bytes {
    let mut message = vec![0, 0, 0, 0, 2 + text.len() as u8, 0x0a, text.len() as u8];
    message.extend(text);
    message.into()
}

pub(crate) fn send(stream: &mut SendStream<Bytes>, data: impl Into<Bytes>) {
    stream.send_data(data.into(), false).expect("it is open");
}

pub(crate) fn trailers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for (name, value) in pairs {
        trailers.insert(*name, value.parse().expect("a value"));
    }
    trailers
}

/// A client of it, observed.
pub(crate) async fn client(capture: &Capture, of: SocketAddr) -> EchoClient<RpcClient<Channel>> {
    let channel = endpoint(of).connect().await.expect("connected");
    EchoClient::new(RpcClientLayer::new(capture.telemetry()).layer(channel))
}

/// An observed server of tonic's, and a client that is none.
pub(crate) struct Raw {
    pub(crate) capture: Capture,
    sender: h2::client::SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<()>,
}

impl Raw {
    pub(crate) async fn new() -> Self {
        let capture = capture();
        let (listener, address) = listener().await;
        let layer = RpcServerLayer::new(capture.telemetry()).with_addresses(false);
        let server = Server::builder()
            .layer(layer)
            .add_service(crate::echo::Echo);
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        tokio::spawn(async move { server.serve_with_incoming(incoming).await });
        let stream = TcpStream::connect(address).await.expect("connected");
        let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let connection = tokio::spawn(async move {
            // It ends as tests end it.
            let _ = connection.await;
        });
        let sender = sender.ready().await.expect("it is connected");
        Self {
            capture,
            sender,
            connection,
        }
    }

    pub(crate) fn call(&mut self, method: &str) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
        let request = Request::post(format!("http://localhost/test.Echo/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .expect("a request");
        let sent = self.sender.send_request(request, false);
        sent.expect("the connection stands")
    }

    /// The socket is closed under whatever is sent.
    pub(crate) fn hang_up(&self) {
        self.connection.abort();
    }

    pub(crate) async fn record(&self) -> CapturedRecord {
        all(&self.capture, 1).await.remove(0)
    }
}

/// What an attribute of a record counts.
pub(crate) fn number(record: &CapturedRecord, key: &str) -> Option<i64> {
    match record.attr(key)? {
        AttrValue::Int(number) => Some(*number),
        other => panic!("{key} is {other:?}"),
    }
}

/// Status, `error.type` and origin of a record.
pub(crate) fn ended(record: &CapturedRecord) -> (Option<&str>, Option<&str>, Option<&str>) {
    (
        record.text("rpc.response.status_code"),
        record.error_type(),
        record.text("obs.rpc.cancel.origin"),
    )
}
