//! Our layers around tonic's client and server, over what tonic costs without them: a whole call through HTTP/2 and a pipe in
//! memory, on one thread, with what a header more costs HTTP/2. Each side alone, and both; and each layer without a wire, as the
//! layers for HTTP are priced.

use std::{
    future::Future,
    pin::pin,
    rc::Rc,
    task::{Context, Waker},
};

use http::Uri;
use obs_core::{StatsLevel, Telemetry};
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use tokio::runtime::Runtime;
use tonic::{
    body::Body,
    client::GrpcService,
    codegen::StdError,
    transport::{Channel, Server},
};
use tower_layer::Layer;

use super::flat::{BURST, Expect, Flat};
use super::http::{Kept, builder};
use super::sdk::same;
use crate::harness::{pair::Pair, scaling::Scaling};
use echo::{Client, Models};
pub(crate) use list::ALL;

mod echo;
mod list;
pub(crate) mod peers;
mod wire;

const CLIENT: &str = "rpc.client.call.duration";
const SERVER: &str = "rpc.server.call.duration";

/// Which ends of the pipe have a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Client,
    Server,
    Both,
}

impl Ends {
    const fn client(self) -> bool {
        matches!(self, Self::Client | Self::Both)
    }

    const fn server(self) -> bool {
        matches!(self, Self::Server | Self::Both)
    }
}

/// What is called.
#[derive(Clone, Copy, Debug)]
enum Method {
    Unary,
    /// A stream of answers of so many messages.
    Watch(u32),
    /// A stream of requests of so many messages.
    Tell(u32),
}

/// Switched off at run time: calls pass as they are.
pub(crate) fn disabled() -> Pair {
    unary(Ends::Both, StatsLevel::Disabled, Kept::All)
}

/// Base: metrics and a record on each side, dropped at their ends.
pub(crate) fn base() -> Pair {
    unary(Ends::Both, StatsLevel::Base, Kept::None)
}

pub(crate) fn base_client() -> Pair {
    unary(Ends::Client, StatsLevel::Base, Kept::None)
}

pub(crate) fn base_server() -> Pair {
    unary(Ends::Server, StatsLevel::Base, Kept::None)
}

/// Both go on to the collector.
pub(crate) fn base_kept() -> Pair {
    unary(Ends::Both, StatsLevel::Base, Kept::All)
}

/// Detailed: every moment of a call that the layers see, on each side.
pub(crate) fn detailed() -> Pair {
    unary(Ends::Both, StatsLevel::Detailed, Kept::None)
}

pub(crate) fn detailed_client() -> Pair {
    unary(Ends::Client, StatsLevel::Detailed, Kept::None)
}

pub(crate) fn detailed_server() -> Pair {
    unary(Ends::Server, StatsLevel::Detailed, Kept::None)
}

pub(crate) fn detailed_kept() -> Pair {
    unary(Ends::Both, StatsLevel::Detailed, Kept::All)
}

/// As it ships: nothing set but the exporter's stand-in. Kept, our span in the context.
pub(crate) fn default_mode() -> Pair {
    let flat = Flat::build(Telemetry::builder());
    called(&flat, Ends::Both, Method::Unary, Some((2, 2)))
}

/// The layer alone, between tonic's client and its service, without HTTP/2.
pub(crate) fn layer_client() -> Pair {
    layer(Ends::Client, StatsLevel::Base)
}

pub(crate) fn layer_server() -> Pair {
    layer(Ends::Server, StatsLevel::Base)
}

pub(crate) fn layer_client_detailed() -> Pair {
    layer(Ends::Client, StatsLevel::Detailed)
}

pub(crate) fn layer_server_detailed() -> Pair {
    layer(Ends::Server, StatsLevel::Detailed)
}

fn layer(ends: Ends, level: StatsLevel) -> Pair {
    let flat = Flat::build(builder(level, Kept::None));
    let pair = match ends.client() {
        true => {
            let layer = asks(&flat.telemetry);
            Pair::new(
                at_once(Client::new(Models)),
                at_once(Client::new(layer.layer(Models))),
            )
        }
        // What comes from a wire says to whom it goes.
        false => {
            let layer = RpcServerLayer::new(&flat.telemetry);
            Pair::new(
                at_once(Client::to(Models, wire::URL)),
                at_once(Client::to(layer.layer(Models), wire::URL)),
            )
        }
    };
    hold(&flat, pair, ends, (0, 0))
}

/// A message of an answer, a frame of its own, through the client's layer.
pub(crate) fn message_client() -> Pair {
    messages(Ends::Client, StatsLevel::Base, Method::Watch(MESSAGES))
}

/// The same through the server's.
pub(crate) fn message_server() -> Pair {
    messages(Ends::Server, StatsLevel::Base, Method::Watch(MESSAGES))
}

pub(crate) fn message() -> Pair {
    messages(Ends::Both, StatsLevel::Base, Method::Watch(MESSAGES))
}

pub(crate) fn message_detailed() -> Pair {
    messages(Ends::Both, StatsLevel::Detailed, Method::Watch(MESSAGES))
}

/// The same of a request.
pub(crate) fn message_sent() -> Pair {
    messages(Ends::Both, StatsLevel::Base, Method::Tell(MESSAGES))
}

/// Messages of one call.
const MESSAGES: u32 = 500;

fn messages(ends: Ends, level: StatsLevel, method: Method) -> Pair {
    let flat = Flat::build(builder(level, Kept::None));
    called(&flat, ends, method, Some((0, 0)))
        .with_per_call(u64::from(MESSAGES))
        .with_burst(4)
}

