//! The server layer from outside: driven by hand, and over real sockets.

mod endings;
