//! Who is at the other end of the connection.

use http::Extensions;
use std::net::SocketAddr;

/// The address of the connection's peer, put into the request's extensions by whoever accepts connections. With the
/// feature `axum`, axum's `ConnectInfo<SocketAddr>` is found too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

#[inline]
pub(crate) fn find(extensions: &Extensions) -> Option<SocketAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(info.0);
    }
    extensions.get::<PeerAddress>().map(|peer| peer.0)
}
