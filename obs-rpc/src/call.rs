//! One call from its request to its status: what both sides do alike.

pub(crate) mod body;
pub(crate) mod ending;
pub(crate) mod flow;
pub(crate) mod future;
pub(crate) mod request;
pub(crate) mod settings;

/// What bodies of tonic's services fail with.
pub(crate) type StdError = Box<dyn std::error::Error + Send + Sync>;
