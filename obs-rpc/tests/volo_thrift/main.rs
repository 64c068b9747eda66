//! volo-thrift's own servers and clients over loopback, as both sides see them.

mod calls;
mod endings;
mod support;
mod wire;

/// Made from `shop.thrift` by volo-build 0.12.3, as it came: `Builder::thrift().add_service("shop.thrift").write()`.
mod generated {
    include!("shop.rs");
}
