//! A tower layer around a client for HTTP: what it sends to models is seen, whichever client it is.

mod asked;
mod body;
mod coding;
mod failure;
pub(crate) mod future;
mod hint;
mod inject;
mod injected;
mod layer;
mod pieces;
mod request;
#[cfg(feature = "reqwest")]
mod reqwest;
pub(crate) mod service;
pub(crate) mod settings;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use hint::ModelHint;
pub use inject::{INJECTION_LIMIT, InjectionFuture, UsageInjection, UsageInjectionLayer};
pub use injected::{Data, InjectedBody};
pub use layer::LlmClientLayer;
pub use request::RequestBody;
pub use service::LlmClient;
