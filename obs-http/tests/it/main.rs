//! The server layer from outside: driven by hand, and over real sockets.

mod endings;
mod http1;
mod http2;
mod support;
