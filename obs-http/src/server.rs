//! The server's side: a layer around a service that answers HTTP requests.
//!
//! Which event point is exact, derived or absent where a tower layer stands (the same for HTTP/1 and HTTP/2 unless
//! noted):
//!
//! | event | what it is here | HTTP/1 | HTTP/2 |
//! |---|---|---|---|
//! | `rpc_start` | the span's start: the request's head is parsed, the service is called | exact | exact |
//! | `server_handle_start` | the inner service is called | exact | exact |
//! | `server_handle_finish` | the inner service's future is ready | exact | exact |
//! | `response_head` | the same moment, recorded at Base: the answer's head goes to hyper | exact | exact |
//! | `write_start` | the first poll of the response's body | exact | exact |
//! | `stream_send` | the first data frame of the response's body is ready | exact | exact |
//! | `write_finish` | the last frame went to hyper (not: reached the client) | derived | derived |
//! | `rpc_finish` | the span's end: the body ended, failed or was dropped | derived: hyper drops the body when the socket closes | derived: or when the stream is reset |
//! | `read_start`, `read_finish` | reading the request's body: it belongs to the service, which is given it untouched | absent | absent |
//! | `wait_read_*`, `client_conn_*`, `encode_*`, `decode_*` | not a server's, or below this layer | absent | absent |

mod layer;
mod outside;
mod service;
mod settings;
mod side;

use crate::exchange::{body, future};
pub use layer::HttpServerLayer;
pub use service::HttpServer;

/// The future of an observed service's answer. Dropped before it is ready, the exchange is cancelled.
pub type ResponseFuture<F, C> = future::ResponseFuture<F, side::Answering<C>>;

/// The body of an observed answer: passed through untouched. Dropped before its end, the exchange is cancelled.
pub type ResponseBody<B> = body::ResponseBody<B, side::Answered>;
