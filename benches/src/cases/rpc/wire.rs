//! tonic's client and tonic's server at the two ends of a pipe in memory, or of a socket: one thread, one connection.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tonic::{
    codegen::tokio_stream::{Once, once},
    transport::{
        Channel, Endpoint,
        server::{Connected, TcpConnectInfo, TcpIncoming},
    },
};

/// Where the client believes to be connected to.
pub(crate) const URL: &str = "http://models.example.com:8080";

pub(crate) fn runtime() -> Rc<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    Rc::new(runtime.expect("a runtime"))
}

/// More than is ever on the way.
const BUFFER: usize = 1 << 20;

/// The one connection that a server is given.
pub(crate) type Accepted = Once<io::Result<Pipe>>;

/// A channel through a pipe to what `serve` makes of the other end.
pub(crate) fn pipe<F>(runtime: &Runtime, serve: impl FnOnce(Accepted) -> F) -> Channel
where
    F: Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
{
    let (near, far) = tokio::io::duplex(BUFFER);
    runtime.spawn(serve(once(Ok(Pipe(far)))));
    let mut near = Some(near);
    let connector = tower::service_fn(move |_| {
        let near = near.take().ok_or(io::ErrorKind::NotConnected);
        std::future::ready(near.map(TokioIo::new).map_err(io::Error::from))
    });
    let endpoint = Endpoint::from_static(URL);
    let channel = runtime.block_on(endpoint.connect_with_connector(connector));
    channel.expect("the pipe is there")
}

/// The same through a socket.
pub(crate) fn socket<F>(runtime: &Runtime, serve: impl FnOnce(TcpIncoming) -> F) -> Channel
where
    F: Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
{
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("bound");
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        tokio::spawn(serve(incoming));
        let connector = tower::service_fn(move |_| async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        });
        let endpoint = Endpoint::from_static(URL);
        let channel = endpoint.connect_with_connector(connector).await;
        channel.expect("the server listens")
    })
}

/// The far end, which says of itself what a socket would: who the peer is, is a recommended attribute.
#[derive(Debug)]
pub(crate) struct Pipe(DuplexStream);

impl Connected for Pipe {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        let at = |port| SocketAddr::from((Ipv4Addr::new(203, 0, 113, 7), port));
        TcpConnectInfo {
            local_addr: Some(at(8080)),
            remote_addr: Some(at(51_034)),
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
