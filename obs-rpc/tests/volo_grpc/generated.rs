//! What volo-build 0.12.3 writes for `echo.proto`, in three parts and without its module. It needs neither `protoc` nor a
//! network: `volo_build::Builder::protobuf().add_service("echo.proto").filename("echo.rs").out_dir(…).write()`.
//! It is kept here because that compiler of protocols would be built with every test of this crate.

#![allow(warnings, clippy::all)]

include!("generated/messages.rs");
include!("generated/client.rs");
include!("generated/server.rs");
