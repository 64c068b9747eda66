//! Hardware (v1.44.0; development): GPUs, their power, energy, heat, errors and state; ports of networks.

names! {
    /// The identifier of a component: of a GPU its UUID.
    ID = "hw.id";
    /// What people call it.
    NAME = "hw.name";
    /// The identifier of what it is a part of.
    PARENT = "hw.parent";
    /// What it is: `gpu`, `network`.
    TYPE = "hw.type";
    /// `ok`, `degraded`, `predicted_failure` or `failed`.
    STATE = "hw.state";
    /// Its model.
    MODEL = "hw.model";
    /// Who made it.
    VENDOR = "hw.vendor";
    /// Its serial number.
    SERIAL_NUMBER = "hw.serial_number";
    /// The version of its driver.
    DRIVER_VERSION = "hw.driver_version";
    /// What a GPU does in the time: `general`, `encoder`, `decoder`.
    GPU_TASK = "hw.gpu.task";
    /// Where a sensor is.
    SENSOR_LOCATION = "hw.sensor_location";
    /// What a limit is for: `high.degraded`, `high.critical`.
    LIMIT_TYPE = "hw.limit_type";
    /// `receive` or `transmit` (of the registry of `network`).
    IO_DIRECTION = "network.io.direction";
}

/// What the names of metrics of GPUs begin with.
pub const GPU: &str = "hw.gpu.";
/// Share of time spent in a task.
pub const GPU_UTILIZATION: &str = "hw.gpu.utilization";
/// Memory in use, in bytes.
pub const GPU_MEMORY_USAGE: &str = "hw.gpu.memory.usage";
/// All of its memory, in bytes.
pub const GPU_MEMORY_LIMIT: &str = "hw.gpu.memory.limit";
/// Share of the memory that is in use.
pub const GPU_MEMORY_UTILIZATION: &str = "hw.gpu.memory.utilization";
/// Bytes that it sent and received.
pub const GPU_IO: &str = "hw.gpu.io";
/// Energy, in joules.
pub const ENERGY: &str = "hw.energy";
/// Power, in watts.
pub const POWER: &str = "hw.power";
/// Temperature, in degrees Celsius.
pub const TEMPERATURE: &str = "hw.temperature";
/// The temperature at which something is done about it.
pub const TEMPERATURE_LIMIT: &str = "hw.temperature.limit";
/// Fan, as a share of its full speed.
pub const FAN_SPEED_RATIO: &str = "hw.fan.speed_ratio";
/// Errors, by their type.
pub const ERRORS: &str = "hw.errors";
/// Which state a component is in: 1 or 0 for each.
pub const STATUS: &str = "hw.status";
/// Whether a link is up: 1 or 0.
pub const NETWORK_UP: &str = "hw.network.up";
/// How fast a link is, in bytes per second.
pub const NETWORK_BANDWIDTH_LIMIT: &str = "hw.network.bandwidth.limit";
/// Bytes that a port sent and received.
pub const NETWORK_IO: &str = "hw.network.io";
/// Packets that a port sent and received.
pub const NETWORK_PACKETS: &str = "hw.network.packets";
