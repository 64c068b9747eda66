//! The bytes: what peers in other languages read and write.

use crate::support::{PATIENCE, ShopClientBuilder, World, order};
use obs_rpc::obs_core::Trust;
use obs_rpc::obs_core::otel::trace::SpanId;
use obs_rpc::obs_core::propagation::baggage::Allow;
use obs_rpc::obs_core::setup::resource::ResourceBuilder;
use obs_rpc::volo_thrift::ThriftClientLayer;
use obs_testing::{Capture, CapturedRecord};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use volo_thrift::codec::default::DefaultMakeCodec;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A request as Kitex's TTHeader has it, with string keys in the header: for `Buy` or `Tell`.
pub fn request(method: &str, what: &str, keys: &[(&str, &[u8])]) -> Vec<u8> {
    write(method, what, 0, keys)
}

/// One that asks for an answer of this many bytes.
#[cfg(feature = "volo-thrift-multiplex")]
pub fn large(bytes: u32) -> Vec<u8> {
    write("Buy", "large", bytes, &[])
}

fn write(method: &str, what: &str, number: u32, keys: &[(&str, &[u8])]) -> Vec<u8> {
    let short = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend((bytes.len() as u16).to_be_bytes());
        out.extend(bytes);
    };
    let long = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend((bytes.len() as u32).to_be_bytes());
        out.extend(bytes);
    };
    // The protocol is binary, and there are no transforms.
    let mut header = vec![0, 0];
    if !keys.is_empty() {
        header.push(0x01);
        header.extend((keys.len() as u16).to_be_bytes());
        for (key, value) in keys {
            short(&mut header, key.as_bytes());
            short(&mut header, value);
        }
    }
    header.push(0x10);
    header.extend(2u16.to_be_bytes());
    for (key, value) in [(3u16, "kitex.caller"), (9, method)] {
        header.extend(key.to_be_bytes());
        short(&mut header, value.as_bytes());
    }
    while header.len() % 4 != 0 {
        header.push(0);
    }
    // Version 1 and a call; its name, its number; the struct of arguments with an order, which has what and how long.
    let mut message = vec![0x80, 0x01, 0x00, 0x01];
    long(&mut message, method.as_bytes());
    message.extend(7u32.to_be_bytes());
    message.extend([12, 0, 1, 11, 0, 1]);
    long(&mut message, what.as_bytes());
    message.extend([8, 0, 2]);
    message.extend(number.to_be_bytes());
    message.extend([0, 0]);

    let mut framed = Vec::new();
    long(&mut framed, &message);
    let mut rest = vec![0x10, 0x00, 0, 0, 0, 0, 0, 7];
    rest.extend((header.len() as u16 / 4).to_be_bytes());
    rest.extend(header);
    rest.extend(framed);
    let mut out = Vec::new();
    long(&mut out, &rest);
    out
}

/// The string keys in the header of a message as it was written.
fn keys(message: &[u8]) -> Vec<(String, String)> {
    let short = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
    assert_eq!(&message[4..6], [0x10, 0x00], "a TTHeader");
    // Length, magic, flags, number, size of the header; then protocol and transforms.
    let mut at = 16;
    assert_eq!(message[at], 0x01, "string keys come first");
    let count = short(at + 1);
    at += 3;
    let mut text = || {
        let length = short(at);
        let text = String::from_utf8(message[at + 2..at + 2 + length].to_vec());
        at += 2 + length;
        text.expect("text")
    };
    (0..count).map(|_| (text(), text())).collect()
}

fn attribute(record: &CapturedRecord, key: &str) -> Option<String> {
    let found = record.attributes.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.to_string().trim_matches('"').to_owned())
}

