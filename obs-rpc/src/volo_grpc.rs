//! volo-grpc's servers and clients, observed from outside: nothing of Volo is changed.
//!
//! A server takes two layers, of which the first does nearly all:
//!
//! ```no_run
//! # fn main() {
//! # let telemetry = obs_core::Telemetry::noop();
//! use obs_rpc::volo_grpc::{VoloGrpcHandleLayer, VoloGrpcServerLayer};
//!
//! let server = volo_grpc::server::Server::new()
//!     .layer_tower(VoloGrpcServerLayer::new(&telemetry))
//!     .layer(VoloGrpcHandleLayer::new());
//! # let _ = server;
//! # }
//! ```
//!
//! and so does a client, whose builder is generated code's:
//!
//! ```text
//! EchoClientBuilder::new("echo")
//!     .layer_outer_front(VoloGrpcCallLayer::new(&telemetry))
//!     .layer_inner(VoloGrpcClientLayer::new(&telemetry).with_own_transport())
//! ```
//!
//! What each sees, and what nobody can see from here, is in the table of the crate's page on volo-grpc.

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
pub use whole::OwnTransport;