fn unary(ends: Ends, level: StatsLevel, kept: Kept) -> Pair {
    let flat = Flat::build(builder(level, kept));
    let sides = u64::from(ends.client()) + u64::from(ends.server());
    let held = match (level, kept) {
        (StatsLevel::Disabled, _) => None,
        (_, Kept::None) => Some((0, 0)),
        // The side that reports the fewest moments is the server.
        (StatsLevel::Detailed, Kept::All) => Some((sides, DETAILED)),
        (_, Kept::All) => Some((sides, 2)),
    };
    called(&flat, ends, Method::Unary, held)
}

/// Start, end, and what a side without a codec's wrapper sees between them.
const DETAILED: usize = 2 + 10;

/// `held`: records of each call, and the moments in each. `None` where nothing is observed.
fn called(flat: &Flat, ends: Ends, method: Method, held: Option<(u64, usize)>) -> Pair {
    let runtime = wire::runtime();
    let bare = calls(&runtime, Client::new(plain(&runtime)), method);
    let served = match ends.server() {
        true => observed(&runtime, &flat.telemetry),
        false => plain(&runtime),
    };
    let pair = match ends.client() {
        true => Pair::new(
            bare,
            calls(
                &runtime,
                Client::new(asks(&flat.telemetry).layer(served)),
                method,
            ),
        ),
        false => Pair::new(bare, calls(&runtime, Client::new(served), method)),
    };
    match held {
        Some(held) => hold(flat, pair, ends, held),
        None => flat.hold(pair, Expect::default()),
    }
}

fn hold(flat: &Flat, pair: Pair, ends: Ends, (records, stamps): (u64, usize)) -> Pair {
    let points = Some(if ends.client() { CLIENT } else { SERVER });
    let expect = Expect {
        points,
        records,
        stamps,
    };
    let held = flat.clone();
    flat.hold(pair, expect)
        // Two records a call, of one thread.
        .with_burst(BURST / 2)
        .with_account(move |calls| {
            if ends.server() {
                same(SERVER, held.points_of(SERVER), calls)?;
            }
            held.account(calls, expect)
        })
}

/// The host has a public name, and is ours: the trace context is written.
fn asks(telemetry: &Telemetry) -> RpcClientLayer {
    RpcClientLayer::new(telemetry)
        .with_server(&Uri::from_static(wire::URL))
        .with_injection(true)
}

/// tonic alone.
fn plain(runtime: &Runtime) -> Channel {
    wire::pipe(runtime, |accepted| {
        Server::builder()
            .add_service(Models)
            .serve_with_incoming(accepted)
    })
}

/// A server with our layer.
fn observed(runtime: &Runtime, telemetry: &Telemetry) -> Channel {
    let layer = RpcServerLayer::new(telemetry);
    wire::pipe(runtime, |accepted| {
        Server::builder()
            .layer(layer)
            .add_service(Models)
            .serve_with_incoming(accepted)
    })
}

fn calls<S>(runtime: &Rc<Runtime>, mut client: Client<S>, method: Method) -> impl FnMut() + 'static
where
    S: GrpcService<Body> + 'static,
    S::Error: Into<StdError>,
    S::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    let runtime = runtime.clone();
    move || {
        runtime.block_on(async {
            match method {
                Method::Unary => {
                    std::hint::black_box(client.get().await);
                }
                Method::Watch(messages) => client.watch(messages).await,
                Method::Tell(messages) => client.tell(messages).await,
            }
        });
    }
}

/// Both layers at Base over a real socket.
pub(crate) fn socket() -> Pair {
    let flat = Flat::build(builder(StatsLevel::Base, Kept::None));
    let runtime = wire::runtime();
    let plain = wire::socket(&runtime, |incoming| {
        Server::builder()
            .add_service(Models)
            .serve_with_incoming(incoming)
    });
    let layer = RpcServerLayer::new(&flat.telemetry);
    let observed = wire::socket(&runtime, |incoming| {
        Server::builder()
            .layer(layer)
            .add_service(Models)
            .serve_with_incoming(incoming)
    });
    let client = Client::new(asks(&flat.telemetry).layer(observed));
    let pair = Pair::new(
        calls(&runtime, Client::new(plain), Method::Unary),
        calls(&runtime, client, Method::Unary),
    );
    hold(&flat, pair, Ends::Both, (0, 0))
}

/// The client's layer right around the server's, without HTTP/2, whose parts take turns with each other.
pub(crate) fn contended() -> Scaling {
    let flat = Flat::build(builder(StatsLevel::Base, Kept::None));
    let (asks, answers) = (asks(&flat.telemetry), RpcServerLayer::new(&flat.telemetry));
    Scaling::new(
        move || at_once(Client::new(asks.layer(answers.layer(Models)))),
        move |calls| {
            flat.settle();
            same(SERVER, flat.points_of(SERVER), calls)?;
            let points = Some(CLIENT);
            flat.account(
                calls,
                Expect {
                    points,
                    ..Expect::default()
                },
            )
        },
    )
    .with_control(|| at_once(Client::new(Models)))
}

fn at_once<S>(mut client: Client<S>) -> Box<dyn FnMut()>
where
    S: GrpcService<Body> + 'static,
    S::Error: Into<StdError>,
    S::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    Box::new(move || {
        let mut context = Context::from_waker(Waker::noop());
        let called = pin!(client.get()).poll(&mut context);
        assert!(called.is_ready(), "nothing waits");
    })
}
