//! Servers, and what can be between them and their clients.

use crate::echo::{Echo, EchoClient};
use obs_core::StatsLevel;
use obs_rpc::RpcClientLayer;
use obs_rpc::client::RpcClient;
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};
use tower::Layer;

pub(crate) fn detailed() -> Capture {
    Capture::builder()
        .with_real_clock()
        .with_level(StatsLevel::Detailed)
        .build()
}

pub(crate) async fn serve() -> SocketAddr {
    serve_with(Server::builder()).await
}

async fn serve_with(mut builder: Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = builder.add_service(Echo);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    address
}

/// A server that is `localhost` by a certificate of its own, and how to trust it.
pub(crate) async fn serve_tls() -> (SocketAddr, ClientTlsConfig) {
    let names = vec!["localhost".to_owned()];
    let issued = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let (pem, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(&pem, key));
    let builder = Server::builder().tls_config(tls).expect("a configuration");
    let trust = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&pem))
        .domain_name("localhost");
    (serve_with(builder).await, trust)
}

pub(crate) fn endpoint(url: &str) -> Endpoint {
    Endpoint::from_shared(url.to_owned()).expect("a URL")
}

pub(crate) fn client<S>(capture: &Capture, channel: S) -> EchoClient<RpcClient<S>>
where
    RpcClient<S>: tonic::client::GrpcService<tonic::body::Body, ResponseBody: Send>,
    EchoClient<RpcClient<S>>: Sized,
{
    EchoClient(tonic::client::Grpc::new(
        RpcClientLayer::new(capture.telemetry()).layer(channel),
    ))
}

pub(crate) fn at(record: &CapturedRecord, event: &str) -> Option<u64> {
    let mut events = record.events.iter();
    let found = events.find(|found| found.name == event);
    found.map(|event| event.time_ns)
}

pub(crate) fn reused(record: &CapturedRecord) -> Option<bool> {
    let said = record.attr("obs.rpc.connection.reused");
    said.and_then(AttrValue::as_bool)
}

/// These events are there in this order, and of those of connections no others.
#[track_caller]
pub(crate) fn check_dial(record: &CapturedRecord, events: &[&str]) {
    let times: Vec<_> = events.iter().map(|event| at(record, event)).collect();
    assert!(
        times.iter().all(Option::is_some) && times.is_sorted(),
        "{events:?} at {times:?} of {:?}",
        record.event_names()
    );
    let of_dials = ["client_conn", "dns", "tcp", "tls"];
    let is_of_dial = |name: &&str| of_dials.iter().any(|part| name.starts_with(part));
    let all = record.event_names().into_iter().filter(is_of_dial).count();
    assert_eq!(all, events.len(), "{:?}", record.event_names());
}

/// How many calls went through a stage.
pub(crate) fn points(capture: &Capture, stage: &str) -> u64 {
    let wanted = [("obs.stage", AttrValue::from(stage))];
    let points = capture.points();
    let points = points.histograms("obs.rpc.stage.duration", &wanted);
    points.iter().map(|point| point.count).sum()
}

/// How many dials ended so; `None` is with a connection.
pub(crate) fn dials(capture: &Capture, error: Option<&str>) -> u64 {
    let points = capture.points();
    let points = points.histograms("obs.rpc.client.connect.duration", &[]);
    let is_so = |attr: Option<&AttrValue>| attr.and_then(AttrValue::as_str) == error;
    let points = points.iter();
    let points = points.filter(|point| is_so(point.series.attr("error.type")));
    points.map(|point| point.count).sum()
}

/// What lies between: it passes bytes on, but holds the first answer back, and can break all its connections.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    hold: Arc<Hold>,
    passing: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// How the first answer is held back.
#[derive(Debug)]
struct Hold {
    after: Duration,
    /// Whether one is.
    held: AtomicBool,
    /// Opened by [`Relay::release`]; open from the start but for a [`Relay::gated`] one.
    gate: Semaphore,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr, first_answer_after: Duration) -> Self {
        let relay = Self::new(server, first_answer_after).await;
        relay.release();
        relay
    }

    /// One that holds the first answer until it is told otherwise.
    pub(crate) async fn gated(server: SocketAddr) -> Self {
        Self::new(server, Duration::ZERO).await
    }

    async fn new(server: SocketAddr, after: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("bound");
        let passing = Arc::<Mutex<Vec<JoinHandle<()>>>>::default();
        let hold = Arc::new(Hold {
            after,
            held: AtomicBool::new(false),
            gate: Semaphore::new(0),
        });
        let (all, held) = (passing.clone(), hold.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let pass = tokio::spawn(pass(client, server, held.clone()));
                all.lock().expect("no panic").push(pass);
            }
        });
        Self {
            address,
            hold,
            passing,
        }
    }

    pub(crate) fn release(&self) {
        self.hold.gate.close();
    }

    /// Waits until an answer is held back.
    pub(crate) async fn holds(&self) {
        let begun = Instant::now();
        while !self.hold.held.load(Ordering::Relaxed) {
            assert!(begun.elapsed() < Duration::from_secs(10), "it never does");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Breaks what is there, and waits until it is gone.
    pub(crate) async fn kill(&self) {
        let all = std::mem::take(&mut *self.passing.lock().expect("no panic"));
        for pass in all {
            pass.abort();
            let _ = pass.await;
        }
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, hold: Arc<Hold>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let there = tokio::io::copy(&mut from_client, &mut to_server);
    let back = async {
        let mut first = [0; 4096];
        let count = from_server.read(&mut first).await?;
        hold.held.store(true, Ordering::Relaxed);
        // Closed is open: there is nothing to be had, and nothing to wait for.
        let _ = hold.gate.acquire().await;
        tokio::time::sleep(hold.after).await;
        to_client.write_all(&first[..count]).await?;
        tokio::io::copy(&mut from_server, &mut to_client).await
    };
    let _ = tokio::try_join!(there, back);
}