/// What a server records of a request whose header has these keys.
async fn served(world: &World, trust: Trust, keys: &[(&str, &[u8])]) -> CapturedRecord {
    let allow = Allow::names(["tenant"]);
    let layer = world.server_layer().with_trust(trust).with_baggage(allow);
    let address = world.serve_with(layer, crate::support::LARGEST).await;
    let mut stream = TcpStream::connect(address).await.expect("a server");
    let request = request("Buy", "book", keys);
    stream.write_all(&request).await.expect("said");
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await.expect("an answer");
    assert_eq!(&answer[4..6], [0x10, 0x00], "a TTHeader, {read} bytes");
    world.settled(0, 0, 1);
    world.capture.record()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_continues_the_trace_of_a_kitex_client_however_its_keys_are_spelt() {
    for key in [
        "RPC_TRANSIT_traceparent",
        "RPC_TRANSIT_TRACEPARENT",
        "RPC_PERSIST_traceparent",
    ] {
        let world = World::new();
        let keys: &[(&str, &[u8])] = &[
            (key, PARENT.as_bytes()),
            ("RPC_TRANSIT_TRACESTATE", b"vendor=1"),
            ("RPC_TRANSIT_baggage", b"tenant=blue,other=red"),
            ("RPC_TRANSIT_service.name", b"checkout"),
        ];
        let record = served(&world, Trust::Trusted, keys).await;
        assert_eq!(record.trace_id.to_string(), PARENT[3..35], "{key}");
        let parent = record.parent_span_id.expect("a parent").to_string();
        assert_eq!(parent, PARENT[36..52], "{key}");
        assert!(record.parent_is_remote);
        let state = if key.contains("TRANSIT") {
            "vendor=1"
        } else {
            ""
        };
        assert_eq!(record.trace_state, state, "{key}");
        for (key, expect) in [
            ("obs.rpc.peer.service", Some("checkout")),
            ("tenant", Some("blue")),
            ("other", None),
            ("rpc.method", Some("Shop/Buy")),
        ] {
            assert_eq!(attribute(&record, key).as_deref(), expect, "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nearer_of_two_traces_is_continued() {
    let world = World::new();
    let keys: &[(&str, &[u8])] = &[
        ("RPC_PERSIST_traceparent", OTHER.as_bytes()),
        ("RPC_TRANSIT_traceparent", PARENT.as_bytes()),
    ];
    let record = served(&world, Trust::Trusted, keys).await;
    assert_eq!(record.trace_id.to_string(), PARENT[3..35]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_trace_is_linked_and_its_baggage_left_alone() {
    let world = World::new();
    let keys: &[(&str, &[u8])] = &[
        ("RPC_TRANSIT_traceparent", PARENT.as_bytes()),
        ("RPC_TRANSIT_baggage", b"tenant=blue"),
    ];
    let record = served(&world, Trust::LinkOnly, keys).await;
    assert_ne!(record.trace_id.to_string(), PARENT[3..35]);
    assert_eq!(record.links.len(), 1);
    assert_eq!(attribute(&record, "tenant"), None);
}

/// Volo believes the header: an address in it takes the place of the socket's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_says_neither_who_it_is_nor_from_where_it_calls() {
    let keys: &[(&str, &[u8])] = &[
        ("rip", b"10.9.8.7:1"),
        ("RPC_TRANSIT_service.name", b"checkout"),
    ];
    for (trust, name, address) in [
        (Trust::Trusted, Some("checkout"), Some("10.9.8.7")),
        (Trust::LinkOnly, None, None),
    ] {
        let record = served(&World::new(), trust, keys).await;
        let said = |key| attribute(&record, key);
        assert_eq!(said("obs.rpc.peer.service").as_deref(), name);
        assert_eq!(said("network.peer.address").as_deref(), address);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_method_without_end_512_bytes_are_kept() {
    let world = World::new();
    let address = world.serve().await;
    let mut stream = TcpStream::connect(address).await.expect("a server");
    let request = request(&"x".repeat(3_000), "book", &[]);
    stream.write_all(&request).await.expect("said");
    stream.read_u8().await.expect("an answer");
    world.settled(0, 0, 1);
    let asked = attribute(&world.capture.record(), "rpc.method_original");
    assert_eq!(asked.map(|asked| asked.len()), Some(512));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_text_hurts_nobody() {
    let world = World::new();
    let keys: &[(&str, &[u8])] = &[
        ("RPC_TRANSIT_traceparent", &[0xff; 55]),
        ("RPC_TRANSIT_tracestate", &[0xff; 3]),
        ("RPC_TRANSIT_baggage", &[0xc3, 0x28]),
        ("RPC_TRANSIT_service.name", &[b'a', 0xff, b'b']),
    ];
    let record = served(&world, Trust::Trusted, keys).await;
    assert_eq!(record.parent_span_id, None);
    // What the header says beside the keys is text.
    let peer = attribute(&record, "obs.rpc.peer.service");
    assert_eq!(peer.as_deref(), Some("kitex.caller"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_writes_what_kitex_reads() {
    let resource = ResourceBuilder::empty()
        .with_service_name("customer")
        .with_attribute("service.namespace", "shops")
        .with_attribute("deployment.environment", "test");
    let capture = Capture::builder()
        .with(|builder| builder.with_resource(resource.build()))
        .build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let layer = ThriftClientLayer::new(capture.telemetry());
    let client = ShopClientBuilder::new("shop.volo")
        .address(address)
        .rpc_timeout(Some(PATIENCE))
        .make_codec(layer.codec(DefaultMakeCodec::default()))
        .layer_inner(layer)
        .build();
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut message = [0; 4096];
        let read = stream.read(&mut message).await.expect("a request");
        keys(&message[..read])
    };
    let asking = async {
        let mut info = metainfo::MetaInfo::new();
        // What is the application's own stays, and what is left of another trace does not go out.
        metainfo::Forward::set_persistent(&mut info, "tenant", "blue");
        metainfo::Forward::set_transient(&mut info, "tracestate", "left=behind");
        let call = client.buy(order("book"));
        metainfo::METAINFO
            .scope(info.into(), call)
            .await
            .err()
            .expect("no answer");
    };
    let (mut written, ()) = tokio::join!(server, asking);
    written.sort();
    let record = capture.record();
    let flags = record.trace_flags.to_u8();
    let parent = format!("00-{}-{}-{flags:02x}", record.trace_id, record.span_id);
    let expect = [
        ("RPC_PERSIST_tenant", "blue"),
        ("RPC_TRANSIT_deployment.environment", "test"),
        ("RPC_TRANSIT_service.name", "customer"),
        ("RPC_TRANSIT_service.namespace", "shops"),
        ("RPC_TRANSIT_traceparent", &*parent),
        ("isn", "Shop"),
    ];
    let expect = expect.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(written, expect);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calls_at_a_time_in_one_handler_each_carry_their_own_parent() {
    let world = World::new();
    let address = world.serve().await;
    // It is its own supplier.
    let set = world.shopkeeper.supplier.set(world.client(address));
    assert!(set.is_ok(), "one supplier");
    let client = world.client(address);
    client.buy(order("resell")).await.expect("answered");
    world.settled(3, 3, 3);
    let records = world.capture.records();
    let root = records
        .iter()
        .find(|record| record.parent_span_id.is_none());
    let root = root.expect("the first call");
    assert!(
        records
            .iter()
            .all(|record| record.trace_id == root.trace_id)
    );
    let hex = |id: Option<_>| id.map(|id: SpanId| id.to_string());
    let of = |kind: &str| -> Vec<_> {
        records
            .iter()
            .filter(|record| record.descriptor == kind)
            .collect()
    };
    let mut parents: Vec<_> = of("rpc.server")
        .iter()
        .map(|it| hex(it.parent_span_id))
        .collect();
    let mut attempts: Vec<_> = of("rpc.client")
        .iter()
        .map(|it| hex(Some(it.span_id)))
        .collect();
    parents.sort();
    attempts.sort();
    assert_eq!(parents, attempts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_handler_spawns_stays_in_the_trace_without_metainfo() {
    let world = World::new();
    let address = world.serve().await;
    let set = world.shopkeeper.supplier.set(world.client(address));
    assert!(set.is_ok(), "one supplier");
    world
        .client(address)
        .buy(order("delegate"))
        .await
        .expect("answered");
    world.settled(2, 2, 2);
    let records = world.capture.records();
    assert_eq!(records.len(), 6);
    assert!(
        records
            .iter()
            .all(|record| record.trace_id == records[0].trace_id)
    );
    let roots = records
        .iter()
        .filter(|record| record.parent_span_id.is_none());
    assert_eq!(roots.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_told_not_to_writes_nothing() {
    let capture = Capture::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let layer = ThriftClientLayer::new(capture.telemetry()).with_injection(false);
    let client = ShopClientBuilder::new("shop.volo")
        .address(address)
        .rpc_timeout(Some(PATIENCE))
        .layer_inner(layer)
        .build();
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut message = [0; 4096];
        let read = stream.read(&mut message).await.expect("a request");
        keys(&message[..read])
    };
    let (written, told) = tokio::join!(server, client.buy(order("book")));
    told.err().expect("no answer");
    assert_eq!(written, [("isn".to_owned(), "Shop".to_owned())]);
}
