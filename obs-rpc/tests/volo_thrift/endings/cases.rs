//! What is done for each ending, and what is to be seen of it.

use crate::generated::shop::shop::ShopBuyArgsSend;
use crate::support::{
    LARGEST, PATIENCE, ShopClient, ShopClientBuilder, ShopRequestSend, ShopServer, World, codec,
    large, listen, order, padded,
};
use obs_rpc::volo_thrift::ThriftClientLayer;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use volo::catch_panic;
use volo::context::Endpoint;
use volo::discovery::{Change, Discover};
use volo::loadbalance::LoadBalance;
use volo::loadbalance::error::LoadBalanceError;
use volo::net::Address;
use volo::service::Service;
use volo_thrift::server::panic_handler::LogAndReturnException;

type Run = for<'w> fn(&'w World) -> Pin<Box<dyn Future<Output = ()> + Send + 'w>>;
type Side = &'static [&'static str];

pub struct Case {
    pub name: &'static str,
    pub run: Run,
    /// The calls, their attempts, and what the server saw.
    pub expect: (Side, Side, Side),
}

macro_rules! case {
    ($name:literal, |$world:ident| $run:expr, $calls:expr, $attempts:expr, $served:expr) => {
        Case {
            name: $name,
            run: |$world| Box::pin(async move { $run }),
            expect: (&$calls, &$attempts, &$served),
        }
    };
}

const OK: &str = "answered";
const BUSINESS: &str = "failed, `biz_error`";
const APPLICATION: &str = "failed, `application_error`";
const TRANSPORT: &str = "failed, `transport_error`";
const ENCODE: &str = "failed, `encode_error`";
const DECODE: &str = "failed, `decode_error`";
const LATE: &str = "timed out, `timeout`, deadline";
const LOCAL: &str = "cancelled, `cancelled`, local";
const CASCADED: &str = "cancelled, `cancelled`, cascaded";
const PANIC: &str = "panicked, `panic`";

pub const CASES: &[Case] = &[
    case!(
        "answered",
        |world| buys(world, "book", true).await,
        [OK],
        [OK],
        [OK]
    ),
    case!(
        "an exception that the IDL declares",
        |world| buys(world, "sold out", true).await,
        [OK],
        [OK],
        [OK]
    ),
    case!(
        "a business error",
        |world| buys(world, "business", false).await,
        [BUSINESS],
        [BUSINESS],
        [OK]
    ),
    case!(
        "an application exception",
        |world| buys(world, "application", false).await,
        [APPLICATION],
        [APPLICATION],
        [APPLICATION]
    ),
    case!(
        "a method that is not there",
        |world| steals(world).await,
        [APPLICATION],
        [APPLICATION],
        [APPLICATION]
    ),
    case!(
        "a one-way call",
        |world| tells(world, "gossip").await,
        [OK],
        [OK],
        [OK]
    ),
    case!(
        "a one-way call that panics",
        |world| tells(world, "panic").await,
        [OK],
        [OK],
        [PANIC]
    ),
    case!(
        "a request that is too large to write",
        |world| writes_too_much(world).await,
        [ENCODE],
        [ENCODE],
        []
    ),
    case!(
        "a request that is too large to read",
        |world| reads_too_much(world).await,
        [APPLICATION],
        [APPLICATION],
        [DECODE]
    ),
    case!(
        "an answer that is too large to write",
        |world| answers_too_much(world).await,
        [TRANSPORT],
        [TRANSPORT],
        [ENCODE]
    ),
    case!(
        "an answer that is too large to read",
        |world| is_told_too_much(world).await,
        [DECODE],
        [DECODE],
        [OK]
    ),
    case!(
        "Volo's timeout",
        |world| is_late(world).await,
        [LATE],
        [LATE],
        [OK]
    ),
    case!(
        "Volo's timeout, while the request is written",
        |world| is_not_read(world).await,
        [LATE],
        [LATE],
        []
    ),
    case!(
        "Volo's timeout, at a second address",
        |world| is_late_again(world).await,
        [LATE],
        [TRANSPORT, LATE],
        [OK]
    ),
    case!(
        "the caller drops the call",
        |world| gives_up(world).await,
        [LOCAL],
        [CASCADED],
        [OK]
    ),
    case!(
        "the server is shut down meanwhile",
        |world| is_shut_down(world).await,
        [TRANSPORT],
        [TRANSPORT],
        [LOCAL]
    ),
    case!(
        "the server is shut down within the request",
        |world| is_shut_down_early(world).await,
        [],
        [],
        [LOCAL]
    ),
    case!(
        "the handler panics",
        |world| buys(world, "panic", false).await,
        [TRANSPORT],
        [TRANSPORT],
        [PANIC]
    ),
    case!(
        "the handler panics inside of Volo's `catch_panic`",
        |world| is_caught(world).await,
        [APPLICATION],
        [APPLICATION],
        [PANIC]
    ),
    case!(
        "nobody listens",
        |world| finds_nobody(world).await,
        [TRANSPORT],
        [TRANSPORT],
        []
    ),
    case!(
        "no address is known",
        |world| knows_nobody(world).await,
        [TRANSPORT],
        [],
        []
    ),
    case!(
        "Volo tries a second address",
        |world| tries_again(world).await,
        [OK],
        [TRANSPORT, OK],
        [OK]
    ),
    case!(
        "the server closes before it answers",
        |world| is_hung_up_on(world, &[]).await,
        [TRANSPORT],
        [TRANSPORT],
        []
    ),
    case!(
        "the server closes within its answer",
        |world| is_hung_up_on(world, HALF).await,
        [TRANSPORT],
        [TRANSPORT],
        []
    ),
    case!(
        "the server answers nonsense",
        |world| is_hung_up_on(world, NONSENSE).await,
        [DECODE],
        [DECODE],
        []
    ),
    case!(
        "the client closes within its request",
        |world| hangs_up(world, HALF).await,
        [],
        [],
        [TRANSPORT]
    ),
    case!(
        "the client closes within the first bytes",
        |world| hangs_up(world, &HALF[..3]).await,
        [],
        [],
        [TRANSPORT]
    ),
    case!(
        "the client sends nonsense",
        |world| hangs_up(world, NONSENSE).await,
        [],
        [],
        [DECODE]
    ),
    case!(
        "the client closes before it is answered",
        |world| does_not_wait(world).await,
        [],
        [],
        [TRANSPORT]
    ),
    case!(
        "the client connects and says nothing",
        |world| hangs_up(world, &[]).await,
        [],
        [],
        []
    ),
];

