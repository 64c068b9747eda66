//! The process as the kernel sees it (v1.44.0; release candidates, [`SYSTEM_PAGING_FAULT_TYPE`] and [`DISK_IO_DIRECTION`]
//! of the registries of `system` and `disk`).

names! {
    /// In which mode a processor was busy: `user`, `system`.
    CPU_MODE = "cpu.mode";
    /// `read` or `write`.
    DISK_IO_DIRECTION = "disk.io.direction";
    /// `voluntary` or `involuntary`.
    CONTEXT_SWITCH_TYPE = "process.context_switch.type";
    /// `major` or `minor`.
    SYSTEM_PAGING_FAULT_TYPE = "system.paging.fault.type";
}

/// Processor time, in seconds.
pub const CPU_TIME: &str = "process.cpu.time";
/// Physical memory in use, in bytes.
pub const MEMORY_USAGE: &str = "process.memory.usage";
/// Virtual memory, in bytes.
pub const MEMORY_VIRTUAL: &str = "process.memory.virtual";
/// Bytes read from and written to disks.
pub const DISK_IO: &str = "process.disk.io";
/// Threads.
pub const THREAD_COUNT: &str = "process.thread.count";
/// Open file descriptors.
pub const UNIX_FILE_DESCRIPTOR_COUNT: &str = "process.unix.file_descriptor.count";
/// Context switches.
pub const CONTEXT_SWITCHES: &str = "process.context_switches";
/// Page faults.
pub const PAGING_FAULTS: &str = "process.paging.faults";
/// How long the process has been running, in seconds.
pub const UPTIME: &str = "process.uptime";
