//! Layers and codecs for [volo-thrift](::volo_thrift) servers and clients.

mod client;
mod codec;
mod failure;
mod incoming;
mod outgoing;
mod polled;
mod server;
mod settings;
mod watched;

pub use client::{ThriftClient, ThriftClientLayer};
pub use codec::{
    ClientCodec, ClientDecoder, ClientEncoder, ServerCodec, ServerDecoder, ServerEncoder,
};
pub use server::{ThriftServer, ThriftServerLayer};
pub use watched::Watched;
