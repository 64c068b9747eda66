//! Places in source code (v1.44.0, stable), and threads (development).

names! {
    /// The file.
    FILE_PATH = "code.file.path";
    /// The line in it.
    LINE_NUMBER = "code.line.number";
    /// The thread's name.
    THREAD_NAME = "thread.name";
}

/// How `tracing-log` calls the target of a record, in a field of the event it makes of it; no convention's.
pub const LOG_TARGET: &str = "log.target";
/// The same for the module.
pub const LOG_MODULE_PATH: &str = "log.module_path";
/// The same for the file.
pub const LOG_FILE: &str = "log.file";
/// The same for the line.
pub const LOG_LINE: &str = "log.line";
