//! The operation that is current on this thread: what code deep inside a handler says about it.
//!
//! Every call is a no-op where nothing is current or what is current is not recorded.

use crate::attributes::{Key, Set};
use crate::context::with_current;
use crate::event::Event;
use crate::handle::OpRef;
use crate::instrument::Within;
use crate::operation::Active;

/// Stamps an event point of the current operation.
#[inline(always)]
pub fn stamp(event: Event) {
    with_current(|active| active.0.stamp(event));
}

/// Sets an attribute of the current operation.
#[inline(always)]
pub fn set<'v>(key: Key, value: impl Into<Set<'v>>) {
    with_current(|active| active.0.set(key, value.into()));
}

/// Sets an attribute of the current operation to text that lives as long as the program.
#[inline(always)]
pub fn set_static(key: Key, value: &'static str) {
    with_current(|active| active.0.set(key, Set::Static(value)));
}

/// Runs `work` with the current operation. Inside `work` itself nothing is current.
#[inline]
pub fn with<R>(work: impl FnOnce(&mut Active<'_>) -> R) -> Option<R> {
    with_current(|mut active| work(&mut active))
}

/// A handle to the current operation.
pub fn handle() -> Option<OpRef> {
    with_current(|mut active| active.handle())
}

/// Makes `future` part of the current operation, for `spawn`; where nothing is current it passes through.
pub fn instrument<F: Future>(future: F) -> Within<F> {
    Within::new(handle().and_then(|handle| handle.context()), future)
}

/// Writes what an outgoing call of the current operation carries: see [`Active::inject`]. Says whether there is one.
pub fn inject(set: impl FnMut(&'static str, &str)) -> bool {
    with_current(|active| active.inject(set)).is_some()
}
