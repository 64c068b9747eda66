//! What is known of the connection, with hyper-util's connector and pool, over real sockets.

use super::failing_servers::nobody;
use super::{Ask, fetch, get, idle, layer, over};
use crate::support::app::app;
use crate::support::server::{Protocol, Server, serve};
use crate::support::until;
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioExecutor;
use obs_core::{End, StatsLevel};
use obs_http::client::{Connector, ConnectorLayer, HttpClient};
use obs_testing::{AttrValue, Capture, CapturedRecord, attrs};
use std::net::SocketAddr;
use tower::{Layer, Service, service_fn};

type Timed = Client<Connector<Connector<HttpConnector<Connector<GaiResolver>>>>, Empty<Bytes>>;

fn timed(http2: bool) -> Timed {
    let resolver = ConnectorLayer::dns().layer(GaiResolver::new());
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.set_nodelay(true);
    let connector = ConnectorLayer::default().layer(ConnectorLayer::tcp().layer(tcp));
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build(connector)
}

fn detailed() -> Capture {
    crate::support::capturing()
        .with_level(StatsLevel::Detailed)
        .with_real_clock()
        .build()
}

fn observed(capture: &Capture, http2: bool) -> HttpClient<Timed> {
    layer(capture).with_connections(true).layer(timed(http2))
}

async fn start(protocol: Protocol) -> Server {
    serve(protocol, service_fn(app)).await
}

fn reused(record: &CapturedRecord) -> Option<bool> {
    match record.attr("obs.http.connection.reused") {
        Some(AttrValue::Bool(reused)) => Some(*reused),
        None => None,
        other => panic!("{other:?}"),
    }
}

fn by_name(server: &Server, path: &str) -> Ask {
    let uri = format!("http://localhost:{}{path}", server.address.port());
    let request = http::Request::get(uri).body(Empty::new());
    request.expect("a request")
}

const NEW: &str = "client_conn_start dns_start dns_finish tcp_start tcp_finish client_conn_finish \
                   response_head read_start stream_recv read_finish";
const REUSED: &str = "response_head read_start stream_recv read_finish";

#[tokio::test]
async fn the_first_exchange_dials_and_the_second_reuses() {
    for (protocol, http2) in [(Protocol::Http1, false), (Protocol::Http2, true)] {
        let capture = detailed();
        let server = start(protocol).await;
        let client = observed(&capture, http2);
        for _ in 0..2 {
            fetch(client.clone(), by_name(&server, "/hello"))
                .await
                .expect("an answer");
            idle().await;
        }
        let records = capture.records();
        assert_eq!(records[0].event_names().join(" "), NEW);
        assert_eq!(records[1].event_names().join(" "), REUSED);
        assert_eq!(
            (reused(&records[0]), reused(&records[1])),
            (Some(false), Some(true))
        );
        let points = capture.points();
        for part in ["connect", "dns", "tcp"] {
            let stage = attrs!["obs.stage" => part];
            let point = points.histogram("obs.http.client.stage.duration", &stage);
            assert_eq!(point.expect(part).count, 1, "{part}");
        }
        let tls = attrs!["obs.stage" => "tls"];
        let tls = points.histogram("obs.http.client.stage.duration", &tls);
        assert_eq!(tls.map_or(0, |point| point.count), 0, "there was none");
    }
}

/// What dials for `https` agrees on keys after it; here on none, so that the server need not either.
#[tokio::test]
async fn keys_are_agreed_on_between_tcp_and_the_connection() {
    let capture = detailed();
    let server = start(Protocol::Http1).await;
    let mut tcp = HttpConnector::new_with_resolver(ConnectorLayer::dns().layer(GaiResolver::new()));
    tcp.enforce_http(false);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(
        ConnectorLayer::default().layer(ConnectorLayer::tcp().layer(tcp)),
    );
    let uri = format!("https://localhost:{}/hello", server.address.port());
    let request = http::Request::get(uri).body(Empty::new());
    fetch(layer(&capture).layer(client), request.expect("a request"))
        .await
        .expect("an answer");
    assert_eq!(
        capture.record().event_names().join(" "),
        NEW.replace("tcp_finish", "tcp_finish tls_start tls_finish")
    );
    let tls = attrs!["obs.stage" => "tls"];
    let points = capture.points();
    let point = points.histogram("obs.http.client.stage.duration", &tls);
    assert_eq!(point.expect("a point").count, 1);
}

#[tokio::test]
async fn an_address_needs_no_look_up() {
    let capture = detailed();
    let server = start(Protocol::Http1).await;
    let request = get(server.address, "/hello");
    fetch(observed(&capture, false), request)
        .await
        .expect("an answer");
    let events = capture.record().event_names().join(" ");
    assert_eq!(events, NEW.replace("dns_start dns_finish ", ""));
}

#[tokio::test]
async fn at_base_it_is_known_whether_a_connection_was_reused() {
    let capture = crate::support::capture();
    let server = start(Protocol::Http1).await;
    let client = observed(&capture, false);
    for _ in 0..2 {
        fetch(client.clone(), get(server.address, "/hello"))
            .await
            .expect("an answer");
        idle().await;
    }
    let records = capture.records();
    assert_eq!(
        (reused(&records[0]), reused(&records[1])),
        (Some(false), Some(true))
    );
    assert!(records.iter().all(|record| record.events.is_empty()));
}

#[tokio::test]
async fn without_a_timed_connector_nothing_is_said_of_connections() {
    let capture = detailed();
    let server = start(Protocol::Http1).await;
    let client = super::observed(&capture, false);
    fetch(client, get(server.address, "/hello"))
        .await
        .expect("an answer");
    let record = capture.record();
    assert_eq!(reused(&record), None);
    assert_eq!(record.event_names().join(" "), REUSED);
}

