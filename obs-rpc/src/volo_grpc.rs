//! volo-grpc's servers and clients, observed from outside: nothing of Volo is changed.
//!
//! A server takes two layers, of which the first does nearly all:
//!
//! ```no_run
//! # let telemetry = obs_core::Telemetry::noop();
//! use obs_rpc::volo_grpc::{VoloGrpcHandleLayer, VoloGrpcServerLayer};
//!
//! let server = volo_grpc::server::Server::new()
//!     .layer_tower(VoloGrpcServerLayer::new(&telemetry))
//!     .layer(VoloGrpcHandleLayer::new());
//! # let _ = server;
//! ```
//!
//! and so does a client, whose builder is generated code's:
//!
//! ```no_run
//! use obs_rpc::volo_grpc::VoloGrpcClientLayer;
//! # use volo_grpc::client::ClientBuilder;
//! # fn layers<IL, OL, C, LB, T, U>(builder: ClientBuilder<IL, OL, C, LB, T, U>, telemetry: obs_core::Telemetry) {
//!
//! // `EchoClientBuilder::new("echo")`
//! let builder = builder
//!     .layer_outer_front(VoloGrpcClientLayer::calls(&telemetry))
//!     .layer_inner(VoloGrpcClientLayer::new(&telemetry).with_own_transport());
//! # let _ = builder;
//! # }
//! ```
//!
//! What is current is told by obs-core, in each poll of a handler and of a call: nothing is kept in Volo's context. An
//! application that calls a client once more makes another call: what Volo's generated code sends cannot be sent twice, so no
//! layer retries, and a call has one attempt.
//!
//! # What can be told
//!
//! | | server | client, with a transport of our own | client, with Volo's |
//! |---|---|---|---|
//! | `rpc_start` | head of the request, before all of Volo's layers | before the request goes to the transport; `rpc.call`: before discovery | the same |
//! | `client_conn_*`, `dns_*`, `tcp_*`, `tls_*` | – | no: its connector is a type of its own; the time is in `rpc_start` to `write_start` | no |
//! | `write_*` | first poll of the response's body to its trailers | first poll of the request's messages to their end | the same |
//! | `wait_read_*` | – | end of the request to the head of the response | the same |
//! | `read_*` | first poll of the request's body to its end | first data to the trailers | no |
//! | `encode_*`, `decode_*` | no: Volo's codec cannot be had | no | no |
//! | `server_handle_*` | call and end of the service behind [`VoloGrpcHandleLayer`]; of a request with one message from its end, since Volo reads it inside | – | – |
//! | `stream_start`, `stream_send`, `stream_recv`, `stream_recv_header`, `stream_finish` | all | all | no `stream_recv`; no `stream_finish` but where a status came instead |
//! | messages, sizes, compression | both ways | both ways | of the request |
//! | status | all | all | where it comes in the place of a response |
//! | end of a call | last frame of its response | last frame of its response | head of its response |
//! | a message that cannot be read | INTERNAL | CANCELLED by `local`: Volo's generated code lets go of the response and says nothing; its caller sees INTERNAL | nothing: the call is over |
//! | reused connections | – | no | no |
//! | peer | `rip`, which Volo writes into the metadata unless the caller has; of trusted callers | the callee's address | the same |
//!
//! # What is Volo's, and shows
//!
//! - A **response** with binary metadata panics volo-grpc's client (0.12.2), and so does a `grpc-status-details-bin` that is no
//!   base64: no layer stands between. The call ends as panicked.
//! - Volo's client says UNKNOWN of a connection that breaks or cannot be made; `error.type` is `transport_error`.
//! - Volo's timeout ends with the head of a response: what comes later is not bounded by it.

pub(crate) mod failure;

mod binary;
mod client;
mod handle;
mod peer;
mod polled;
mod request;
mod server;
mod whole;

pub use binary::BinaryMetadata;
pub use client::{
    VoloGrpcCall, VoloGrpcCallLayer, VoloGrpcClient, VoloGrpcClientLayer, VoloGrpcTransportLayer,
};
pub use handle::{VoloGrpcHandle, VoloGrpcHandleLayer};
pub use request::ObservedRequest;
pub use server::{VoloGrpcResponseFuture, VoloGrpcServer, VoloGrpcServerLayer};
pub use whole::{MakeTransport, OwnTransport, PlainTransport};
