//! A socket that is served on, and the end of that.

use axum::Router;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

/// How long requests that are being answered may go on once the service is stopped.
const GRACE: Duration = Duration::from_secs(1);

/// A service on a free port of the loopback interface, in the background.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<io::Result<()>>,
}

/// When the service is to take no more requests.
#[derive(Debug)]
pub(crate) struct Stop(oneshot::Receiver<()>);

impl Serving {
    /// Routes over HTTP.
    pub(crate) async fn http(app: Router) -> io::Result<Self> {
        // The peers' addresses are attributes of the spans.
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        Self::start(|listener, stop| {
            let serve = axum::serve(listener, service);
            serve.with_graceful_shutdown(stop.called()).into_future()
        })
        .await
    }

    /// Whatever `serve` makes of a socket.
    pub(crate) async fn start<S>(serve: impl FnOnce(TcpListener, Stop) -> S) -> io::Result<Self>
    where
        S: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        Ok(Self {
            address,
            stop,
            done: tokio::spawn(serve(listener, Stop(stopped))),
        })
    }

    /// Takes no more requests, and answers those that it took. What is not answered by then is dropped, and is telemetry's
    /// business like every other ending.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        let abort = self.done.abort_handle();
        if timeout(GRACE, self.done).await.is_err() {
            abort.abort();
        }
    }
}

impl Stop {
    pub(crate) async fn called(self) {
        // If the sender is gone, so is whoever could call it.
        let _ = self.0.await;
    }
}
