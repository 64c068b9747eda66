//! A socket that routes are served on, and the end of that.

use axum::Router;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

/// How long requests that are being answered may go on once the service is stopped.
const GRACE: Duration = Duration::from_secs(1);

/// Routes on a free port of the loopback interface, served in the background.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<io::Result<()>>,
}

impl Serving {
    pub(crate) async fn start(app: Router) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // The peers' addresses are attributes of the spans.
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let (stop, stopped) = oneshot::channel();
        let serve = axum::serve(listener, service).with_graceful_shutdown(async {
            // If the sender is gone, so is whoever could stop it.
            let _ = stopped.await;
        });
        Ok(Self {
            address,
            stop,
            done: tokio::spawn(serve.into_future()),
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
