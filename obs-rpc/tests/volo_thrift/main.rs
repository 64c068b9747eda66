//! volo-thrift's own servers and clients over loopback, as both sides see them.
#![allow(unreachable_pub, reason = "modules of a test, one of them generated")]

mod calls;
mod endings;
#[cfg(feature = "volo-thrift-multiplex")]
mod multiplexed;
mod support;
mod wire;

/// Made from `shop.thrift` by volo-build 0.12.3, as it came: `Builder::thrift().add_service("shop.thrift").write()`.
mod generated {
    include!("shop.rs");
}
