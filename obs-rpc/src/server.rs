//! The side that answers: a layer around a server's services.

mod layer;
mod methods;
pub(crate) mod service;
pub(crate) mod settings;

pub use crate::call::body::ResponseBody;
pub use crate::call::future::ResponseFuture;
pub use layer::RpcServerLayer;
pub use service::RpcServer;

/// The peer's address, put into a request's extensions by whoever accepted the connection. With the feature `server` that of
/// tonic's TCP connections is found without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub std::net::SocketAddr);
