//! Makes RPC services observable: every lifecycle event of every call, its metrics, and exactly one ending.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "tonic")]
mod attempts;
#[cfg(feature = "tonic")]
mod call;
#[cfg(feature = "tonic")]
pub mod client;
mod descriptor;
#[cfg(feature = "tonic")]
mod failure;
#[cfg(feature = "tonic")]
mod frames;
#[cfg(feature = "tonic")]
mod head;
#[cfg(feature = "tonic")]
mod kinds;
#[cfg(feature = "tonic")]
mod metadata;
#[cfg(feature = "tonic")]
pub mod server;
#[cfg(feature = "tonic")]
mod status;
#[cfg(feature = "volo-grpc")]
pub mod volo_grpc;

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
