//! The service, its callers and what it calls.

use crate::measure::{PATIENCE, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use obs_core::Telemetry;
use obs_core::logs::{Flood, LogLayer};
use obs_http::HttpServerLayer;
use obs_http::client::HttpClientLayer;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt};
use tracing_subscriber::prelude::*;

/// What a request is answered with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Item,
    Broken,
    Logged,
}

const ITEM: &str = "an item";
/// Requests from one delivery to the next: as many spans as one request of OTLP has at most, by default.
const BATCH: usize = 512;

pub(crate) fn path(answer: Answer, n: usize) -> String {
    match answer {
        Answer::Item => format!("/items/{n}?page=2"),
        Answer::Broken => format!("/broken/{n}?page=2"),
        Answer::Logged => format!("/logged/{n}?page=2"),
    }
}

/// Each route once, then some more often than others: counts that are all the same would pack too well.
pub(crate) fn route(n: usize, routes: usize) -> String {
    let route = if n < routes { n } else { n * n / 7 % routes };
    format!("/route-{route:03}/{n}")
}

/// Everything on one thread, so that a subscriber of this thread hears it.
pub(crate) fn on_a_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// A service with as many routes `/route-000/{id}` as asked for besides its own.
pub(crate) async fn serve(layer: Option<HttpServerLayer>, routes: usize) -> Result<SocketAddr> {
    let mut app = Router::new()
        .route("/items/{id}", get(async || ITEM))
        .route(
            "/broken/{id}",
            get(async || (StatusCode::INTERNAL_SERVER_ERROR, ITEM)),
        )
        .route("/logged/{id}", get(logged));
    for route in 0..routes {
        app = app.route(&format!("/route-{route:03}/{{id}}"), get(async || ITEM));
    }
    if let Some(layer) = layer {
        app = app.layer(layer);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn logged(Path(id): Path<u64>) -> &'static str {
    tracing::info!(
        item = id,
        price = 12.5,
        currency = "EUR",
        cached = id % 2 == 0,
        warehouse = "north-2",
        "item served"
    );
    ITEM
}

/// Requests on one connection, as a gateway's: twelve headers, a caller's trace.
pub(crate) async fn requests(
    telemetry: &Telemetry,
    address: SocketAddr,
    count: usize,
    path: impl Fn(usize) -> String,
) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut ids = Ids(0x5eed);
    let mut answer = Vec::new();
    for n in 0..count {
        let head = format!(
            "GET {} HTTP/1.1\r\nhost: shop.example\r\n\
             traceparent: 00-{:016x}{:016x}-{:016x}-01\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
             accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
             accept-language: en-GB,en;q=0.5\r\naccept-encoding: gzip, deflate, br\r\n\
             x-request-id: {:016x}\r\nx-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\n\
             x-forwarded-host: shop.example\r\ncache-control: no-cache\r\ndnt: 1\r\n\r\n",
            path(n),
            ids.next(),
            ids.next(),
            ids.next(),
            ids.next(),
        );
        stream.write_all(head.as_bytes()).await?;
        answer.clear();
        while !answer.ends_with(ITEM.as_bytes()) {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the service hung up".into());
            }
        }
        deliver(telemetry, n)?;
    }
    Ok(())
}

fn deliver(telemetry: &Telemetry, n: usize) -> Result<()> {
    if n % BATCH == BATCH - 1 {
        telemetry.collect(PATIENCE)?;
    }
    Ok(())
}

/// Calls through our client's layer, on a connection that is kept.
pub(crate) async fn calls(telemetry: &Telemetry, address: SocketAddr, count: usize) -> Result<()> {
    let client = Client::builder(TokioExecutor::new()).build::<_, Body>(HttpConnector::new());
    let client = HttpClientLayer::new(telemetry)
        .with_template(|_| Some("/items/{id}"))
        .layer(client);
    for n in 0..count {
        let request = Request::builder()
            .uri(format!("http://{address}{}", path(Answer::Item, n)))
            .header("user-agent", "front/1.0")
            .body(Body::empty())?;
        let answer = client.clone().oneshot(request).await?;
        axum::body::to_bytes(Body::new(answer.into_body()), 1 << 20).await?;
        deliver(telemetry, n)?;
    }
    Ok(())
}

/// Until the guard is gone, events of this thread are lines that are counted, and log records.
pub(crate) fn log_to(
    telemetry: &Telemetry,
    lines: &Arc<AtomicUsize>,
) -> tracing::subscriber::DefaultGuard {
    let lines = Arc::clone(lines);
    let layer = LogLayer::new(telemetry)
        .with_lines(move || Counted(Arc::clone(&lines)))
        // One call site says it all, and faster than a service would.
        .with_flood(Flood::new(u32::MAX, Duration::from_secs(1)));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

struct Counted(Arc<AtomicUsize>);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Splitmix: ids that packing makes nothing of, and the same ones each time.
struct Ids(u64);

impl Ids {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
