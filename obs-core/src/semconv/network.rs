//! Network, server and client (v1.44.0, stable).

names! {
    /// The protocol's name, where it is not HTTP.
    PROTOCOL_NAME = "network.protocol.name";
    /// The protocol's version.
    PROTOCOL_VERSION = "network.protocol.version";
    /// What carries it: `tcp`, `quic`, `pipe`.
    TRANSPORT = "network.transport";
    /// The peer's address.
    PEER_ADDRESS = "network.peer.address";
    /// The peer's port.
    PEER_PORT = "network.peer.port";
    /// The server's name, as the client used it.
    SERVER_ADDRESS = "server.address";
    /// The server's port.
    SERVER_PORT = "server.port";
    /// The client behind proxies, where they are trusted.
    CLIENT_ADDRESS = "client.address";
    /// The client's port.
    CLIENT_PORT = "client.port";
}
