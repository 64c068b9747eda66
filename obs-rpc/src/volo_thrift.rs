//! Layers and codecs for volo-thrift's servers and clients (feature `volo-thrift`).
//!
//! ```no_run
//! use obs_rpc::obs_core::Telemetry;
//! use obs_rpc::volo_thrift::{ThriftClientLayer, ThriftServerLayer};
//! use volo_thrift::codec::default::DefaultMakeCodec;
//! # mod made {
//! #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/volo_thrift/shop.rs"));
//! # }
//! # use made::shop::shop::{Shop, ShopClientBuilder, ShopServer};
//! # use std::net::SocketAddr;
//!
//! # async fn run(telemetry: Telemetry, shopkeeper: impl Shop + Send + Sync + 'static, address: SocketAddr) {
//! // What answers.
//! let layer = ThriftServerLayer::new(&telemetry).with_service("Shop");
//! let server = ShopServer::new(shopkeeper)
//!     .make_codec(layer.codec(DefaultMakeCodec::default()))
//!     .layer_front(layer);
//!
//! // What asks: each attempt of a call, and the call around them.
//! let layer = ThriftClientLayer::new(&telemetry);
//! let client = ShopClientBuilder::new("shop.volo")
//!     .caller_name("customer.volo")
//!     .address(address)
//!     .make_codec(layer.codec(DefaultMakeCodec::default()))
//!     .layer_inner(layer)
//!     .layer_outer_front(ThriftClientLayer::calls(&telemetry))
//!     .build();
//! # let address = volo::net::Address::from(address);
//! # server.run(address).await.unwrap();
//! # }
//! ```
//!
//! The layers alone are enough for calls, their outcomes, durations and sizes, and for the trace context. The codecs wrap
//! Volo's and add the rest: the parts of a call, its beginning at the first byte and its end at the last, and requests that
//! cannot be read, which no layer sees. `make_codec` is a method that Volo hides from its documentation; nothing else here
//! depends on what it calls unstable, but for the sizes of messages where there is no codec of ours.
//!
//! # What each moment is
//!
//! At [Detailed](obs_core::StatsLevel::Detailed), each as an event of the span and in pairs as `obs.rpc.stage.duration`. By
//! stamps of our own, which do not jump; Volo's statistics are of the wall clock.
//!
//! | moment | on the client, per attempt | on the server | where Kitex means something else |
//! |---|---|---|---|
//! | `RpcStart` | the layer is asked: below Volo's load balancing, or around everything ([`calls`](ThriftClientLayer::calls)) | the first byte of the request is there | there the connection can be read, whenever that byte comes |
//! | `ClientConnStart`, `…Finish` | asking the pool, and dialling where it has none; multiplexed also waiting for others who write | – | |
//! | `EncodeStart`, `…Finish` | the message becomes bytes in memory | the same, with the answer or the exception | a part of its `Write` |
//! | `WriteStart`, `…Finish` | from the first byte handed to the socket to the flush: the kernel has all of it | the same | from the encoder's start |
//! | `WaitReadStart`, `…Finish` | from there to the first byte of the answer; multiplexed only the beginning is seen | – | what it calls so is `Decode` |
//! | `ReadStart`, `…Finish` | from the first byte to the last that was read | the same | there the client's includes the wait |
//! | `DecodeStart`, `…Finish` | from there to a message. Without a length in front (`DefaultMakeCodec::buffered`) Volo parses while it reads, and most of it is in `Read` | the same | |
//! | `ServerHandleStart`, `…Finish` | – | the layers inside of this one, and the handler | the handler alone |
//! | `RpcFinish` | the answer, or an error in its place, is there | the answer is flushed; one-way, the handler is done | one-way it records a write |
//!
//! # How calls end
//!
//! Each exactly once, with one point of the duration, and the gauge back where it was (a server's counts a request from
//! when it is read). The table is made by the test that
//! runs them all on real sockets:
//!
#![doc = include_str!("volo_thrift/endings.md")]
//!
//! - An exception that the IDL declares is an answer: the layers see a response like any other.
//! - A business error is an error to those who asked. To the server it is an answer, unless
//!   [told otherwise](ThriftServerLayer::with_biz_errors). Its status is `obs.rpc.biz.status`; the number of an application
//!   exception is `obs.rpc.exception.kind`.
//! - Volo's own errors (its timeout, no address, a multiplexed connection that closes) reach a client as application
//!   exceptions, as those of peers do. They are told apart by how they begin, a timeout also by the time that has passed.
//! - Volo looks after a connection between calls and not while a handler runs: a client that went away is found when the
//!   answer is written, and often not even then, since the kernel takes it.
//! - A one-way call is over for the client when it is written. What becomes of it is the server's to say.
//! - A panic ends the server's task, and with it the connection and, multiplexed, nothing else: that client waits for its
//!   timeout. Volo's `catch_panic` belongs in front of this layer.
//!
//! # What travels
//!
//! `traceparent`, `tracestate` and `baggage`, as far as the telemetry's propagator writes them, and who this service is
//! (`service.name`, `service.namespace`, `deployment.environment` of its resource), as Kitex's own telemetry has them: over
//! TTHeader as `RPC_TRANSIT_traceparent` and so on. A server reads them in any spelling, and what came as `RPC_PERSIST_…`
//! where the caller itself said nothing. They are in the task's metainfo only while an attempt is polled: calls that run in
//! one task at a time each carry their own, and what a handler spawns needs no metainfo of its own, but only
//! [`current::wrap`](obs_core::current::wrap). Over Volo's `framed` and `buffered` codecs nothing travels; neither has a header.
//!
//! The other end is `obs.rpc.peer.service`: on a server what the caller calls itself (its `service.name`, or the name in the
//! header), on a client the name that it was built with.
//!
//! # What is not seen
//!
//! - Multiplexed, one task reads for all calls: when an answer came and was parsed is not known to the call that it is for.
//!   And a business error comes to the caller as an application exception: so Volo hands it on.
//! - What Volo refuses before a request is read, and the wait for a connection to be accepted.
//! - Shared memory (`shmipc`): the codecs show Volo the connection through a type of their own, which hides it. Use the
//!   layers alone there.

mod client;
mod codec;
mod failure;
mod incoming;
mod outgoing;
mod polled;
mod server;
mod settings;
mod watched;

pub use client::{ThriftClient, ThriftClientLayer};
pub use codec::{
    ClientCodec, ClientDecoder, ClientEncoder, ServerCodec, ServerDecoder, ServerEncoder,
};
pub use server::{ThriftServer, ThriftServerLayer};
pub use watched::Watched;
