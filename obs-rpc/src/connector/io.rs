//! A connection, passed through untouched. Until its keys are agreed on it is looked at which records are written.

use super::line::Dialling;
use super::records::{Records, Told};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Debug)]
pub(super) struct Connection<T> {
    inner: T,
    /// Where keys are to be agreed on.
    handshake: Option<Box<Handshake>>,
}

#[derive(Debug)]
struct Handshake {
    dialling: Dialling,
    records: Records,
}

impl<T> Connection<T> {
    pub(super) fn new(inner: T, dialling: Option<Dialling>) -> Self {
        Self {
            inner,
            handshake: dialling.map(|dialling| {
                Box::new(Handshake {
                    dialling,
                    records: Records::default(),
                })
            }),
        }
    }

    #[cold]
    #[inline(never)]
    fn written<'a>(&mut self, data: impl IntoIterator<Item = &'a [u8]>, mut count: usize) {
        let mut over = false;
        let Some(handshake) = &mut self.handshake else {
            return;
        };
        let Handshake { dialling, records } = &mut **handshake;
        for part in data {
            let part = &part[..count.min(part.len())];
            count -= part.len();
            records.feed(part, |told| match told {
                Told::Begins => dialling.shakes_hands(),
                Told::Over | Told::NotTls => over = true,
            });
            if over {
                dialling.is_ready();
                self.handshake = None;
                return;
            }
        }
    }
}

/// It was closed before it could be sent over.
impl Drop for Handshake {
    fn drop(&mut self) {
        self.dialling.dropped();
    }
}

impl<T: Read + Unpin> Read for Connection<T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl<T: Write + Unpin> Write for Connection<T> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, data);
        if self.handshake.is_some()
            && let Poll::Ready(Ok(count)) = polled
        {
            self.written([data], count);
        }
        polled
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        if self.handshake.is_some()
            && let Poll::Ready(Ok(count)) = polled
        {
            self.written(parts.iter().map(|part| &**part), count);
        }
        polled
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    #[inline]
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
