//! A service of ours that is asked over a socket, and calls back over others.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use obs_core::Trust;
use obs_core::sampling::HeadSampler;
use obs_http::{HTTP_SERVER, HttpClientLayer, HttpServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Headers = Vec<(String, String)>;

pub(crate) struct Harness {
    pub(crate) capture: Capture,
    service: SocketAddr,
    callback: SocketAddr,
    heard: Arc<Mutex<Vec<Headers>>>,
}

impl Harness {
    pub(crate) async fn start(trust: Trust) -> Self {
        Self::with(HeadSampler::always_on(), |layer| layer.with_trust(trust)).await
    }

    pub(crate) async fn with(
        roots: HeadSampler,
        set: impl FnOnce(HttpServerLayer) -> HttpServerLayer,
    ) -> Self {
        let capture = Capture::builder()
            .with_sampler(roots.parent_based())
            .build();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let server = set(HttpServerLayer::new(capture.telemetry()));
        let client = HttpClientLayer::new(capture.telemetry())
            .layer(Client::builder(TokioExecutor::new()).build_http());
        let calls = service_fn(move |request: Request<Incoming>| {
            let client = client.clone();
            async move {
                // A URL a line: whom to call.
                let body = request.into_body().collect().await.expect("a body");
                let urls = String::from_utf8(body.to_bytes().to_vec()).expect("text");
                for url in urls.lines() {
                    let call = Request::post(url)
                        .body(Empty::<Bytes>::new())
                        .expect("a request");
                    let answer = client.clone().oneshot(call).await.expect("an answer");
                    answer.into_body().collect().await.expect("to its end");
                }
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }
        });
        let service = server.layer(calls);
        Self {
            capture,
            service: serve(service).await,
            callback: listen(heard.clone()).await,
            heard,
        }
    }

    /// Asks the service to call back, and gives the headers of its calls.
    pub(crate) async fn ask(&self, headers: &[(String, String)], calls: usize) -> Vec<Headers> {
        let body: String = (0..calls)
            .map(|call| format!("http://{}/{call}\n", self.callback))
            .collect();
        let mut head = format!(
            "POST /test HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            self.service
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n{body}", body.len());
        let asked = async {
            let mut stream = TcpStream::connect(self.service).await.expect("a listener");
            stream
                .write_all(head.as_bytes())
                .await
                .expect("it goes out");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            answer
        };
        let answer = tokio::time::timeout(PATIENCE, asked)
            .await
            .expect("in time");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        std::mem::take(&mut *self.heard.lock().expect("nobody panics"))
    }

    /// The exchange that was answered last; the calls it made are its children.
    #[track_caller]
    pub(crate) fn exchange(&self, calls: usize) -> CapturedRecord {
        let records = self.capture.take_records();
        let is_exchange = |record: &&CapturedRecord| record.descriptor == HTTP_SERVER.name;
        let exchange = records
            .iter()
            .find(is_exchange)
            .expect("it is exported")
            .clone();
        let children = records
            .iter()
            .filter(|record| record.parent_span_id == Some(exchange.span_id));
        assert_eq!(
            (children.count(), records.len()),
            (calls, calls + 1),
            "{records:#?}"
        );
        exchange
    }
}

async fn serve<S, B>(service: S) -> SocketAddr
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                let _ = connection.await;
            });
        }
    });
    address
}

/// Takes down the headers of each request, as they came.
async fn listen(heard: Arc<Mutex<Vec<Headers>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while let Some(head) = read_head(&mut stream, &mut seen).await {
                    let headers = head.lines().skip(1).filter_map(|line| {
                        let (name, value) = line.split_once(':')?;
                        Some((name.to_owned(), value.trim().to_owned()))
                    });
                    heard.lock().expect("nobody panics").push(headers.collect());
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    if stream.write_all(answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// One head; the requests here have no bodies.
async fn read_head(stream: &mut TcpStream, seen: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = seen.split_off(end + 4);
            let head = std::mem::replace(seen, rest);
            return String::from_utf8(head).ok();
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => seen.extend_from_slice(&chunk[..read]),
            _ => return None,
        }
    }
}
