//! The machine as its kernel sees it (v1.44.0; development).

names! {
    /// Which disk.
    DEVICE = "system.device";
    /// `used`, `free`, `buffers` or `cached`.
    MEMORY_STATE = "system.memory.state";
    /// Which network interface (of the registry of `network`).
    NETWORK_INTERFACE_NAME = "network.interface.name";
}

/// Time that processors spent, by mode, in seconds.
pub const CPU_TIME: &str = "system.cpu.time";
/// How many processors there are.
pub const CPU_LOGICAL_COUNT: &str = "system.cpu.logical.count";
/// Memory by state, in bytes.
pub const MEMORY_USAGE: &str = "system.memory.usage";
/// All of the memory, in bytes.
pub const MEMORY_LIMIT: &str = "system.memory.limit";
/// Bytes read from and written to disks.
pub const DISK_IO: &str = "system.disk.io";
/// Reads from and writes to disks.
pub const DISK_OPERATIONS: &str = "system.disk.operations";
/// Time in which a disk had something to do, in seconds.
pub const DISK_IO_TIME: &str = "system.disk.io_time";
/// Time that each operation took, added up, in seconds.
pub const DISK_OPERATION_TIME: &str = "system.disk.operation_time";
/// Bytes that a network interface sent and received.
pub const NETWORK_IO: &str = "system.network.io";
/// Errors of a network interface.
pub const NETWORK_ERRORS: &str = "system.network.errors";
/// Packets that a network interface dropped.
pub const NETWORK_PACKET_DROPPED: &str = "system.network.packet.dropped";
