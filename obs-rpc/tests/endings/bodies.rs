//! Bodies that nobody polls, that fail, that are compressed, and that end in either order.

use crate::echo::{EchoClient, Said, say};
use crate::peer::{self, Raw, ended, head, message, number, send, trailers};
use crate::service::Picky;
use crate::world::{all, capture, endpoint, listener};
use obs_rpc::client::RpcClient;
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, CompressionEncoding, EncodeBuf, Encoder};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Status};
use tower::Layer;

/// Echo's server and a client, both observed.
async fn echo(capture: &Capture) -> EchoClient<RpcClient<Channel>> {
    EchoClient::new(attempts(capture).await)
}

/// A channel to Echo's server, both observed.
async fn attempts(capture: &Capture) -> RpcClient<Channel> {
    let (listener, address) = listener().await;
    let layer = RpcServerLayer::new(capture.telemetry()).with_addresses(false);
    let server = Server::builder()
        .layer(layer)
        .add_service(crate::echo::Echo);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let channel = endpoint(address).connect().await.expect("connected");
    RpcClientLayer::new(capture.telemetry()).layer(channel)
}

fn of<'a>(records: &'a [CapturedRecord], kind: &str) -> &'a CapturedRecord {
    let mut found = records.iter().filter(|record| record.descriptor == kind);
    found.next().expect("one of each side")
}

fn at_rest(capture: &Capture) {
    for side in ["client", "server"] {
        let gauge = format!("obs.rpc.{side}.active_calls");
        assert_eq!(capture.in_flight(&gauge), 0, "{side}");
    }
}

#[tokio::test]
async fn a_response_that_is_dropped_unpolled_is_a_cancellation() {
    let capture = capture();
    let mut client = echo(&capture).await;
    let (messages, request) = mpsc::channel(1);
    messages.try_send(say("m", 0)).expect("there is room");
    let asked = client.bidi(Request::new(ReceiverStream::new(request)));
    drop(asked.await.expect("a response"));
    // hyper tells the server of it when the request is given up too.
    let open = capture.in_flight("obs.rpc.server.active_calls");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(
        (open, capture.in_flight("obs.rpc.server.active_calls")),
        (1, 1)
    );
    drop(messages);
    let records = all(&capture, 2).await;
    let dropped = |origin| (Some("CANCELLED"), Some("cancelled"), Some(origin));
    assert_eq!(ended(of(&records, "rpc.client")), dropped("local"));
    assert_eq!(ended(of(&records, "rpc.server")), dropped("peer"));
    at_rest(&capture);
}

/// tonic tells a handler of a client that has gone as of the end of its messages. What it answers is never asked for.
#[tokio::test]
async fn a_response_that_nobody_asks_for_is_a_cancellation_of_the_peers() {
    let mut raw = Raw::new().await;
    let (_response, mut body) = raw.call("ClientStream");
    send(&mut body, message(b"m"));
    while raw.capture.in_flight("obs.rpc.server.active_calls") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    body.send_reset(h2::Reason::CANCEL);
    let record = raw.record().await;
    let expect = (Some("CANCELLED"), Some("cancelled"), Some("peer"));
    assert_eq!(ended(&record), expect);
    let events = [
        "stream_start",
        "server_handle_start",
        "read_start",
        "stream_recv",
        "read_finish",
        "server_handle_finish",
    ];
    assert_eq!(record.event_names(), events);
    assert_eq!(number(&record, "obs.rpc.response.messages"), Some(0));
}

/// The client's codec fails over its second message.
#[derive(Clone, Copy, Debug, Default)]
struct Fails(u8);

impl Codec for Fails {
    type Encode = Said;
    type Decode = Said;
    type Encoder = Self;
    type Decoder = Picky;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Picky {
        Picky::default()
    }
}

impl Encoder for Fails {
    type Item = Said;
    type Error = Status;

    fn encode(&mut self, item: Said, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        if self.0 == 1 {
            return Err(Status::data_loss("on purpose"));
        }
        self.0 += 1;
        Picky::default().encode(item, buffer)
    }
}

#[tokio::test]
async fn a_request_that_fails_is_the_clients_own_failure() {
    let capture = capture();
    let mut client = echo(&capture).await.0;
    client.ready().await.expect("connected");
    let (messages, request) = mpsc::channel(1);
    let path = "/test.Echo/ClientStream".parse().expect("a path");
    let asked = client.client_streaming(
        Request::new(ReceiverStream::new(request)),
        path,
        Fails::default(),
    );
    let feed = async {
        messages.send(say("m", 0)).await.expect("it is read");
        while capture.in_flight("obs.rpc.server.active_calls") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        messages.send(say("m", 0)).await.expect("it is read");
    };
    let (told, ()) = tokio::join!(asked, feed);
    // What hyper makes of the codec's error is a reset with INTERNAL_ERROR, and what tonic makes of that is INTERNAL.
    let told = told.expect_err("it was not sent");
    assert_eq!(told.code(), tonic::Code::Internal);
    let records = all(&capture, 2).await;
    let client = of(&records, "rpc.client");
    assert_eq!(ended(client), (Some("INTERNAL"), Some("body_error"), None));
    assert_eq!(number(client, "obs.rpc.request.messages"), Some(1));
    let server = of(&records, "rpc.server");
    let gone = (Some("CANCELLED"), Some("cancelled"), Some("peer"));
    assert_eq!(ended(server), gone);
    at_rest(&capture);
}

