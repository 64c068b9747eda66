//! Hardware (v1.44.0, development).

names! {
    /// Which component: of a GPU its UUID.
    ID = "hw.id";
    /// What people call it.
    NAME = "hw.name";
    /// What it is: `gpu`, `network`.
    TYPE = "hw.type";
    /// The state that a series of [`STATUS`] is about: `ok`, `degraded`, `predicted_failure`, `failed`.
    STATE = "hw.state";
}

/// Whether a component is in a state: 1 or 0, one series per state.
pub const STATUS: &str = "hw.status";
/// Errors of a component, by `error.type`.
pub const ERRORS: &str = "hw.errors";
/// Whether a link is up: 1 or 0.
pub const NETWORK_UP: &str = "hw.network.up";
/// How fast a link is, in bytes per second.
pub const NETWORK_BANDWIDTH_LIMIT: &str = "hw.network.bandwidth.limit";
/// Bytes that a port sent and received.
pub const NETWORK_IO: &str = "hw.network.io";
/// Packets that a port sent and received.
pub const NETWORK_PACKETS: &str = "hw.network.packets";
