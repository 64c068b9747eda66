//! A shop, and those who ask it.

pub use crate::generated::shop::shop::{
    Order, Receipt, Shop, ShopBuyException, ShopClient, ShopClientBuilder, ShopRequestSend,
    ShopServer, SoldOut,
};
use obs_core::{StatsLevel, current};
use obs_rpc::obs_core;
use obs_rpc::volo_thrift::{ThriftClientLayer, ThriftServerLayer};
use obs_testing::{Capture, eventually};
use pilota::Bytes;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use volo::FastStr;
use volo::net::incoming::DefaultIncoming;
use volo_thrift::codec::default::DefaultMakeCodec;
use volo_thrift::codec::default::framed::MakeFramedCodec;
use volo_thrift::codec::default::thrift::MakeThriftCodec;
use volo_thrift::codec::default::ttheader::MakeTTHeaderCodec;
use volo_thrift::error::{ApplicationException, ApplicationExceptionKind, BizError};
use volo_thrift::{MaybeException, ServerError};

pub type VoloCodec = DefaultMakeCodec<MakeTTHeaderCodec<MakeFramedCodec<MakeThriftCodec>>>;

/// Volo's codec, with a limit to the size of a message.
pub fn codec(largest: i32) -> VoloCodec {
    let framed = MakeFramedCodec::new(MakeThriftCodec::default()).with_max_frame_size(largest);
    DefaultMakeCodec::new(MakeTTHeaderCodec::new(framed))
}

pub const LARGEST: i32 = 16 << 20;

/// How long anything may take that happens.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// It answers as an order says.
#[derive(Clone)]
pub struct Shopkeeper {
    /// An order to wait takes one.
    pub keys: Arc<Semaphore>,
    /// And says so.
    pub asked: Arc<Semaphore>,
    /// Where it gets what it resells.
    pub supplier: Arc<OnceLock<ShopClient>>,
}

impl Default for Shopkeeper {
    fn default() -> Self {
        Self {
            keys: Arc::new(Semaphore::new(0)),
            asked: Arc::new(Semaphore::new(0)),
            supplier: Arc::default(),
        }
    }
}

impl Shop for Shopkeeper {
    async fn buy(
        &self,
        order: Order,
    ) -> Result<MaybeException<Receipt, ShopBuyException>, ServerError> {
        let what = order.what;
        let mut padding = None;
        match &*what {
            "application" => {
                let kind = ApplicationExceptionKind::INTERNAL_ERROR;
                return Err(ApplicationException::new(kind, "out of paper").into());
            }
            "business" => return Err(BizError::new(418, "a teapot".into()).into()),
            "sold out" => {
                let why = ShopBuyException::SoldOut(SoldOut { what });
                return Ok(MaybeException::Exception(why));
            }
            "panic" => panic!("as asked"),
            "wait" => {
                self.asked.add_permits(1);
                self.keys.acquire().await.expect("open").forget();
            }
            "resell" => {
                let supplier = self.supplier.get().expect("a supplier");
                // At a time, in one task.
                let (one, other) = tokio::join!(
                    supplier.buy(self::order("one half")),
                    supplier.buy(self::order("other half"))
                );
                one.and(other)?;
            }
            "delegate" => {
                let supplier = self.supplier.get().expect("a supplier").clone();
                let asking = async move { supplier.buy(self::order("book")).await };
                let asked = tokio::spawn(current::wrap(asking)).await;
                asked.expect("no panic")?;
            }
            "large" => padding = Some(Bytes::from(vec![0; order.wait_ms as usize])),
            _ => {}
        }
        Ok(MaybeException::Ok(Receipt { what, padding }))
    }

    async fn tell(&self, order: Order) -> Result<(), ServerError> {
        match &*order.what {
            "panic" => panic!("as asked"),
            "business" => Err(BizError::new(418, "a teapot".into()).into()),
            _ => Ok(()),
        }
    }
}

pub fn order(what: &'static str) -> Order {
    Order {
        what: FastStr::from_static_str(what),
        wait_ms: 0,
        padding: None,
    }
}

/// Asks for an answer of this many bytes.
pub fn large(bytes: i32) -> Order {
    Order {
        wait_ms: bytes,
        ..order("large")
    }
}

/// An order of this many bytes.
pub fn padded(bytes: usize) -> Order {
    Order {
        padding: Some(Bytes::from(vec![0; bytes])),
        ..order("book")
    }
}

/// What both sides report to.
pub struct World {
    pub capture: Capture,
    pub shopkeeper: Shopkeeper,
}

impl World {
    pub fn new() -> Self {
        Self::at(StatsLevel::Base)
    }

    pub fn at(level: StatsLevel) -> Self {
        let capture = Capture::builder().with_real_clock().with_level(level);
        Self {
            capture: capture.build(),
            shopkeeper: Shopkeeper::default(),
        }
    }

    pub fn server_layer(&self) -> ThriftServerLayer {
        ThriftServerLayer::new(self.capture.telemetry()).with_service("Shop")
    }

    /// An observed shop.
    pub async fn serve(&self) -> SocketAddr {
        self.serve_with(self.server_layer(), LARGEST).await
    }

    pub async fn serve_with(&self, layer: ThriftServerLayer, largest: i32) -> SocketAddr {
        let (address, incoming) = listen().await;
        let server = ShopServer::new(self.shopkeeper.clone())
            .make_codec(layer.codec(codec(largest)))
            .layer_front(layer);
        tokio::spawn(async move { server.run(incoming).await.expect("served") });
        address
    }

    pub fn client(&self, address: SocketAddr) -> ShopClient {
        self.client_with(address, LARGEST, Some(PATIENCE))
    }

    /// An observed client: each attempt, and the call around them.
    pub fn client_with(
        &self,
        address: SocketAddr,
        largest: i32,
        timeout: Option<Duration>,
    ) -> ShopClient {
        let layer = ThriftClientLayer::new(self.capture.telemetry());
        ShopClientBuilder::new("shop.volo")
            .caller_name("customer.volo")
            .address(address)
            .rpc_timeout(timeout)
            .make_codec(layer.codec(codec(largest)))
            .layer_inner(layer)
            .layer_outer_front(ThriftClientLayer::calls(self.capture.telemetry()))
            .build()
    }

    /// As many calls of each kind have ended, and none runs.
    #[track_caller]
    pub fn settled(&self, calls: u64, attempts: u64, served: u64) {
        self.settles("", calls, attempts, served);
    }

    #[track_caller]
    pub fn settles(&self, after: &str, calls: u64, attempts: u64, served: u64) {
        let seen = || {
            let count = |name: &str| self.capture.count(name);
            (
                count("obs.rpc.call.duration"),
                count("rpc.client.call.duration"),
                count("rpc.server.call.duration"),
                self.capture.in_flight("obs.rpc.client.active_calls"),
                self.capture.in_flight("obs.rpc.server.active_calls"),
            )
        };
        let expect = (calls, attempts, served, 0, 0);
        let settled = tokio::task::block_in_place(|| eventually(PATIENCE, || seen() == expect));
        assert!(
            settled,
            "{after}: {:?} is not {expect:?}\n{}",
            seen(),
            self.capture.tree()
        );
    }
}

pub async fn listen() -> (SocketAddr, DefaultIncoming) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    (address, DefaultIncoming::from(listener))
}
