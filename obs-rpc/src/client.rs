//! The side that asks: a layer around a channel.

mod injection;
mod layer;
mod replay;
pub(crate) mod service;
pub(crate) mod settings;

pub use layer::RpcClientLayer;
pub use replay::{Replay, ReplayBody, ReplayLayer};
pub use service::RpcClient;

pub use crate::call::body::ResponseBody;
pub use crate::call::future::ResponseFuture;

/// Which attempt of a call a request is, put into its extensions by whoever retries by hand, counted from 0 for the first.
/// Layers that retry need not: within [`RpcClientLayer::calls`] attempts are counted, those of the method that it was called
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(pub u32);
