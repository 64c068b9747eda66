//! A user's transport: hyper and h2 on a runtime of its own, beneath our layer for clients; and a server that takes what comes.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use obs_core::Telemetry;
use obs_core::courier::{Batch, Sent, Transport};
use obs_http::HttpClientLayer;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use tokio::runtime::Runtime;
use tower::{Layer, Service};

type Body = Full<Bytes>;

/// Speaks HTTP/2 without TLS, on the thread of whoever calls.
#[derive(Clone)]
pub(crate) struct Instrumented(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    runtime: Mutex<Runtime>,
    client: Mutex<Client<HttpConnector, Body>>,
    telemetry: OnceLock<Telemetry>,
}

fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http()
}

impl Instrumented {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Self(Arc::new(Inner {
            address,
            runtime: Mutex::new(runtime),
            client: Mutex::new(client()),
            telemetry: OnceLock::new(),
        }))
    }

    pub(crate) fn observe(&self, telemetry: &Telemetry) {
        self.0.telemetry.set(*telemetry).expect("once");
    }

    fn post(&self, body: Bytes) -> bool {
        let inner = &*self.0;
        let telemetry = inner.telemetry.get().copied();
        let layer = HttpClientLayer::new(&telemetry.unwrap_or_else(Telemetry::noop));
        let mut client = layer.layer(inner.client.lock().expect("nobody panics").clone());
        let request = Request::post(format!("http://{}/v1", inner.address))
            .body(Full::new(body))
            .expect("a request");
        let runtime = inner.runtime.lock().expect("nobody panics");
        runtime.block_on(async {
            let _span = tracing::info_span!("users", kind = "client").entered();
            let Ok(response) = client.call(request).await else {
                return false;
            };
            response.into_body().collect().await.is_ok()
        })
    }

    /// The next call connects anew.
    pub(crate) fn hang_up(&self) {
        *self.0.client.lock().expect("nobody panics") = client();
    }

    /// A call that has nothing to do with telemetry.
    pub(crate) fn ask(&self) {
        assert!(self.post(Bytes::from_static(b"hello")));
    }
}

impl Transport for Instrumented {
    fn send(&mut self, batch: &Batch, _: Instant) -> Sent {
        if self.post(Bytes::copy_from_slice(&batch.body)) {
            Sent::DELIVERED
        } else {
            Sent::retry("no answer")
        }
    }
}

/// Answers everything with nothing. What it logs is none of this test's: its thread has a subscriber of its own, of nobody.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let counted = requests.clone();
        std::thread::spawn(move || {
            let nobody = tracing::subscriber::NoSubscriber::default();
            let _quiet = tracing::subscriber::set_default(nobody);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                while let Ok((stream, _)) = listener.accept().await {
                    let counted = counted.clone();
                    tokio::spawn(async move {
                        let answer = hyper::service::service_fn(
                            move |request: Request<hyper::body::Incoming>| {
                                let counted = counted.clone();
                                async move {
                                    let _ = request.into_body().collect().await;
                                    counted.fetch_add(1, Ordering::Relaxed);
                                    Ok::<_, Infallible>(Response::new(Body::default()))
                                }
                            },
                        );
                        let serving =
                            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                                .serve_connection(TokioIo::new(stream), answer);
                        let _ = serving.await;
                    });
                }
            });
        });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}
