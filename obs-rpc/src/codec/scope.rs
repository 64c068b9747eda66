//! Whose message is encoded or decoded on this thread: what a layer of ours polls, it names here.
//!
//! A request's body is polled by the task of its connection, and what a server calls a codec for is polled within the future of
//! the layer: in neither does anybody hand the codec anything. Below Detailed nothing is named, so that nothing is paid.

use crate::call::flow::Flow;
use obs_core::otel::trace::SpanKind;
use std::cell::Cell;
use std::sync::Arc;

pub(crate) use super::timings::Timings as Codec;

#[derive(Debug)]
enum Polled {
    /// The body of a client's request.
    Body(Arc<Flow>),
    /// The future that answers.
    Handler(Arc<Flow>),
}

thread_local! {
    static POLLED: Cell<Option<Polled>> = const { Cell::new(None) };
    /// Whether there is one. Without a destructor, so that to find none is a plain load.
    static IS_NAMED: Cell<bool> = const { Cell::new(false) };
}

/// Puts back what was polled around it, however the poll ends.
struct Restore(Option<Polled>);

impl Drop for Restore {
    fn drop(&mut self) {
        let before = self.0.take();
        IS_NAMED.set(before.is_some());
        // A thread that ends polls nothing any more.
        let _ = POLLED.try_with(|polled| polled.set(before));
    }
}

#[inline]
fn within<R>(polled: Polled, poll: impl FnOnce() -> R) -> R {
    let before = POLLED.try_with(|now| now.replace(Some(polled)));
    let _restore = Restore(before.ok().flatten());
    IS_NAMED.set(true);
    poll()
}

/// Polls a request's body. Only a client's is encoded meanwhile.
#[inline(always)]
pub(crate) fn request<R>(flow: &Arc<Flow>, poll: impl FnOnce() -> R) -> R {
    if !flow.is_detailed() {
        return poll();
    }
    if is_server(flow) {
        flow.codec.body_polled();
        return poll();
    }
    within(Polled::Body(flow.clone()), poll)
}

/// Polls the future of a response. Only that of a server calls the codec.
#[inline(always)]
pub(crate) fn handler<R>(flow: Option<&Arc<Flow>>, poll: impl FnOnce() -> R) -> R {
    match flow {
        Some(flow) if flow.is_detailed() && is_server(flow) => {
            flow.codec.count_poll();
            within(Polled::Handler(flow.clone()), poll)
        }
        _ => poll(),
    }
}

#[inline(always)]
pub(super) fn is_server(flow: &Flow) -> bool {
    matches!(flow.kind.descriptor().span_kind, SpanKind::Server)
}

#[inline(always)]
fn look<R>(found: impl FnOnce(&Polled) -> Option<R>) -> Option<R> {
    if !IS_NAMED.get() {
        return None;
    }
    POLLED
        .try_with(|polled| {
            let now = polled.take();
            let seen = now.as_ref().and_then(found);
            polled.set(now);
            seen
        })
        .ok()
        .flatten()
}

/// The call whose request's body is polled here.
pub(super) fn sender() -> Option<Arc<Flow>> {
    look(|polled| match polled {
        Polled::Body(flow) => Some(flow.clone()),
        Polled::Handler(_) => None,
    })
}

/// The call that is answered here.
pub(super) fn answered() -> Option<Arc<Flow>> {
    look(|polled| match polled {
        Polled::Handler(flow) => Some(flow.clone()),
        Polled::Body(_) => None,
    })
}

/// Whether this call is answered here.
pub(super) fn is_answered(codec: &Codec) -> bool {
    let is = |flow: &Arc<Flow>| std::ptr::eq(&flow.codec, codec).then_some(());
    look(|polled| match polled {
        Polled::Handler(flow) => is(flow),
        Polled::Body(_) => None,
    })
    .is_some()
}
