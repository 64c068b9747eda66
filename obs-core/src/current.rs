//! The operation that is current on this thread: what code deep inside a handler says about it.
//!
//! Current is the innermost of the operation that is polled here ([`Operation::scope`](crate::Operation::scope),
//! [`Operation::instrument`](crate::Operation::instrument), a layer) and the one behind a handle in whose scope this is
//! ([`wrap`], [`OpRef::in_scope`], [`OpRef::wrap`]): a part of an operation that was spawned.
//!
//! Where it is polled the record itself is at hand. In a handle's scope it is elsewhere, perhaps at work on another thread:
//! attributes, events, links and stamps are left where its end collects them, which allocates and takes a lock of that one
//! operation, and what comes after its end is counted as a late call. [`with`] needs the record and has none there.
//!
//! Every call is a no-op where nothing is current or what is current is not recorded.

use crate::ambient;
use crate::attributes::{Key, Set};
use crate::context::{lend, with_current};
use crate::event::Event;
use crate::handle::OpRef;
use crate::instrument::Within;
use crate::operation::Active;
use crate::scope::{self, with_handle};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanContext;
use std::borrow::Cow;
use std::cell::Cell;

/// Stamps an event point of the current operation.
#[inline(always)]
pub fn stamp(event: Event) {
    if with_current(|active| active.0.stamp(event)).is_none() {
        with_handle(|handle| handle.stamp(event));
    }
}

/// Sets an attribute of the current operation.
#[inline(always)]
pub fn set<'v>(key: Key, value: impl Into<Set<'v>>) {
    let value = value.into();
    if with_current(|active| active.0.set(key, value)).is_none() {
        with_handle(|handle| handle.set(key, value));
    }
}

/// Sets an attribute of the current operation to text that lives as long as the program.
#[inline(always)]
pub fn set_static(key: Key, value: &'static str) {
    if with_current(|active| active.0.set(key, Set::Static(value))).is_none() {
        with_handle(|handle| handle.set(key, Set::Static(value)));
    }
}

/// Adds an event with attributes to the current operation.
pub fn add_event(name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>) {
    if let Some(handle) = scope_only() {
        return handle.add_event(name, attributes);
    }
    let name = name.into();
    with_current(|active| active.0.event(name, attributes));
}

/// Adds an `exception` event to the current operation. It does not decide the outcome.
pub fn record_exception(kind: &str, message: &str, stacktrace: Option<&str>) {
    if let Some(handle) = scope_only() {
        return handle.record_exception(kind, message, stacktrace);
    }
    with_current(|mut active| active.record_exception(kind, message, stacktrace));
}

/// Adds a link to the current operation.
pub fn add_link(context: SpanContext, attributes: Vec<KeyValue>) {
    if let Some(handle) = scope_only() {
        return handle.add_link(context, attributes);
    }
    with_current(|mut active| active.add_link(context, attributes));
}

/// The handle, where the current operation is reached through one.
fn scope_only() -> Option<OpRef> {
    match with_current(|_| ()) {
        Some(()) => None,
        None => scope::handle(),
    }
}

/// Runs `work` with the current operation where it is polled on this thread; in a handle's scope there is none. Inside `work`
/// itself nothing is current.
#[inline]
pub fn with<R>(work: impl FnOnce(&mut Active<'_>) -> R) -> Option<R> {
    lend(|mut active| work(&mut active))
}

/// A handle to the current operation.
pub fn handle() -> Option<OpRef> {
    with_current(|mut active| active.handle()).or_else(scope::handle)
}

/// Makes `future` part of the current operation, for `spawn`; where nothing is current it passes through.
pub fn wrap<F: Future>(future: F) -> Within<F> {
    Within::new(handle(), future)
}

/// Whether telemetry is suppressed here, as in a delivery of telemetry, where a layer makes none. Not inside of an operation: what
/// is polled here is not suppressed.
#[doc(hidden)]
#[inline]
pub fn is_suppressed() -> bool {
    crate::context::peek(|current| current.is_none()) && crate::quiet::is_suppressed()
}

thread_local! {
    static GIVEN_UP: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, in which a layer drops what was working for a caller that has gone away: what ends in it by being dropped was
/// not given up by anybody here, but with the rest.
#[doc(hidden)]
#[inline]
pub fn giving_up<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            GIVEN_UP.set(self.0);
        }
    }
    let _restore = Restore(GIVEN_UP.replace(true));
    work()
}

/// Whether what is dropped here is dropped with the operation around it.
#[doc(hidden)]
#[inline]
pub fn is_given_up() -> bool {
    GIVEN_UP.get()
}

/// Writes what an outgoing call from here carries, as the W3C's headers: the ids that [`Parent::Current`] would make a parent
/// of, so those of a user's span where one is open inside the operation (or without any), and the operation's baggage.
/// Says whether there is anything. An operation's own ids are [`Active::inject`]'s.
///
/// [`Parent::Current`]: crate::Parent::Current
pub fn inject(set: impl FnMut(&'static str, &str)) -> bool {
    ambient::inject(set)
}
