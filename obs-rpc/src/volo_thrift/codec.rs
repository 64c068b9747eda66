//! The codecs around Volo's codec: when bytes came and went, and when they were messages.

use super::failure::Broke;
use super::incoming::{Held, ServerCall};
use super::outgoing::with_attempt;
use super::settings::{ClientSettings, ServerSettings};
use super::watched::{Seen, Watched};
use crate::descriptor::{REQUEST_SIZE, RESPONSE_SIZE};
use ::volo_thrift::codec::{Decoder, Encoder, MakeCodec};
use ::volo_thrift::context::ThriftContext;
use ::volo_thrift::{EntryMessage, ThriftException, ThriftMessage};
use obs_core::semconv::obs;
use obs_core::{Event, Moment};
use pilota::thrift::TMessageType;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a codec returns for a message.
type Decoded<Msg> = Result<Option<ThriftMessage<Msg>>, ThriftException>;

/// A server's codec: see [`ThriftServerLayer::codec`](super::ThriftServerLayer::codec).
#[derive(Clone, Debug)]
pub struct ServerCodec<M> {
    inner: M,
    settings: &'static ServerSettings,
}

impl<M> ServerCodec<M> {
    pub(crate) fn new(inner: M, settings: &'static ServerSettings) -> Self {
        Self { inner, settings }
    }
}

impl<M, R, W> MakeCodec<R, W> for ServerCodec<M>
where
    M: MakeCodec<Watched<R>, Watched<W>>,
    R: AsyncRead + Unpin + Send + Sync + 'static,
    W: AsyncWrite + Unpin + Send + Sync + 'static,
{
    type Encoder = ServerEncoder<M::Encoder>;
    type Decoder = ServerDecoder<M::Decoder>;

    fn make_codec(&self, reader: R, writer: W) -> (Self::Encoder, Self::Decoder) {
        let settings = self.settings;
        let (read, written) = (Seen::new(settings.kind), Seen::new(settings.kind));
        let (encoder, decoder) = self
            .inner
            .make_codec(Watched::new(reader, &read), Watched::new(writer, &written));
        (
            ServerEncoder {
                inner: encoder,
                seen: written,
            },
            ServerDecoder {
                inner: decoder,
                settings,
                seen: read,
            },
        )
    }
}

/// Reads requests.
#[derive(Debug)]
pub struct ServerDecoder<D> {
    inner: D,
    settings: &'static ServerSettings,
    seen: Arc<Seen>,
}

/// A request that may be on its way. Dropped when something of it has come, it was given up half-way.
struct Arriving<'a> {
    settings: &'static ServerSettings,
    seen: &'a Seen,
    waiting: bool,
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        if self.waiting
            && let Some(began) = self.seen.first()
        {
            drop(ServerCall::unread(self.settings, began));
        }
    }
}

impl<D: Decoder> Decoder for ServerDecoder<D> {
    async fn decode<Msg: Send + EntryMessage, Cx: ThriftContext>(
        &mut self,
        cx: &mut Cx,
    ) -> Decoded<Msg> {
        let settings = self.settings;
        if settings.kind.is_disabled() {
            return self.inner.decode(cx).await;
        }
        let seen = &*self.seen;
        seen.reset();
        // Of one that lies in the buffer already, since its caller did not wait for the answer before.
        let asked = settings.kind.now();
        let mut arriving = Arriving {
            settings,
            seen,
            waiting: true,
        };
        let result = self.inner.decode(cx).await;
        arriving.waiting = false;
        let began = seen.first().unwrap_or(asked);
        match &result {
            Ok(Some(message)) => {
                let mut call = ServerCall::start(settings, cx, Some(began));
                call.read(cx, seen, began, true);
                if message.meta.msg_type == TMessageType::OneWay {
                    call.expects_nothing();
                }
                Held::put(call, cx);
            }
            Err(error) if seen.first().is_some() => failed(settings, cx, seen, began, error),
            // The connection is over, between two calls.
            Ok(None) | Err(_) => {}
        }
        result
    }

    async fn is_closed(&self) -> bool {
        self.inner.is_closed().await
    }
}

#[cold]
fn failed<Cx: ThriftContext>(
    settings: &'static ServerSettings,
    cx: &mut Cx,
    seen: &Seen,
    began: Moment,
    error: &ThriftException,
) {
    let mut call = match cx.rpc_info().method().is_empty() {
        true => ServerCall::unread(settings, began),
        false => ServerCall::start(settings, cx, Some(began)),
    };
    call.read(cx, seen, began, !seen.broke());
    call.not_read(error, seen.broke());
    match error {
        // Nothing is written any more.
        ThriftException::Transport(_) => call.end(),
        _ => Held::put(call, cx),
    }
}

/// Writes answers.
#[derive(Debug)]
pub struct ServerEncoder<E> {
    inner: E,
    seen: Arc<Seen>,
}

impl<E: Encoder> Encoder for ServerEncoder<E> {
    async fn encode<Msg: Send + EntryMessage, Cx: ThriftContext>(
        &mut self,
        cx: &mut Cx,
        msg: ThriftMessage<Msg>,
    ) -> Result<(), ThriftException> {
        let Some(mut call) = Held::take(cx) else {
            return self.inner.encode(cx, msg).await;
        };
        call.answered(&msg.data, cx);
        self.seen.reset();
        call.operation.stamp(Event::ENCODE_START);
        let result = self.inner.encode(cx, msg).await;
        call.written(&self.seen, &result);
        call.end();
        result
    }