/// And so says the call around it, which does not see the request; before there is a head, and after.
#[tokio::test]
async fn a_request_that_fails_is_no_failure_of_the_transports_to_the_call_around_it_either() {
    for method in ["ClientStream", "Bidi"] {
        let capture = capture();
        let layer = RpcClientLayer::calls(capture.telemetry());
        let mut client = tonic::client::Grpc::new(layer.layer(attempts(&capture).await));
        client.ready().await.expect("connected");
        let (messages, request) = mpsc::channel(1);
        messages.try_send(say("m", 0)).expect("there is room");
        let path = format!("/test.Echo/{method}").parse().expect("a path");
        let request = Request::new(ReceiverStream::new(request));
        let asked = async {
            let mut answers = client.streaming(request, path, Fails::default()).await?;
            while answers.get_mut().message().await?.is_some() {}
            Ok::<_, Status>(())
        };
        let feed = async {
            let has_begun = || match method {
                "Bidi" => capture.in_flight("obs.rpc.server.active_calls") == 1,
                _ => true,
            };
            while !has_begun() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            messages.send(say("m", 0)).await.expect("it is read");
        };
        let (told, ()) = tokio::join!(asked, feed);
        let told = told.expect_err("it was not sent").code();
        let records = all(&capture, 3).await;
        for kind in ["rpc.client", "rpc.call"] {
            let expect = (Some(crate::expected::name(told)), Some("body_error"), None);
            assert_eq!(ended(of(&records, kind)), expect, "{method}, {kind}");
        }
    }
}

#[tokio::test]
async fn compressed_messages_are_counted_as_such_at_the_size_they_are_sent() {
    let capture = capture();
    let client = echo(&capture).await;
    let gzip = CompressionEncoding::Gzip;
    let grpc = client.0.send_compressed(gzip).accept_compressed(gzip);
    let mut client = EchoClient(grpc);
    let text = "as long as it takes ".repeat(200);
    let answer = client.unary(say(&text, 0)).await.expect("answered");
    assert_eq!(answer.into_inner().text, text);
    let records = all(&capture, 2).await;
    for kind in ["rpc.client", "rpc.server"] {
        let record = of(&records, kind);
        assert_eq!(ended(record), (Some("OK"), None, None));
        for part in ["request", "response"] {
            let number = |what: &str| number(record, &format!("obs.rpc.{part}.{what}"));
            assert_eq!(number("messages"), Some(1), "{kind}");
            assert_eq!(number("compressed"), Some(1), "{kind}");
            let size = number("size").expect("counted");
            assert!(
                (20..400).contains(&size),
                "{kind}: {size} of {}",
                text.len()
            );
        }
    }
    // Both sides counted the same bytes.
    for part in ["request", "response"] {
        let key = format!("obs.rpc.{part}.size");
        let [client, server] =
            ["rpc.client", "rpc.server"].map(|kind| number(of(&records, kind), &key));
        assert_eq!(client, server);
    }
}

/// Of a bidirectional call either side may end first.
#[tokio::test]
async fn a_response_that_ends_before_its_request_is_answered() {
    let capture = capture();
    let address = peer_that_answers_at_once().await;
    let mut client = peer::client(&capture, address).await;
    let (messages, request) = mpsc::channel(1);
    messages.try_send(say("m", 0)).expect("there is room");
    let asked = client.bidi(Request::new(ReceiverStream::new(request)));
    let mut answers = asked.await.expect("a response").into_inner();
    while answers.message().await.expect("messages").is_some() {}
    let record = all(&capture, 1).await.remove(0);
    assert_eq!(ended(&record), (Some("OK"), None, None));
    let events = record.event_names();
    assert!(!events.contains(&"write_finish"), "{events:?}");
    assert!(events.contains(&"read_finish"), "{events:?}");
    // What is sent later is nobody's: the call is over.
    drop(messages);
    assert_eq!(all(&capture, 1).await.len(), 1);
    assert_eq!(capture.count("rpc.client.call.duration"), 1);
    at_rest(&capture);
}

async fn peer_that_answers_at_once() -> std::net::SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        let mut requests = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            requests.push(request);
            let mut body = respond.send_response(head(200), false).expect("open");
            send(&mut body, message(b"a"));
            body.send_trailers(trailers(&[("grpc-status", "0")]))
                .expect("open");
        }
    });
    address
}
