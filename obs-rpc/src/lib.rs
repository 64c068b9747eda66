//! Tower layers that make RPC services observable: one span for each call on each side, its metrics, the points that it passes
//! and exactly one ending, by the OpenTelemetry conventions for RPC (v1.44.0). This page is about gRPC on tonic.
//!
//! A server has the layer around all its services:
//!
//! ```no_run
//! # mod hello { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use hello::{HelloReply, HelloRequest, greeter_server::{Greeter, GreeterServer}};
//! # struct Hello;
//! # #[tonic::async_trait]
//! # impl Greeter for Hello {
//! #     async fn say_hello(
//! #         &self,
//! #         _: tonic::Request<HelloRequest>,
//! #     ) -> Result<tonic::Response<HelloReply>, tonic::Status> { unimplemented!() }
//! # }
//! use obs_core::Telemetry;
//! use obs_rpc::RpcServerLayer;
//! use std::time::Duration;
//! use tokio::signal::unix::{SignalKind, signal};
//! use tonic::transport::Server;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let telemetry = Telemetry::builder().with_otlp().build()?;
//!     let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));
//!
//!     let mut terminate = signal(SignalKind::terminate())?;
//!     let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
//!     let stop = async move {
//!         tokio::select! {
//!             _ = terminate.recv() => {}
//!             _ = tokio::signal::ctrl_c() => {}
//!         }
//!         drop(stopping);
//!     };
//!     // A client that never finishes its call is not waited for until somebody kills the process.
//!     let late = async { drop(stopped.await); tokio::time::sleep(Duration::from_secs(5)).await };
//!     let serve = Server::builder()
//!         .layer(RpcServerLayer::new(&telemetry))
//!         .add_service(GreeterServer::new(Hello))
//!         .serve_with_shutdown("127.0.0.1:50051".parse()?, stop);
//!     tokio::select! {
//!         served = serve => served?,
//!         () = late => {}
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The guard delivers what is left when `main` returns, and only then: a process that SIGTERM ends takes its last spans and
//! the metrics of its last minute with it, so a signal has to end the server and not the process.
//!
//! A client has it around its channel, and generated clients take the one as they take the other:
//!
//! ```no_run
//! # mod hello { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use hello::{HelloRequest, greeter_client::GreeterClient};
//! use obs_rpc::RpcClientLayer;
//! use tonic::transport::Endpoint;
//! use tower::Layer;
//!
//! # async fn ask(telemetry: &obs_core::Telemetry) -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = Endpoint::from_static("http://127.0.0.1:50051");
//! let layer = RpcClientLayer::new(telemetry).with_server(endpoint.uri());
//! let mut greeter = GreeterClient::new(layer.layer(endpoint.connect_lazy()));
//!
//! let mut request = tonic::Request::new(HelloRequest { name: "world".to_owned() });
//! request.set_timeout(std::time::Duration::from_secs(1));
//! let reply = greeter.say_hello(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The server's span is a child of the client's, in another process or the same; a server that is known to be under a public name
//! is told of the trace [only on demand](RpcClientLayer::with_injection). Where a layer retries or hedges, this one goes
//! inside, around each attempt, and [`RpcClientLayer::calls`] outside, around the call; [`client::ReplayLayer`] shows how they
//! stand.
//!
//! In tests nothing is global and nothing goes over the network:
//!
//! ```
//! # mod hello { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/greeter.rs")); }
//! # use hello::{HelloReply, HelloRequest, greeter_client::GreeterClient, greeter_server::{Greeter, GreeterServer}};
//! use obs_rpc::{RpcClientLayer, RpcServerLayer};
//! use obs_testing::{Capture, assert_tree};
//! use tonic::{Request, Response, Status};
//! use tower::Layer;
//!
//! struct Hello;
//!
//! #[tonic::async_trait]
//! impl Greeter for Hello {
//!     async fn say_hello(&self, _: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
//!         Err(Status::unavailable("not yet"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let capture = Capture::new();
//! let server = RpcServerLayer::new(capture.telemetry()).layer(GreeterServer::new(Hello));
//! let mut greeter = GreeterClient::new(RpcClientLayer::new(capture.telemetry()).layer(server));
//!
//! let request = HelloRequest { name: "world".to_owned() };
//! greeter.say_hello(request).await.expect_err("not yet");
//!
//! assert_tree(capture.tree(), r#"
//!     trace 1
//!       hello.Greeter/SayHello [client] error
//!         - error.type: "UNAVAILABLE"
//!         - obs.rpc.request.messages: 1
//!         - obs.rpc.request.size: 7
//!         - obs.rpc.response.messages: 0
//!         - obs.rpc.response.size: 0
//!         - rpc.method: "hello.Greeter/SayHello"
//!         - rpc.response.status_code: "UNAVAILABLE"
//!         - rpc.system.name: "grpc"
//!         hello.Greeter/SayHello [server] error remote parent
//!           - error.type: "UNAVAILABLE"
//!           - obs.rpc.request.messages: 1
//!           - obs.rpc.request.size: 7
//!           - obs.rpc.response.messages: 0
//!           - obs.rpc.response.size: 0
//!           - rpc.method: "hello.Greeter/SayHello"
//!           - rpc.response.status_code: "UNAVAILABLE"
//!           - rpc.system.name: "grpc"
//! "#);
//! assert_eq!(capture.count("rpc.client.call.duration"), 1);
//! # }
//! ```
//!
//! # What it emits
//!
//! A **span** on each side, named as the method is, or `grpc` where that is not known. On the server it is from the headers of
//! the request to the last of the response; on the client from the call of the channel to the status. Its status is an error
//! where the outcome is one, and unset otherwise. It carries:
//!
//! | attribute | when | stability |
//! |---|---|---|
//! | `rpc.system.name` | always: `grpc` | release candidate |
//! | `rpc.method` | always: `package.Service/Method`; on servers `_OTHER` unless [known](RpcServerLayer::with_methods) | release candidate |
//! | `rpc.method_original` | the method is not known | release candidate |
//! | `rpc.response.status_code` | there is a status, by its name; `rpc.status_code` [on demand](StatusKey) | release candidate |
//! | `error.type` | the outcome is an error: see below | stable |
//! | `server.address`, `server.port` | servers: the request says, as tonic's clients do; clients: [said](RpcClientLayer::with_server) | stable |
//! | `network.peer.address`, `network.peer.port` | servers, where the peer is known ([`with_addresses`](RpcServerLayer::with_addresses)): with the feature `server`, or told by [`PeerAddress`](server::PeerAddress) | stable |
//! | `rpc.request.metadata.<key>`, `rpc.response.metadata.<key>` | asked for ([`with_request_metadata`](RpcServerLayer::with_request_metadata), [`with_response_metadata`](RpcServerLayer::with_response_metadata)) | development |
//! | `obs.rpc.request.messages`, `obs.rpc.response.messages` | always: whole messages, counted by their prefixes | ours |
//! | `obs.rpc.request.size`, `obs.rpc.response.size` | always: bytes of messages as sent, compressed or not, without their prefixes | ours |
//! | `obs.rpc.request.compressed`, `obs.rpc.response.compressed` | some messages were: how many | ours |
//! | `obs.rpc.cancel.origin` | it was cancelled or late: `local`, `deadline`, `peer`, `cascaded`, `superseded` | ours |
//! | `obs.rpc.attempt` | clients, from the second attempt on: 1, 2, … | ours |
//! | `obs.rpc.connection.reused` | clients at Detailed, with the feature `connector` or Thrift's codec: whether a connection was there | ours |
//! | `obs.rpc.peer.service` | on Volo: who is called, or who a trusted caller says it is | ours |
//! | `obs.rpc.exception.kind`, `obs.rpc.biz.status` | on Thrift: the number of an application exception or a business error | ours |
//! | `session.id`, `user.id`, other entries of the caller's baggage | allowed by name, from a trusted caller ([`with_baggage`](RpcServerLayer::with_baggage)) | development |
//! | `obs.keep.reason`, `obs.trace.partial` | it was kept although the head decision left it out | ours |
//!
//! The span of [`RpcClientLayer::calls`] is internal, and has `obs.rpc.call.attempts` in the place of messages and sizes.
//!
//! **Metrics**, which do not depend on sampling:
//!
//! | metric | unit | kind | attributes | stability |
//! |---|---|---|---|---|
//! | `rpc.server.call.duration`, `rpc.client.call.duration` | s | histogram | all of the list below | release candidate |
//! | `obs.rpc.server.active_calls`, `obs.rpc.client.active_calls` | {call} | in-flight gauge | `rpc.system.name` | ours |
//! | `obs.rpc.stage.duration` | s | histogram, of calls at Detailed | the same as the duration, and `obs.stage` | ours |
//! | `obs.rpc.call.duration` | s | histogram, of calls with all their attempts | the same as the duration | ours |
//! | `obs.rpc.client.connect.duration` | s | histogram of dials, with the feature `connector` | `server.address`, `server.port`, `error.type` | ours |
//! | `obs.rpc.call.attempts` | {attempt} | histogram, if [asked for](obs_core::Builder::with_measures) | the same | ours |
//! | `obs.rpc.{server,client}.{request,response}.messages` | {message} | histograms, if asked for | the same | ours |
//! | `obs.rpc.{server,client}.{request,response}.size` | By | histograms, if asked for | the same | ours |
//!
//! Attributes of metrics: `rpc.method`, `rpc.system.name`, `rpc.response.status_code`, `error.type`, and of clients
//! `server.address` and `server.port`. Each comes from a closed or capped set.
//!
//! # The points that a call passes
//!
//! At [`Detailed`](obs_core::StatsLevel::Detailed) spans have events, and what lies between two of them is a stage. Which
//! are exact where a layer stands around tonic 0.14:
//!
//! | event | what it is here | tonic client | tonic server |
//! |---|---|---|---|
//! | `rpc_start` | the span's start: the layer is called. On a client the channel has not been asked for a connection yet, on a server the headers are read | exact | exact |
//! | `client_conn_*`, `dns_*`, `tcp_*`, `tls_*` | the dial that this call waited for, or what was left of it; none where `obs.rpc.connection.reused` is true. tonic dials in a task of its own | with `Connections` (feature `connector`) | absent |
//! | `stream_start` | client: HTTP/2 has a stream for the call; server: the headers are read | derived: `write_start` | derived: `rpc_start` |
//! | `write_start` | the first poll of the body that is sent: on a client the headers have gone to h2 | exact | exact |
//! | `stream_send` | the first message is there to its last byte, and goes to h2 | exact | exact |
//! | `write_finish` | the last frame went to h2 (not: to the socket, and not: reached the peer). What lies between the frames is flow control | derived | derived |
//! | `wait_read_start`, `wait_read_finish` | from `write_finish` to the headers of the response. Nobody waits where they come before the request is over | as exact as `write_finish`; absent where nobody waited | absent |
//! | `stream_recv_header` | the headers of the response | exact | absent |
//! | `read_start` | client: the first data of the response; server: the first poll of the request's body | exact | exact |
//! | `stream_recv` | the first message has come to its last byte. hyper may have had it before | exact | exact |
//! | `read_finish` | the body that is received is over, or failed | exact | exact |
//! | `server_handle_start` | the handler is called. From outside nobody sees it: where the request was over with one message when the response was ready, it is `read_finish`, else `rpc_start` | absent | derived; exact with the codec |
//! | `server_handle_finish` | the response's headers are ready. A stream goes on in its body | absent | exact |
//! | `encode_*`, `decode_*` | the first message each way becomes bytes, and bytes a message: the codec alone, without compression | with the codec (feature `codec`) | with the codec |
//! | `stream_finish` | the status: trailers, or headers that are all there is | exact | derived: went to h2 |
//! | `rpc_finish` | the span's end: the status, an error, or the drop of whatever held the call | exact | derived: h2 has the trailers; hyper drops the body when the stream is reset or the socket closes |
//!
//! Stages (`obs.stage`) are `write_request`, `wait_response` and `read_response` on a client, and `read_request`, `handle` and
//! `write_response` on a server; with the codec also `encode_request` and `decode_response`, `decode_request` and
//! `encode_response`, a point for each message; with the connector `connect`, `dns`, `tcp` and `tls`. What lies before
//! `write_request` is the wait for a connection.
//!
//! **Codec** (feature `codec`): `codec_path("obs_rpc::codec::ProstCodec")` where code is generated, or `codec::Timed` around a
//! codec of your own. **Connections** (feature `connector`): `connector::Connections::new(&telemetry).connect(&endpoint)` in the
//! place of `endpoint.connect()`. `TCP_NODELAY`, keep-alive, timeouts, TLS and HTTP/2 settings are the endpoint's; only a local
//! address must be said again. Unix sockets made by a URL and tonic's own balanced channels are not timed.
//!
//! Frames are not messages: tonic sends many small ones in one frame, and one large one in many, so they are counted by their
//! prefixes. Streams have their first message, their last point and a count, not an event per message.
//!
//! # On Volo
//!
//! **volo-grpc** (feature `volo-grpc`, the module `volo_grpc`): a server takes `VoloGrpcServerLayer` (`layer_tower`, first) and
//! `VoloGrpcHandleLayer` (`layer`, last); a client `VoloGrpcClientLayer::calls` (`layer_outer_front`) and
//! `VoloGrpcClientLayer::new(…).with_own_transport()` (`layer_inner`, last). Both see what tonic's layers see, but for what Volo
//! keeps to itself: connections, its codec, and a response that its generated code cannot read, which looks like one that was
//! given up. Binary request metadata, of which Volo's server dies (0.12.2), is kept from it and given to the handler. How each
//! call ends: `docs/rpc-volo-grpc.md`.
//!
//! **volo-thrift** (feature `volo-thrift`, the module `volo_thrift`): layers for servers and clients, and codecs around Volo's.
//! The layers alone give calls, outcomes, durations, sizes and the trace context; the codecs add the parts of a call, its
//! beginning at the first byte and its end at the last, and requests that cannot be read.
//!
//! Traces cross to and from peers that speak Kitex's metainfo: `RPC_TRANSIT_traceparent` and so on over TTHeader, read in any
//! spelling, `rpc-transit-*` over HTTP/2. The peer's name is `obs.rpc.peer.service`.
//!
//! # How a call ends
//!
//! Exactly once on each side, whatever happens:
//!
//! | what happens | outcome | `error.type` |
//! |---|---|---|
//! | a status that is no error to this side: to a client OK, to a server all but UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS | answered | – |
//! | any other status, in trailers or in headers | failed | its name |
//! | the call could not be sent, or its connection broke | failed | `transport_error` |
//! | the answer is no gRPC | failed | `protocol_error` |
//! | the service or the body inside fails and says no more | failed | `service_error`, `body_error` |
//! | it is dropped: by its caller, with the operation around it, because the peer is gone | cancelled | `cancelled` |
//! | an attempt is dropped because another was quicker | cancelled, and no error | – |
//! | the same after its deadline: `grpc-timeout`, or [what is said](RpcServerLayer::with_deadline) | timed out | `timeout` |
//! | the service or its body panics | panicked | `panic` |
//!
//! Who cancelled is `obs.rpc.cancel.origin`. All of it, for each kind of call, on both sides, with status and events, is in
//! `docs/rpc-endings.md`, which is written from a test over real sockets. [`Classify`] changes which statuses are errors. It
//! and the other functions that a layer is given may panic: that is caught and
//! [counted](obs_core::EngineCounts::panics), and the call is observed as if it were not there.
//!
//! What never comes to the layer is not seen: calls that `concurrency_limit_per_connection` with `load_shed` refuses, since
//! tonic puts those outside. gRPC-Web's layer (`tonic_web`) belongs outside, too: what it makes of trailers is a part of the body,
//! in which no status is found.
//!
//! # Levels
//!
//! At `Base`, the default, a call is its span, its metrics and its ending. `Detailed` adds the events and the stages; at
//! `Disabled` one branch passes a call on, in the types that an observed one would have. Both sides have a level each
//! ([`RpcServerLayer::kind`], [`RpcClientLayer::kind`]), and services and methods one of their own
//! ([`Kind::set_method_level`](obs_core::Kind::set_method_level)), changeable while calls run.
//!
//! # What it never records
//!
//! Messages. Metadata that was not asked for, and that whose keys speak of secrets (of authorisation, cookies, keys, tokens,
//! sessions) or end in `-bin` even if it was. Status messages and error texts. Baggage that was not allowed by name, or comes
//! from a stranger. Addresses of peers as attributes of metrics. Methods that nobody answers to, as attributes of metrics.
//!
//! # What it costs
//!
//! `cargo run --release -p obs-benches -- rpc` measures it on your machine, beside its peers. At Base a layer adds 2,750 (server)
//! to 3,050 (client, which writes a `traceparent`) instructions to a call, 0.9 to 1.5 times what the layers of `obs-http` take,
//! and 110 to 130 to each message (2026-11-26). Over a loopback socket both layers added 5 to 6 µs to a unary call of 49 µs on two
//! busy cores: 2.3 of them are HTTP/2's, for one header more.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "tonic")]
mod attempts;
#[cfg(feature = "tonic")]
mod call;
#[cfg(feature = "tonic")]
pub mod client;
#[cfg(feature = "codec")]
pub mod codec;
#[cfg(feature = "connector")]
pub mod connector;
mod descriptor;
#[cfg(feature = "tonic")]
mod failure;
#[cfg(feature = "tonic")]
mod frames;
#[cfg(feature = "tonic")]
mod head;
#[cfg(feature = "tonic")]
mod kinds;
#[cfg(feature = "metainfo")]
mod kitex;
#[cfg(feature = "tonic")]
mod metadata;
#[cfg(feature = "tonic")]
pub mod server;
#[cfg(feature = "tonic")]
mod status;
#[cfg(feature = "volo-grpc")]
pub mod volo_grpc;
#[cfg(feature = "volo-thrift")]
#[cfg_attr(docsrs, doc(cfg(feature = "volo-thrift")))]
pub mod volo_thrift;

#[cfg(feature = "tonic")]
pub use client::RpcClientLayer;
pub use descriptor::{
    BODY_ERROR, PROTOCOL_ERROR, RPC_CALL, RPC_CALL_NEXT, RPC_CLIENT, RPC_CLIENT_NEXT, RPC_SERVER,
    RPC_SERVER_NEXT, SERVICE_ERROR, StatusKey, TRANSPORT_ERROR,
};
#[cfg(feature = "tonic")]
pub use head::CallHead;
pub use obs_core;
#[cfg(feature = "tonic")]
pub use server::RpcServerLayer;
#[cfg(feature = "tonic")]
pub use status::{Classify, Code};
#[cfg(feature = "tonic")]
pub use tonic;
