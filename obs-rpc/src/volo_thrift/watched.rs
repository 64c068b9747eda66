//! The halves of a connection, looked at from between Volo's codec and the socket.

use obs_core::{Kind, Moment};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use volo::net::ext::AsyncExt;

/// What one half did since the last message. The half writes and its codec reads, one after the other.
#[derive(Debug)]
pub(crate) struct Seen {
    kind: &'static Kind,
    first: AtomicU64,
    last: AtomicU64,
    bytes: AtomicU64,
    broke: AtomicBool,
}

/// Codec and half are one task.
const ORDER: Ordering = Ordering::Relaxed;

impl Seen {
    pub(crate) fn new(kind: &'static Kind) -> Arc<Self> {
        Arc::new(Self {
            kind,
            first: AtomicU64::new(0),
            last: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            broke: AtomicBool::new(false),
        })
    }

    /// A message begins.
    pub(crate) fn reset(&self) {
        self.first.store(0, ORDER);
        self.last.store(0, ORDER);
        self.bytes.store(0, ORDER);
    }

    fn begin(&self) -> Moment {
        let now = self.kind.now();
        if self.first.load(ORDER) == 0 {
            self.first.store(now.to_bits(), ORDER);
        }
        now
    }

    fn moved(&self, bytes: usize) {
        self.bytes.store(self.bytes() + bytes as u64, ORDER);
    }

    /// When the first byte of the message was there, or was handed to the socket.
    pub(crate) fn first(&self) -> Option<Moment> {
        Moment::from_bits(self.first.load(ORDER))
    }

    /// When the last one so far was there.
    pub(crate) fn last(&self) -> Option<Moment> {
        Moment::from_bits(self.last.load(ORDER))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(ORDER)
    }

    /// Whether the connection is over, by either side.
    pub(crate) fn broke(&self) -> bool {
        self.broke.load(ORDER)
    }
}

/// One half of a connection. What goes through it is untouched.
#[derive(Debug)]
pub struct Watched<T> {
    inner: T,
    seen: Arc<Seen>,
}

impl<T> Watched<T> {
    pub(crate) fn new(inner: T, seen: &Arc<Seen>) -> Self {
        Self {
            inner,
            seen: seen.clone(),
        }
    }

    /// The half inside.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The half inside.
    pub fn into_inner(self) -> T {
        self.inner
    }

    fn wrote(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Ready(Ok(bytes)) => self.seen.moved(*bytes),
            Poll::Ready(Err(_)) => self.seen.broke.store(true, ORDER),
            Poll::Pending => {}
        }
        polled
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let result = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer));
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            let now = self.seen.begin();
            self.seen.last.store(now.to_bits(), ORDER);
            self.seen.moved(bytes);
        } else if room > 0 || result.is_err() {
            self.seen.broke.store(true, ORDER);
        }
        Poll::Ready(result)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.seen.begin();
        let polled = Pin::new(&mut self.inner).poll_write(cx, buffer);
        self.wrote(polled)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.seen.begin();
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<T: AsyncExt> AsyncExt for Watched<T> {
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
        self.inner.ready(interest)
    }
}
