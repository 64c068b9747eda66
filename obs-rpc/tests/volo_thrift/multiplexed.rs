//! Many calls over one connection: one task reads for all of them, and another writes.

use crate::support::{
    LARGEST, PATIENCE, ShopClient, ShopClientBuilder, ShopServer, World, codec, listen, order,
    padded,
};
use obs_rpc::obs_core::{End, StatsLevel};
use obs_rpc::volo_thrift::ThriftClientLayer;
use obs_testing::{AttrValue, CapturedRecord};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn serve(world: &World, largest: i32) -> SocketAddr {
    let (address, incoming) = listen().await;
    let layer = world.server_layer();
    let server = ShopServer::new(world.shopkeeper.clone())
        .multiplex(true)
        .make_codec(layer.codec(codec(largest)))
        .layer_front(layer);
    tokio::spawn(async move { server.run(incoming).await.expect("served") });
    address
}

fn client(world: &World, address: SocketAddr) -> ShopClient {
    let layer = ThriftClientLayer::new(world.capture.telemetry());
    ShopClientBuilder::new("shop.volo")
        .multiplex(true)
        .address(address)
        .rpc_timeout(Some(PATIENCE))
        .make_codec(layer.codec(codec(LARGEST)))
        .layer_inner(layer)
        .layer_outer_front(ThriftClientLayer::calls(world.capture.telemetry()))
        .build()
}

fn one<'r>(records: &'r [CapturedRecord], kind: &str) -> &'r CapturedRecord {
    let mut found = records.iter().filter(|record| record.descriptor == kind);
    let record = found.next().expect("one");
    assert_eq!(found.next(), None, "only one");
    record
}

fn attribute(record: &CapturedRecord, key: &str) -> Option<AttrValue> {
    let found = record.attributes.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.clone())
}

fn error(record: &CapturedRecord) -> Option<String> {
    attribute(record, "error.type").map(|value| value.to_string().replace('"', ""))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_seen_but_when_the_client_reads() {
    let world = World::at(StatsLevel::Detailed);
    let client = client(&world, serve(&world, LARGEST).await);
    client.buy(padded(100_000)).await.expect("answered");
    world.settled(1, 1, 1);
    let records = world.capture.records();
    let moments = |kind: &str| -> Vec<_> {
        let record = one(&records, kind);
        record
            .events
            .iter()
            .map(|event| event.name.clone())
            .collect()
    };
    assert_eq!(
        moments("rpc.client"),
        [
            "client_conn_start",
            "client_conn_finish",
            "encode_start",
            "encode_finish",
            "write_start",
            "write_finish",
            "wait_read_start",
        ]
    );
    assert_eq!(moments("rpc.server").len(), 10, "as ever");
    let (attempt, served) = (one(&records, "rpc.client"), one(&records, "rpc.server"));
    assert_eq!(served.parent_span_id, Some(attempt.span_id));
    for key in ["obs.rpc.request.size", "obs.rpc.response.size"] {
        let sizes = (attribute(attempt, key), attribute(served, key));
        assert!(sizes.0.is_some() && sizes.0 == sizes.1, "{key} {sizes:?}");
    }
}

/// The errors of all calls of a kind, in the order of the alphabet.
fn errors(world: &World, kind: &str) -> Vec<Option<String>> {
    let records = world.capture.records();
    let of_kind = records.iter().filter(|record| record.descriptor == kind);
    let mut errors: Vec<_> = of_kind.map(error).collect();
    errors.sort();
    errors
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_a_time_end_each_in_its_way() {
    let world = World::new();
    let client = client(&world, serve(&world, LARGEST).await);
    let (bought, application, business, told) = tokio::join!(
        client.buy(order("book")),
        client.buy(order("application")),
        client.buy(order("business")),
        client.tell(order("gossip")),
    );
    assert!(bought.is_ok() && told.is_ok());
    assert!(application.is_err() && business.is_err());
    world.settled(4, 4, 4);
    let application = some("application_error");
    for kind in ["rpc.call", "rpc.client"] {
        // Volo does not hand on what the reader knows of a business error: to the caller it is an exception.
        let expect = [None, None, application.clone(), application.clone()];
        assert_eq!(errors(&world, kind), expect, "{kind}");
    }
    assert_eq!(
        errors(&world, "rpc.server"),
        [None, None, None, application]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_ends_its_own_call() {
    let world = World::new();
    let client = client(&world, serve(&world, LARGEST).await);
    // Nobody tells the client.
    let asking = tokio::spawn(async move { client.buy(order("panic")).await.is_ok() });
    let ended = || world.capture.count("rpc.server.call.duration") == 1;
    let ended = tokio::task::block_in_place(|| obs_testing::eventually(PATIENCE, ended));
    assert!(ended, "the server's call ends");
    asking.abort();
    world.settled(1, 1, 1);
    assert_eq!(errors(&world, "rpc.server"), [some("panic")]);
    assert_eq!(errors(&world, "rpc.client"), [some("cancelled")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_cannot_be_read_ends_the_connection_and_is_one() {
    let world = World::new();
    let client = client(&world, serve(&world, 1000).await);
    client.buy(padded(2000)).await.err().expect("too large");
    world.settled(1, 1, 1);
    assert_eq!(errors(&world, "rpc.server"), [some("decode_error")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_goes_takes_its_calls_with_it() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut room = [0; 4096];
        assert!(stream.read(&mut room).await.expect("a request") > 0);
    });
    let client = client(&world, address);
    client.buy(order("book")).await.err().expect("no answer");
    server.await.expect("served");
    world.settled(1, 1, 0);
    for kind in ["rpc.call", "rpc.client"] {
        assert_eq!(errors(&world, kind), [some("transport_error")], "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_has_nowhere_to_go_is_cancelled_by_the_peer() {
    let world = World::new();
    let address = serve(&world, 1000).await;
    let mut stream = TcpStream::connect(address).await.expect("a server");
    // The one that waits, and one whose answer is too large to write: that ends the task that writes.
    let mut requests = crate::wire::request("Buy", "wait", &[]);
    requests.extend(crate::wire::large(2000));
    stream.write_all(&requests).await.expect("said");
    world
        .shopkeeper
        .asked
        .acquire()
        .await
        .expect("open")
        .forget();
    let ended = || world.capture.count("rpc.server.call.duration") == 1;
    let ended = tokio::task::block_in_place(|| obs_testing::eventually(PATIENCE, ended));
    assert!(ended, "the large one ends");
    world.shopkeeper.keys.add_permits(1);
    world.settled(0, 0, 2);
    let records = world.capture.records();
    let mut ends: Vec<_> = records.iter().map(|record| record.outcome.end()).collect();
    ends.sort_by_key(|end| format!("{end:?}"));
    assert_eq!(ends, [End::Cancelled, End::Failed]);
    let cancelled = records
        .iter()
        .find(|record| record.outcome.end() == End::Cancelled);
    let origin = attribute(cancelled.expect("one"), "obs.rpc.cancel.origin");
    assert_eq!(origin, Some(AttrValue::Str("peer".to_owned())));
}