#[tokio::test]
async fn a_connection_that_is_refused_was_dialled() {
    let capture = detailed();
    let answer = fetch(observed(&capture, false), get(nobody().await, "/")).await;
    assert_eq!(answer, Err("head"));
    let record = over(&capture, End::Failed, Some("connection_refused")).await;
    assert_eq!(reused(&record), Some(false));
    assert_eq!(
        record.event_names().join(" "),
        "client_conn_start tcp_start tcp_finish client_conn_finish"
    );
}

#[tokio::test]
async fn a_name_that_nobody_has_was_looked_up() {
    let capture = detailed();
    let resolver = service_fn(|_: Name| async {
        Err::<std::vec::IntoIter<SocketAddr>, _>(std::io::Error::other("no such name"))
    });
    let tcp = HttpConnector::new_with_resolver(ConnectorLayer::dns().layer(resolver));
    let client = Client::builder(TokioExecutor::new())
        .build::<_, Empty<Bytes>>(ConnectorLayer::default().layer(tcp));
    let request = http::Request::get("http://nobody.invalid/").body(Empty::new());
    let answer = fetch(layer(&capture).layer(client), request.expect("a request")).await;
    assert_eq!(answer, Err("head"));
    let record = over(&capture, End::Failed, Some("dns_error")).await;
    assert_eq!(
        record.event_names().join(" "),
        "client_conn_start dns_start dns_finish client_conn_finish"
    );
}

/// A server whose first answer ends when it is told to.
async fn unfinished() -> (Server, std::sync::Arc<tokio::sync::Notify>) {
    let finish = std::sync::Arc::new(tokio::sync::Notify::new());
    let waits = finish.clone();
    let first = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let app = service_fn(move |_: http::Request<hyper::body::Incoming>| {
        let first = first.swap(false, std::sync::atomic::Ordering::Relaxed);
        let waits = waits.clone();
        let (mut sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
        tokio::spawn(async move {
            let told = waits.notified();
            let _ = sender.send_data(Bytes::from_static(b"begun")).await;
            if first {
                told.await;
            }
        });
        async { Ok::<_, std::convert::Infallible>(http::Response::new(body)) }
    });
    (serve(Protocol::Http1, app).await, finish)
}

/// hyper-util races its pool against the dial: who asks while a connection becomes free uses that one, and the dial goes
/// on in a task of its own.
#[tokio::test]
async fn a_dial_that_loses_the_race_is_not_the_exchanges_connection() {
    let capture = detailed();
    let (server, finish) = unfinished().await;
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
    let opens = gate.clone();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    // The first dial passes, the second waits until the test lets it go.
    let slow = service_fn(move |uri: http::Uri| {
        let (mut tcp, opens) = (tcp.clone(), opens.clone());
        Box::pin(async move {
            opens.acquire().await.expect("open").forget();
            tcp.call(uri).await
        })
    });
    let client = Client::builder(TokioExecutor::new())
        .build::<_, Empty<Bytes>>(ConnectorLayer::default().layer(slow));
    let client = layer(&capture).with_connections(true).layer(client);
    // One exchange holds the only connection, for its answer has no end yet.
    let held = client
        .clone()
        .call(get(server.address, "/hello"))
        .await
        .expect("a head");
    let racing = tokio::spawn(fetch(client.clone(), get(server.address, "/hello")));
    until("the second", || capture.in_flight(super::ACTIVE) == 2).await;
    // It has begun to dial, and now the first is done: its connection is free.
    finish.notify_waiters();
    http_body_util::BodyExt::collect(held.into_body())
        .await
        .expect("a body");
    racing.await.expect("no panic").expect("an answer");
    // The dial ends, and nobody is blamed for it.
    gate.add_permits(1);
    until("the dial", || gate.available_permits() == 0).await;
    idle().await;
    let records = capture.records();
    assert_eq!(reused(&records[0]), Some(false));
    assert_eq!(reused(&records[1]), Some(true));
    assert_eq!(
        records[1].event_names().join(" "),
        format!("client_conn_start {REUSED}"),
        "begun, and not finished by this exchange"
    );
}

#[tokio::test]
async fn connections_pass_untouched() {
    use hyper_util::client::legacy::connect::{Connection, HttpInfo};
    let server = start(Protocol::Http1).await;
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    let mut connector = ConnectorLayer::default().layer(ConnectorLayer::tcp().layer(tcp));
    let uri: http::Uri = format!("http://{}/", server.address)
        .parse()
        .expect("a URI");
    std::future::poll_fn(|cx| connector.poll_ready(cx))
        .await
        .expect("ready");
    let stream = connector.call(uri).await.expect("a connection");
    let mut extensions = http::Extensions::new();
    stream.connected().get_extras(&mut extensions);
    let info = extensions.get::<HttpInfo>().expect("still there");
    assert_eq!(info.remote_addr(), server.address);
    assert!(stream.into_inner().nodelay().expect("a TCP socket"));
}

#[cfg(feature = "hyper-util")]
#[tokio::test]
async fn the_peer_is_known_from_hyper_utils_connections() {
    let capture = crate::support::capture();
    let server = start(Protocol::Http1).await;
    let request = by_name(&server, "/hello");
    fetch(super::observed(&capture, false), request)
        .await
        .expect("an answer");
    let record = capture.record();
    let address = server.address;
    assert_eq!(record.text("network.peer.address"), Some("127.0.0.1"));
    assert_eq!(
        record.attr("network.peer.port"),
        Some(&address.port().into())
    );
    assert_eq!(record.text("server.address"), Some("localhost"));
}