/// The beginning of a frame of TTHeader that promises 32 bytes.
const HALF: &[u8] = &[0, 0, 0, 32, 0x10, 0, 0, 0, 0, 0, 0, 1];
const NONSENSE: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

async fn buys(world: &World, what: &'static str, answered: bool) {
    let address = world.serve().await;
    let result = world.client(address).buy(order(what)).await;
    assert_eq!(result.is_ok(), answered, "{:?}", result.err());
}

async fn steals(world: &World) {
    let address = world.serve().await;
    let client = world.client(address);
    let mut cx = client.0.make_cx("Steal", false);
    let order = ShopRequestSend::Buy(ShopBuyArgsSend {
        order: order("book"),
    });
    let result = client.0.call(&mut cx, order).await;
    assert!(result.is_err(), "there is no such method");
}

async fn tells(world: &World, what: &'static str) {
    let address = world.serve().await;
    let told = world.client(address).tell(order(what)).await;
    told.expect("nobody answers");
}

async fn writes_too_much(world: &World) {
    let address = world.serve().await;
    let client = world.client_with(address, 1000, Some(PATIENCE));
    client.buy(padded(2000)).await.err().expect("too large");
}

async fn reads_too_much(world: &World) {
    let address = world.serve_with(world.server_layer(), 1000).await;
    let told = world.client(address).buy(padded(2000)).await;
    told.err().expect("too large");
}

async fn answers_too_much(world: &World) {
    let address = world.serve_with(world.server_layer(), 1000).await;
    let told = world.client(address).buy(large(2000)).await;
    told.err().expect("too large");
}

async fn is_told_too_much(world: &World) {
    let address = world.serve().await;
    let client = world.client_with(address, 1000, Some(PATIENCE));
    client.buy(large(2000)).await.err().expect("too large");
}

async fn is_late(world: &World) {
    let address = world.serve().await;
    let client = world.client_with(address, LARGEST, Some(SOON));
    client.buy(order("wait")).await.err().expect("late");
    // Volo looks after the connection when the handler is done.
    world.shopkeeper.keys.add_permits(1);
}

const SOON: Duration = Duration::from_millis(100);

async fn is_not_read(world: &World) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let client = world.client_with(address, i32::MAX, Some(SOON));
    // More than the kernel holds.
    let told = client.buy(padded(64 << 20)).await;
    told.err().expect("late");
}

async fn is_late_again(world: &World) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let first = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        tokio::time::sleep(SOON / 3).await;
        drop(stream);
    });
    let second = world.serve().await;
    let client = choosing(world, vec![first, second], SOON);
    client.buy(order("wait")).await.err().expect("late");
    world.shopkeeper.keys.add_permits(1);
}

async fn gives_up(world: &World) {
    let address = world.serve().await;
    let client = world.client(address);
    tokio::select! {
        answer = client.buy(order("wait")) => panic!("{:?}", answer.err()),
        asked = world.shopkeeper.asked.acquire() => asked.expect("open").forget(),
    }
    world.shopkeeper.keys.add_permits(1);
}

/// A shop in a runtime of its own.
async fn apart(world: &World) -> (Runtime, SocketAddr) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (address, incoming) = runtime.spawn(listen()).await.expect("listening");
    let layer = world.server_layer();
    let server = ShopServer::new(world.shopkeeper.clone())
        .make_codec(layer.codec(codec(LARGEST)))
        .layer_front(layer);
    runtime.spawn(async move { server.run(incoming).await.expect("served") });
    (runtime, address)
}

