//! One exchange from its head to the end of its body: what both sides do alike.

pub(crate) mod body;
pub(crate) mod carried;
pub(crate) mod future;
pub(crate) mod settings;
pub(crate) mod side;
#[cfg(feature = "tracing")]
pub(crate) mod span;
#[cfg(not(feature = "tracing"))]
#[path = "exchange/no_span.rs"]
pub(crate) mod span;
