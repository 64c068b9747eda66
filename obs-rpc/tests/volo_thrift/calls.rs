//! What calls look like that go as they should.

mod left_out;

use crate::generated::shop::shop::ShopBuyArgsSend;
use crate::support::{
    LARGEST, PATIENCE, ShopClient, ShopClientBuilder, ShopRequestSend, ShopServer, World, codec,
    listen, order, padded,
};
use obs_rpc::obs_core::StatsLevel;
use obs_rpc::volo_thrift::ThriftClientLayer;
use obs_testing::{AttrValue, CapturedRecord};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use volo::layer::Layer;
use volo::service::Service;
use volo_thrift::ClientError;
use volo_thrift::context::ClientContext;
use volo_thrift::server::{Router, Server};

fn of<'r>(records: &'r [CapturedRecord], kind: &str) -> Vec<&'r CapturedRecord> {
    let mut found: Vec<_> = records
        .iter()
        .filter(|record| record.descriptor == kind)
        .collect();
    found.sort_by_key(|record| record.start_ns);
    found
}

fn attribute<'r>(record: &'r CapturedRecord, key: &str) -> Option<&'r AttrValue> {
    let found = record.attributes.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value)
}

fn text(text: &str) -> Option<AttrValue> {
    Some(AttrValue::Str(text.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_a_call_an_attempt_and_a_server_each_the_child_of_the_other() {
    let world = World::new();
    let address = world.serve().await;
    let client = world.client(address);
    client.buy(order("book")).await.expect("answered");
    world.settled(1, 1, 1);
    let records = world.capture.records();
    let [call] = of(&records, "rpc.call")[..] else {
        panic!("one call")
    };
    let [attempt] = of(&records, "rpc.client")[..] else {
        panic!("one attempt")
    };
    let [served] = of(&records, "rpc.server")[..] else {
        panic!("one answer")
    };
    assert_eq!(call.parent_span_id, None);
    assert_eq!(attempt.parent_span_id, Some(call.span_id));
    assert_eq!(served.parent_span_id, Some(attempt.span_id));
    assert!(served.parent_is_remote && !attempt.parent_is_remote);
    for record in [call, attempt, served] {
        assert_eq!(record.name, "Shop/Buy");
        assert_eq!(
            attribute(record, "rpc.system.name").cloned(),
            text("thrift")
        );
        assert!(record.events.is_empty(), "Base has no events");
    }
    let port = Some(AttrValue::Int(i64::from(address.port())));
    assert_eq!(
        attribute(attempt, "server.address").cloned(),
        text("127.0.0.1")
    );
    assert_eq!(attribute(attempt, "server.port").cloned(), port);
    assert_eq!(
        attribute(attempt, "obs.rpc.peer.service").cloned(),
        text("shop.volo")
    );
    assert_eq!(
        attribute(served, "obs.rpc.peer.service").cloned(),
        text("customer.volo")
    );
    // What one writes, the other reads.
    for key in ["obs.rpc.request.size", "obs.rpc.response.size"] {
        let size = attribute(attempt, key);
        assert!(matches!(size, Some(AttrValue::Int(1..))), "{key}: {size:?}");
        assert_eq!(size, attribute(served, key), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detailed_call_has_all_moments_in_their_order() {
    let world = World::at(StatsLevel::Detailed);
    let address = world.serve().await;
    let client = world.client(address);
    client.buy(padded(1_000_000)).await.expect("answered");
    world.settled(1, 1, 1);
    let records = world.capture.records();
    let moments = |kind: &str| -> Vec<String> {
        let record = of(&records, kind)[0];
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
            "wait_read_finish",
            "read_start",
            "read_finish",
            "decode_start",
            "decode_finish",
        ]
    );
    assert_eq!(
        moments("rpc.server"),
        [
            "read_start",
            "read_finish",
            "decode_start",
            "decode_finish",
            "server_handle_start",
            "server_handle_finish",
            "encode_start",
            "encode_finish",
            "write_start",
            "write_finish",
        ]
    );
    // Five parts of the one, and six of the other.
    assert_eq!(world.capture.count("obs.rpc.stage.duration"), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_says_how_far_it_came() {
    let world = World::at(StatsLevel::Detailed);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let client = world.client_with(address, i32::MAX, Some(Duration::from_millis(100)));
    // More than the kernel holds, to somebody who reads nothing.
    client.buy(padded(64 << 20)).await.err().expect("late");
    world.settled(1, 1, 0);
    let records = world.capture.records();
    let attempt = of(&records, "rpc.client")[0];
    let moments: Vec<_> = attempt.events.iter().map(|event| &*event.name).collect();
    let expect = [
        "client_conn_start",
        "client_conn_finish",
        "encode_start",
        "encode_finish",
        "write_start",
    ];
    assert_eq!(moments, expect);
    let size = attribute(attempt, "obs.rpc.request.size");
    let part = 1..64 << 20;
    assert!(
        matches!(size, Some(AttrValue::Int(size)) if part.contains(size)),
        "{size:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_breaks_off_was_not_decoded() {
    let world = World::at(StatsLevel::Detailed);
    let address = world.serve().await;
    let request = crate::wire::request("Buy", "book", &[]);
    let mut stream = TcpStream::connect(address).await.expect("a server");
    stream.write_all(&request[..30]).await.expect("said");
    stream.shutdown().await.expect("closed");
    world.settled(0, 0, 1);
    let record = world.capture.record();
    let moments: Vec<_> = record.events.iter().map(|event| &*event.name).collect();
    assert_eq!(moments, ["read_start"]);
    let size = attribute(&record, "obs.rpc.request.size");
    assert_eq!(size, Some(&AttrValue::Int(30)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_begins_with_the_first_byte() {
    let world = World::new();
    let address = world.serve().await;
    let request = crate::wire::request("Buy", "book", &[]);
    let mut stream = TcpStream::connect(address).await.expect("a server");
    let pause = Duration::from_millis(60);
    let (first, rest) = request.split_at(20);
    // What is before it is none of its time; a pause within it is.
    let before = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    stream.write_all(first).await.expect("said");
    tokio::time::sleep(pause).await;
    stream.write_all(rest).await.expect("said");
    stream.read_u8().await.expect("an answer");
    world.settled(0, 0, 1);
    let record = world.capture.record();
    assert!(record.duration >= pause * 9 / 10, "{:?}", record.duration);
    // One clock is read by the other, to the microsecond or so.
    let since = u128::from(record.start_ns) + 1_000_000;
    assert!(since >= before.as_nanos(), "{since} {before:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_in_one_piece_are_each_one() {
    let world = World::new();
    let address = world.serve().await;
    let mut requests = crate::wire::request("Buy", "book", &[]);
    requests.extend(crate::wire::request("Tell", "book", &[]));
    requests.extend(crate::wire::request("Buy", "business", &[]));
    let mut stream = TcpStream::connect(address).await.expect("a server");
    stream.write_all(&requests).await.expect("said");
    stream.shutdown().await.expect("closed");
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.expect("answers");
    world.settled(0, 0, 3);
    let records = world.capture.records();
    let names: Vec<_> = of(&records, "rpc.server")
        .iter()
        .map(|it| &*it.name)
        .collect();
    assert_eq!(names, ["Shop/Buy", "Shop/Tell", "Shop/Buy"]);
    let status = attribute(of(&records, "rpc.server")[2], "obs.rpc.biz.status");
    assert_eq!(status, Some(&AttrValue::Int(418)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_call_reuses_the_connection_and_says_so() {
    let world = World::new();
    let client = world.client(world.serve().await);
    for what in ["one", "other"] {
        client.buy(order(what)).await.expect("answered");
    }
    world.settled(2, 2, 2);
    let records = world.capture.records();
    let reused: Vec<_> = of(&records, "rpc.client")
        .iter()
        .map(|it| attribute(it, "obs.rpc.connection.reused").cloned())
        .collect();
    assert_eq!(
        reused,
        [Some(AttrValue::Bool(false)), Some(AttrValue::Bool(true))]
    );
}

/// Asks for a method that the service does not have.
async fn steal(client: &ShopClient) {
    let mut cx = client.0.make_cx("Steal", false);
    let order = ShopRequestSend::Buy(ShopBuyArgsSend {
        order: order("book"),
    });
    let told = client.0.call(&mut cx, order).await;
    assert!(told.is_err(), "there is no such method");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_is_not_there_has_no_name_of_its_own() {
    let world = World::new();
    let client = world.client(world.serve().await);
    steal(&client).await;
    client.buy(order("book")).await.expect("answered");
    world.settled(2, 2, 2);
    let records = world.capture.records();
    let [stolen, bought] = of(&records, "rpc.server")[..] else {
        panic!("two calls")
    };
    assert_eq!(attribute(stolen, "rpc.method").cloned(), text("_OTHER"));
    assert_eq!(
        attribute(stolen, "rpc.method_original").cloned(),
        text("Shop/Steal")
    );
    assert_eq!(
        attribute(stolen, "obs.rpc.exception.kind"),
        Some(&AttrValue::Int(1))
    );
    assert_eq!(attribute(bought, "rpc.method").cloned(), text("Shop/Buy"));
    assert_eq!(attribute(bought, "rpc.method_original"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_routers_methods_have_the_names_of_its_services() {
    let world = World::new();
    let (address, incoming) = listen().await;
    let layer = world.server_layer();
    let shop = ShopServer::from_handler(world.shopkeeper.clone());
    let server = Server::with_router(Router::new().with_default_service(shop))
        .make_codec(layer.codec(codec(LARGEST)))
        .layer_front(layer);
    tokio::spawn(async move { server.run(incoming).await.expect("served") });
    let client = world.client(address);
    client.buy(order("book")).await.expect("answered");
    steal(&client).await;
    world.settled(2, 2, 2);
    let records = world.capture.records();
    let names: Vec<_> = of(&records, "rpc.server")
        .iter()
        .map(|it| attribute(it, "rpc.method").cloned())
        .collect();
    assert_eq!(names, [text("Shop/Buy"), text("_OTHER")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_methods_are_configured_others_have_no_name_though_answered() {
    let world = World::new();
    let layer = world.server_layer().with_methods(["Shop/Buy"]);
    let client = world.client(world.serve_with(layer, LARGEST).await);
    client.tell(order("gossip")).await.expect("said");
    client.buy(order("book")).await.expect("answered");
    world.settled(2, 2, 2);
    let records = world.capture.records();
    let mut names: Vec<_> = of(&records, "rpc.server")
        .iter()
        .map(|it| attribute(it, "rpc.method").cloned())
        .collect();
    names.sort_by_key(|name| format!("{name:?}"));
    assert_eq!(names, [text("Shop/Buy"), text("_OTHER")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn business_errors_are_the_servers_own_where_that_is_asked_for() {
    let world = World::new();
    let layer = world.server_layer().with_biz_errors(true);
    let client = world.client(world.serve_with(layer, LARGEST).await);
    client.buy(order("business")).await.err().expect("as asked");
    world.settled(1, 1, 1);
    let records = world.capture.records();
    let served = of(&records, "rpc.server")[0];
    assert_eq!(attribute(served, "error.type").cloned(), text("biz_error"));
}

/// A telemetry of a service that speaks both.
#[cfg(feature = "tonic")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_layers_of_grpc_no_metric_is_two_and_no_call_is_an_attempt_of_theirs() {
    use obs_rpc::{RpcClientLayer, StatusKey};
    use tonic::body::Body;
    use tower::{Layer, ServiceExt, service_fn};

    let world = World::new();
    let telemetry = world.capture.telemetry();
    let key = StatusKey::StatusCode;
    let around = RpcClientLayer::calls(telemetry).with_status_key(key);
    let address = world.serve().await;
    let here = around.kind();
    let there = ShopClientBuilder::new("shop.volo")
        .address(address)
        .rpc_timeout(Some(PATIENCE))
        .layer_inner(ThriftClientLayer::new(telemetry))
        .build();
    // Thrift within a call of gRPC's, for a token say, that has no attempts of its own.
    let grpc = around.layer(service_fn(move |_: http::Request<Body>| {
        let there = there.clone();
        async move {
            there.buy(order("book")).await.expect("answered");
            let status = tonic::Status::not_found("so it is");
            Ok::<_, std::convert::Infallible>(status.into_http::<Body>())
        }
    }));
    let request = http::Request::post("/a.Shop/Buy").body(Body::empty());
    drop(grpc.oneshot(request.expect("a request")).await);
    let records = world.capture.records();
    let calls = of(&records, "rpc.call");
    let grpc = calls.iter().find(|call| call.name == "a.Shop/Buy");
    let attempts = attribute(grpc.expect("a call"), "obs.rpc.call.attempts");
    assert_eq!(attempts, None);
    let kinds = telemetry.kinds();
    let names: Vec<_> = kinds.iter().map(|it| it.descriptor().name).collect();
    let mut one_each = names.clone();
    one_each.sort_unstable();
    one_each.dedup();
    assert_eq!(one_each.len(), names.len(), "{names:?}");
    assert!(kinds.iter().any(|kind| std::ptr::eq(*kind, here)));
}

/// A layer between that fetches a token first, with an observed client of its own.
#[derive(Clone)]
struct WithToken<S> {
    inner: S,
    tokens: ShopClient,
}

impl<S, Req> Service<ClientContext, Req> for WithToken<S>
where
    S: Service<ClientContext, Req, Error = ClientError> + Send + Sync,
    Req: Send,
{
    type Response = S::Response;
    type Error = ClientError;

    async fn call(&self, cx: &mut ClientContext, req: Req) -> Result<S::Response, ClientError> {
        self.tokens.buy(order("token")).await?;
        self.inner.call(cx, req).await
    }
}

struct Fetches(ShopClient);

impl<S> Layer<S> for Fetches {
    type Service = WithToken<S>;

    fn layer(self, inner: S) -> WithToken<S> {
        let Self(tokens) = self;
        WithToken { inner, tokens }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_else_is_called_on_the_way_is_no_attempt() {
    let world = World::new();
    let address = world.serve().await;
    let telemetry = world.capture.telemetry();
    let tokens = ShopClientBuilder::new("tokens.volo")
        .address(address)
        .layer_inner(ThriftClientLayer::new(telemetry))
        .build();
    let client = ShopClientBuilder::new("shop.volo")
        .address(address)
        .layer_inner(ThriftClientLayer::new(telemetry))
        .layer_outer_front(Fetches(tokens))
        .layer_outer_front(ThriftClientLayer::calls(telemetry))
        .build();
    client.buy(order("book")).await.expect("answered");
    world.settled(1, 2, 2);
    let records = world.capture.records();
    let told = attribute(of(&records, "rpc.call")[0], "obs.rpc.call.attempts");
    assert_eq!(told, Some(&AttrValue::Int(1)));
    for attempt in of(&records, "rpc.client") {
        assert_eq!(attribute(attempt, "obs.rpc.attempt"), None);
    }
}
