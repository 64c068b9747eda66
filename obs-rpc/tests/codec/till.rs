//! A till that does what it is asked, its server and its channel.

use crate::shop::Order;
use crate::shop::till_client::TillClient;
use crate::shop::till_server::{self, TillServer};
use bytes::{Buf, BufMut};
use obs_rpc::RpcServerLayer;
use obs_rpc::client::RpcClient;
use obs_testing::Capture;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

pub(crate) fn order(text: &str, count: u32) -> Order {
    Order {
        text: text.to_owned(),
        count,
    }
}

/// So many orders.
pub(crate) fn orders(count: u32) -> impl Stream<Item = Order> + Send + 'static {
    tokio_stream::iter((0..count).map(|at| order("order", at)))
}

#[derive(Clone, Default)]
pub(crate) struct Till {
    /// Whom it asks before it answers `onward`.
    pub(crate) onward: Option<TillClient<RpcClient<Channel>>>,
}

impl std::fmt::Debug for Till {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Till").finish_non_exhaustive()
    }
}

impl Till {
    async fn act(&self, text: &str) -> Result<(), Status> {
        match text.split_once(' ') {
            Some(("sleep", ms)) => {
                let ms = ms.parse().expect("a number");
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            Some(("fail", code)) => {
                let code: i32 = code.parse().expect("a number");
                return Err(Status::new(code.into(), "asked for"));
            }
            _ => {}
        }
        if text == "inside" {
            let mut inside = TillClient::new(TillServer::new(Self::default()));
            inside.unary(order("", 0)).await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if text == "onward" {
            let mut onward = self.onward.clone().expect("somebody to ask");
            onward.unary(order("", 0)).await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;

#[tonic::async_trait]
impl till_server::Till for Till {
    async fn unary(&self, request: Request<Order>) -> Result<Response<Order>, Status> {
        let order = request.into_inner();
        self.act(&order.text).await?;
        Ok(Response::new(order))
    }

    type DownloadStream = Answers;

    async fn download(&self, request: Request<Order>) -> Result<Response<Answers>, Status> {
        let answers = orders(request.into_inner().count).map(Ok);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn upload(&self, request: Request<Streaming<Order>>) -> Result<Response<Order>, Status> {
        let mut orders = request.into_inner();
        let mut count = 0;
        while let Some(order) = orders.message().await? {
            self.act(&order.text).await?;
            count += 1;
        }
        Ok(Response::new(order("counted", count)))
    }

    type ChatStream = Answers;

    async fn chat(&self, request: Request<Streaming<Order>>) -> Result<Response<Answers>, Status> {
        Ok(Response::new(Box::pin(request.into_inner())))
    }
}

/// A server of it on a socket, observed where there is a capture.
pub(crate) async fn serve(capture: Option<&Capture>, till: Till) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let till = TillServer::new(till)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    match capture {
        Some(capture) => {
            let layer = RpcServerLayer::new(capture.telemetry());
            let server = Server::builder().layer(layer).add_service(till);
            tokio::spawn(async move { server.serve_with_incoming(incoming).await });
        }
        None => {
            let server = Server::builder().add_service(till);
            tokio::spawn(async move { server.serve_with_incoming(incoming).await });
        }
    }
    address
}

pub(crate) fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
    endpoint.connect_lazy()
}

/// Waits until it is so, for ten seconds at most.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never is");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Bytes as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}