    async fn is_closed(&self) -> bool {
        self.inner.is_closed().await
    }
}

/// A client's codec: see [`ThriftClientLayer::codec`](super::ThriftClientLayer::codec).
#[derive(Clone, Debug)]
pub struct ClientCodec<M> {
    inner: M,
    settings: &'static ClientSettings,
}

impl<M> ClientCodec<M> {
    pub(crate) fn new(inner: M, settings: &'static ClientSettings) -> Self {
        Self { inner, settings }
    }
}

impl<M, R, W> MakeCodec<R, W> for ClientCodec<M>
where
    M: MakeCodec<Watched<R>, Watched<W>>,
    R: AsyncRead + Unpin + Send + Sync + 'static,
    W: AsyncWrite + Unpin + Send + Sync + 'static,
{
    type Encoder = ClientEncoder<M::Encoder>;
    type Decoder = ClientDecoder<M::Decoder>;

    fn make_codec(&self, reader: R, writer: W) -> (Self::Encoder, Self::Decoder) {
        let kind = self.settings.kind;
        let (read, written) = (Seen::new(kind), Seen::new(kind));
        let (encoder, decoder) = self
            .inner
            .make_codec(Watched::new(reader, &read), Watched::new(writer, &written));
        (
            ClientEncoder {
                inner: encoder,
                seen: written,
                used: false,
            },
            ClientDecoder {
                inner: decoder,
                seen: read,
            },
        )
    }
}

/// Writes requests. The attempt is what is current: it is polled around this.
#[derive(Debug)]
pub struct ClientEncoder<E> {
    inner: E,
    seen: Arc<Seen>,
    used: bool,
}

/// A request that is being written, and says at its end how far it came.
struct Sending<'a> {
    seen: &'a Seen,
    sent: bool,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        with_attempt(|active| {
            active.set_measure(REQUEST_SIZE, self.seen.bytes());
            match self.seen.first() {
                Some(began) => {
                    active.stamp_at(Event::ENCODE_FINISH, began);
                    active.stamp_at(Event::WRITE_START, began);
                }
                None => active.stamp(Event::ENCODE_FINISH),
            }
            if self.sent {
                active.stamp_all(&[Event::WRITE_FINISH, Event::WAIT_READ_START]);
            }
        });
    }
}

impl<E: Encoder> Encoder for ClientEncoder<E> {
    async fn encode<Msg: Send + EntryMessage, Cx: ThriftContext>(
        &mut self,
        cx: &mut Cx,
        msg: ThriftMessage<Msg>,
    ) -> Result<(), ThriftException> {
        let used = std::mem::replace(&mut self.used, true);
        let observed = with_attempt(|active| {
            active.stamp_all(&[Event::CLIENT_CONN_FINISH, Event::ENCODE_START]);
            active.set(obs::RPC_CONNECTION_REUSED, used);
        });
        if observed.is_none() {
            return self.inner.encode(cx, msg).await;
        }
        self.seen.reset();
        let mut sending = Sending {
            seen: &self.seen,
            sent: false,
        };
        let result = self.inner.encode(cx, msg).await;
        sending.sent = result.is_ok();
        drop(sending);
        if result.is_err() && self.seen.first().is_none() {
            cx.extensions_mut().insert(Broke::Encoding);
        }
        result
    }

    async fn is_closed(&self) -> bool {
        self.inner.is_closed().await
    }
}

/// Reads answers. Multiplexed, one task reads for all calls, and none is current there.
#[derive(Debug)]
pub struct ClientDecoder<D> {
    inner: D,
    seen: Arc<Seen>,
}

/// An answer that is waited for, and says at its end how much of it came.
struct Waiting<'a> {
    seen: &'a Seen,
    /// All of it did.
    done: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(first) = self.seen.first() else {
            return;
        };
        with_attempt(|active| {
            active.stamp_at(Event::WAIT_READ_FINISH, first);
            active.stamp_at(Event::READ_START, first);
            if self.done {
                let last = self.seen.last().unwrap_or(first);
                active.stamp_at(Event::READ_FINISH, last);
                active.stamp_at(Event::DECODE_START, last);
                active.stamp(Event::DECODE_FINISH);
            }
            active.set_measure(RESPONSE_SIZE, self.seen.bytes());
        });
    }
}

impl<D: Decoder> Decoder for ClientDecoder<D> {
    async fn decode<Msg: Send + EntryMessage, Cx: ThriftContext>(
        &mut self,
        cx: &mut Cx,
    ) -> Decoded<Msg> {
        self.seen.reset();
        let mut waiting = Waiting {
            seen: &self.seen,
            done: false,
        };
        let result = self.inner.decode(cx).await;
        waiting.done = !self.seen.broke();
        drop(waiting);
        if result.is_err() {
            cx.extensions_mut().insert(match self.seen.broke() {
                true => Broke::Connection,
                false => Broke::Decoding,
            });
        }
        result
    }

    async fn is_closed(&self) -> bool {
        self.inner.is_closed().await
    }
}
