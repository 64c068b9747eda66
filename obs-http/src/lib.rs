//! A tower layer that makes an HTTP service observable: a span, metrics and every ending, by the OpenTelemetry
//! conventions for HTTP (v1.44.0).
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod classify;
mod descriptor;
mod head;
mod headers;
mod methods;
mod peer;
mod redact;
mod route;
pub mod server;

pub use classify::{Classify, ServerClassify};
pub use descriptor::{BODY_ERROR, HTTP_SERVER, SERVICE_ERROR};
pub use head::RequestHead;
pub use obs_core;
pub use peer::PeerAddress;
pub use redact::redact_query;
pub use route::Route;
pub use server::HttpServerLayer;