async fn is_shut_down(world: &World) {
    let (runtime, address) = apart(world).await;
    let client = world.client(address);
    let shut_down = async {
        let asked = world.shopkeeper.asked.acquire().await;
        asked.expect("open").forget();
        runtime.shutdown_background();
    };
    let (told, ()) = tokio::join!(client.buy(order("wait")), shut_down);
    told.err().expect("nobody answers");
}

/// Nobody says that half of a request was read: until it was, servers come and go.
async fn is_shut_down_early(world: &World) {
    let mut pause = Duration::from_millis(1);
    let served = || world.capture.count("rpc.server.call.duration");
    while tokio::task::block_in_place(served) == 0 && pause < PATIENCE / 4 {
        let (runtime, address) = apart(world).await;
        let mut stream = TcpStream::connect(address).await.expect("a server");
        stream.write_all(HALF).await.expect("said");
        tokio::time::sleep(pause).await;
        runtime.shutdown_background();
        // Until the server's half is gone.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        pause *= 2;
    }
}

async fn is_caught(world: &World) {
    let (address, incoming) = listen().await;
    let layer = world.server_layer();
    let server = ShopServer::new(world.shopkeeper.clone())
        .make_codec(layer.codec(codec(LARGEST)))
        .layer_front(layer)
        .layer_front(catch_panic::Layer::new(LogAndReturnException));
    tokio::spawn(async move { server.run(incoming).await.expect("served") });
    let told = world.client(address).buy(order("panic")).await;
    told.err().expect("it panicked");
}

async fn unused() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    listener.local_addr().expect("bound")
}

async fn finds_nobody(world: &World) {
    let client = world.client(unused().await);
    client
        .buy(order("book"))
        .await
        .err()
        .expect("nobody listens");
}

/// Tries addresses as they stand.
#[derive(Clone)]
struct InOrder(Vec<SocketAddr>);

impl<D: Discover> LoadBalance<D> for InOrder {
    type InstanceIter = std::vec::IntoIter<Address>;

    async fn get_picker(
        &self,
        _: &Endpoint,
        _: &D,
    ) -> Result<Self::InstanceIter, LoadBalanceError> {
        let addresses: Vec<_> = self.0.iter().copied().map(Address::from).collect();
        Ok(addresses.into_iter())
    }

    fn rebalance(&self, _: Change<D::Key>) {}
}

/// A client that tries one address after the other.
fn choosing(world: &World, among: Vec<SocketAddr>, timeout: Duration) -> ShopClient {
    let layer = ThriftClientLayer::new(world.capture.telemetry());
    ShopClientBuilder::new("shop.volo")
        .rpc_timeout(Some(timeout))
        .retry_count(among.len())
        .load_balance(InOrder(among))
        .make_codec(layer.codec(codec(LARGEST)))
        .layer_inner(layer)
        .layer_outer_front(ThriftClientLayer::calls(world.capture.telemetry()))
        .build()
}

async fn knows_nobody(world: &World) {
    let told = choosing(world, Vec::new(), PATIENCE)
        .buy(order("book"))
        .await;
    told.err().expect("nobody is known");
}

async fn tries_again(world: &World) {
    let address = world.serve().await;
    let client = choosing(world, vec![unused().await, address], PATIENCE);
    client.buy(order("book")).await.expect("answered");
}

/// A server that takes a request, says this much, and closes.
async fn is_hung_up_on(world: &World, says: &'static [u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut room = [0; 4096];
        let read = stream.read(&mut room).await.expect("a request");
        assert!(read > 0);
        stream.write_all(says).await.expect("said");
        stream.shutdown().await.expect("closed");
        // Until the client has closed, too.
        while stream.read(&mut room).await.is_ok_and(|read| read > 0) {}
    });
    let told = world.client(address).buy(order("book")).await;
    told.err().expect("no answer");
    server.await.expect("served");
}

/// A client that says this much, and closes.
async fn hangs_up(world: &World, says: &'static [u8]) {
    let address = world.serve().await;
    let mut stream = TcpStream::connect(address).await.expect("a server");
    stream.write_all(says).await.expect("said");
    stream.shutdown().await.expect("closed");
    // Until the server has closed, too.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

/// A client that is gone, with a reset, before its answer is there.
async fn does_not_wait(world: &World) {
    let address = world.serve().await;
    let mut stream = TcpStream::connect(address).await.expect("a server");
    stream
        .write_all(&crate::wire::request("Buy", "wait", &[]))
        .await
        .expect("said");
    world
        .shopkeeper
        .asked
        .acquire()
        .await
        .expect("open")
        .forget();
    stream.set_zero_linger().expect("a socket");
    drop(stream);
    world.shopkeeper.keys.add_permits(1);
}
