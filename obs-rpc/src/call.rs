//! One call from its request to its status: what both sides do alike.

pub(crate) mod body;
pub(crate) mod ending;
pub(crate) mod flow;
pub(crate) mod future;
pub(crate) mod request;
pub(crate) mod settings;

// What a feature adds to each call, and its twin that is empty.
#[cfg(not(feature = "codec"))]
#[path = "call/no_scope.rs"]
pub(crate) mod scope;
#[cfg(feature = "codec")]
pub(crate) use crate::codec::scope;
#[cfg(not(feature = "connector"))]
#[path = "call/no_waited.rs"]
pub(crate) mod waited;
#[cfg(feature = "connector")]
pub(crate) use crate::connector::waited;

/// What bodies of tonic's services fail with.
pub(crate) type StdError = Box<dyn std::error::Error + Send + Sync>;
