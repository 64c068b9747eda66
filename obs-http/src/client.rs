//! The client's side: a layer around a service that sends HTTP requests.

mod classify;
mod connector;
mod failure;
mod injection;
mod layer;
#[cfg(feature = "reqwest")]
mod reqwest;
mod service;
mod settings;
mod side;
mod url;

pub use self::classify::{BoxedClassify, ClientClassify};
pub use self::connector::{ConnectFuture, Connector, ConnectorLayer};
pub use self::injection::Injection;
pub use self::layer::HttpClientLayer;
#[cfg(feature = "reqwest")]
pub use self::reqwest::Reqwest;
pub use self::service::HttpClient;

use crate::exchange::{body, future};

/// The template that a request's URL was made from, put into its extensions by whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlTemplate(pub &'static str);

/// How often a request was sent before, put into its extensions by whoever retries by hand. Layers that retry need not:
/// within [`HttpClientLayer::calls`] attempts are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend(pub u32);

/// The future of an observed request's answer. Dropped before it is ready, the exchange is cancelled.
pub type ResponseFuture<F, C = ClientClassify> = future::ResponseFuture<F, side::Asking<C>>;

/// The body of an answer to an observed request: passed through untouched.
pub type ResponseBody<B, C = ClientClassify> = body::ResponseBody<B, side::Asked<C>>;
