//! Codecs that say how long messages take to encode and decode. A layer sees bytes; what became of them only a codec knows.
//!
//! tonic's generated code makes its codec from its type, so it is chosen where the code is generated:
//!
//! ```text
//! // build.rs
//! tonic_prost_build::configure()
//!     .codec_path("obs_rpc::codec::ProstCodec")
//!     .compile_protos(&["proto/shop.proto"], &["proto"])?;
//! ```
//!
//! A codec of one's own goes into [`Timed`].
//!
//! # What is told
//!
//! At [`Detailed`](obs_core::StatsLevel::Detailed), of calls that a layer of ours observes:
//!
//! - Events `encode_start`, `encode_finish`, `decode_start` and `decode_finish`, of the first message each way.
//! - Points of `obs.rpc.stage.duration`, in seconds, one per message, with `obs.stage` `encode_request` and `decode_response`
//!   on a client, `decode_request` and `encode_response` on a server. That of a call's first message has all labels of the call. Those of later messages are recorded as they pass, when its status is not there
//!   yet: they have none, and on a server whose methods are not configured the first call of a method has not its name
//!   either.
//! - `server_handle_start` and `server_handle_finish`, and with them the stage `handle`. Where the request is one message the
//!   handler starts when it was decoded and the request is over; where it is a stream, when the decoder was made. tonic does
//!   not say which it is: a stream of exactly one message counts as such a request if its handler reads on at once and
//!   lets go of it as soon as it is over. A handler that is to answer an empty stream and fails or is dropped
//!   cannot be told from a request that was never there, and is not told.
//!
//! Times are those of the codec alone. Compression is tonic's, before it decodes and after it encoded.
//!
//! # What it costs
//!
//! On a client one allocation per call, as the decoder must know later what the encoder finds out. On a server none. Where
//! no layer of ours is around, or below Detailed, nothing is timed. A client's codec finds its call while the layer's body is
//! polled, and a server's while its answer is: what stands in between and reads bodies ahead, or hands requests to another
//! task (tower's `Buffer` within a server), leaves it without one. Channels and servers of tonic's do neither;
//! [`ReplayLayer`](crate::client::ReplayLayer) does read ahead, before there is an attempt, so attempts behind it have no times
//! of their codec unless their request is a stream.

pub(crate) mod scope;
mod timings;

use crate::call::flow::Flow;
use obs_core::Moment;
use std::sync::{Arc, OnceLock};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// tonic's codec for prost's messages, timed: for `codec_path("obs_rpc::codec::ProstCodec")`.
pub type ProstCodec<T, U> = Timed<tonic_prost::ProstCodec<T, U>>;

/// A codec that times another one.
#[derive(Debug, Default)]
pub struct Timed<C> {
    inner: C,
    side: Side,
}

/// Which side it is on shows in what tonic asks of it first: a client for the encoder, a server for the decoder.
#[derive(Debug, Default)]
enum Side {
    #[default]
    Unasked,
    Client(Arc<OnceLock<Arc<Flow>>>),
    Server(Option<Asked>),
}

/// A server's call, and when the decoder was made.
#[derive(Clone, Debug)]
struct Asked(Arc<Flow>, Moment);

/// Whose messages an encoder or decoder has.
#[derive(Debug)]
enum Whose {
    /// Known as soon as the request's body is polled.
    Client(Arc<OnceLock<Arc<Flow>>>),
    Server(Option<Asked>),
}

impl<C> Timed<C> {
    /// Times `inner`.
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            side: Side::Unasked,
        }
    }

    /// The codec inside.
    pub fn get_ref(&self) -> &C {
        &self.inner
    }

    /// The codec inside.
    pub fn get_mut(&mut self) -> &mut C {
        &mut self.inner
    }

    /// The codec inside.
    pub fn into_inner(self) -> C {
        self.inner
    }
}

/// A clone is for another call.
impl<C: Clone> Clone for Timed<C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<C: Codec> Codec for Timed<C> {
    type Encode = C::Encode;
    type Decode = C::Decode;
    type Encoder = TimedEncoder<C::Encoder>;
    type Decoder = TimedDecoder<C::Decoder>;

    fn encoder(&mut self) -> Self::Encoder {
        let whose = match &self.side {
            Side::Server(asked) => {
                if let Some(Asked(flow, at)) = asked {
                    flow.handler_answered(*at);
                }
                Whose::Server(asked.clone())
            }
            Side::Unasked | Side::Client(_) => {
                let call = Arc::default();
                self.side = Side::Client(Arc::clone(&call));
                Whose::Client(call)
            }
        };
        TimedEncoder {
            inner: self.inner.encoder(),
            whose,
        }
    }

    fn decoder(&mut self) -> Self::Decoder {
        let whose = match &self.side {
            Side::Client(call) => Whose::Client(call.clone()),
            Side::Unasked | Side::Server(_) => {
                let answered = scope::answered().filter(|flow| flow.codec.is_first_decoder());
                let asked = answered.map(|flow| {
                    let now = flow.kind.now();
                    Asked(flow, now)
                });
                self.side = Side::Server(asked.clone());
                Whose::Server(asked)
            }
        };
        TimedDecoder {
            inner: self.inner.decoder(),
            whose,
            messages: 0,
        }
    }
}

/// The encoder of a [`Timed`] codec.
#[derive(Debug)]
pub struct TimedEncoder<E> {
    inner: E,
    whose: Whose,
}

impl<E: Encoder<Error = Status>> Encoder for TimedEncoder<E> {
    type Item = E::Item;
    type Error = Status;

    #[inline]
    fn encode(&mut self, item: E::Item, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        self.whose.meet();
        let Some(flow) = self.whose.flow() else {
            return self.inner.encode(item, to);
        };
        let from = flow.kind.now();
        let encoded = self.inner.encode(item, to);
        flow.encoded(from, flow.kind.now());
        encoded
    }

    /// Asked for by tonic whenever it polls for a message: so a call is met that has none to send, or not yet.
    #[inline]
    fn buffer_settings(&self) -> BufferSettings {
        self.whose.meet();
        self.inner.buffer_settings()
    }
}

/// The decoder of a [`Timed`] codec.
#[derive(Debug)]
pub struct TimedDecoder<D> {
    inner: D,
    whose: Whose,
    messages: u64,
}

impl<D: Decoder<Error = Status>> Decoder for TimedDecoder<D> {
    type Item = D::Item;
    type Error = Status;

    #[inline]
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<D::Item>, Status> {
        let Some(flow) = self.whose.flow() else {
            return self.inner.decode(from);
        };
        let begun = flow.kind.now();
        let decoded = self.inner.decode(from);
        flow.decoded(begun, flow.kind.now());
        self.messages += u64::from(matches!(decoded, Ok(Some(_))));
        decoded
    }

    #[inline]
    fn buffer_settings(&self) -> BufferSettings {
        self.inner.buffer_settings()
    }
}

impl<D> Drop for TimedDecoder<D> {
    fn drop(&mut self) {
        if let Whose::Server(Some(Asked(flow, at))) = &self.whose {
            flow.decoder_gone(*at, self.messages);
        }
    }
}

impl Whose {
    /// A client's call is that whose body is polled.
    #[inline(always)]
    fn meet(&self) {
        if let Self::Client(call) = self
            && call.get().is_none()
            && let Some(flow) = scope::sender()
        {
            let _ = call.set(flow);
        }
    }

    #[inline(always)]
    fn flow(&self) -> Option<&Arc<Flow>> {
        match self {
            Self::Client(call) => call.get(),
            Self::Server(asked) => asked.as_ref().map(|Asked(flow, _)| flow),
        }
    }
}
