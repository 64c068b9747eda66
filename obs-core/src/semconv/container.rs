//! A container by its control group (v1.44.0; release candidates).

names! {
    /// Which container.
    ID = "container.id";
    /// Which pod it is in (of the registry of `k8s`).
    K8S_POD_UID = "k8s.pod.uid";
}

/// Processor time, in seconds.
pub const CPU_TIME: &str = "container.cpu.time";
/// Memory in use, the cache of files with it, in bytes.
pub const MEMORY_USAGE: &str = "container.memory.usage";
/// Memory in use that cannot be let go of at once, in bytes.
pub const MEMORY_WORKING_SET: &str = "container.memory.working_set";
/// Memory that the working set can still grow by, in bytes.
pub const MEMORY_AVAILABLE: &str = "container.memory.available";
/// Anonymous memory, in bytes.
pub const MEMORY_RSS: &str = "container.memory.rss";
