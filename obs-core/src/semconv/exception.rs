//! Exceptions (v1.44.0, stable).

names! {
    /// The type of the exception.
    TYPE = "exception.type";
    /// What it says.
    MESSAGE = "exception.message";
    /// Where it came from.
    STACKTRACE = "exception.stacktrace";
}

/// The name of the event.
pub const EVENT: &str = "exception";
