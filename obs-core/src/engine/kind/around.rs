//! Whether an operation runs within others of a kind, however many others are between.
//!
//! Only the innermost operation is at hand on a thread. So what runs within a kind that is asked for carries one bit of it,
//! which its children take over beside the trace: nobody looks for it but who asks, and a root has nothing to take over.

use super::Kind;
use crate::attached;
use crate::context::{self, ContextMode};
use crate::descriptor::Descriptor;
use crate::engine::live::{Flags, Live};
use crate::handle::OpRef;
use crate::parent::deeper_than;
use crate::scope;
use crate::shared::Identity;
use crate::thread;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The kinds that are asked for, of all telemetries and for as long as the program runs. Pointers, so that it takes no lock.
static ASKED: [AtomicPtr<Descriptor>; Flags::AROUND] =
    [const { AtomicPtr::new(ptr::null_mut()) }; Flags::AROUND];

impl Kind {
    /// From now on, what starts within an operation of this kind knows it, and what starts within that, for
    /// [`is_around`](Self::is_around). Fifteen kinds of a process have room; of any further one only the current operation is
    /// known.
    pub fn watch_around(&self) {
        let descriptor = ptr::from_ref(self.descriptor).cast_mut();
        let is_its = |place: &AtomicPtr<Descriptor>| {
            let (null, order) = (ptr::null_mut(), Ordering::Relaxed);
            match place.compare_exchange(null, descriptor, order, order) {
                Ok(_) => true,
                Err(other) => ptr::eq(other, descriptor),
            }
        };
        if let Some(index) = ASKED.iter().position(is_its) {
            let bit = Flags::around_bit(index).to_bits();
            self.around.store(bit, Ordering::Relaxed);
        }
    }

    /// Whether what is current on this thread is an operation of this kind, or was started within one whose kind [is
    /// watched](Self::watch_around); of whichever telemetry. What [`is_current`](Self::is_current) says of the innermost alone.
    ///
    /// What is served (its kind's spans are of servers or consumers) and what its parent is [said](crate::Parent) for begins anew.
    pub fn is_around(&self) -> bool {
        context::peek(|current| match current {
            Some(live) => {
                self.is_it(live.kind.descriptor, live.flags) || self.is_around_below(live)
            }
            None => self.is_around_elsewhere(),
        })
    }

    /// Whether what is behind a handle is an operation of this kind, or was started within one: [`is_around`](Self::is_around) for
    /// work whose parent is said and not current.
    pub fn is_around_handle(&self, handle: &OpRef) -> bool {
        self.is_of(Some(handle.0.identity()))
    }

    /// A context that was carried here lies deeper than what is polled, as it does for a child.
    fn is_around_below(&self, live: &Live) -> bool {
        let carried = live.kind.context != ContextMode::Off && deeper_than(live.span_id).is_some();
        carried && self.is_of(attached::find_current().map(|found| found.identity()))
    }

    /// Nothing is polled here: perhaps somebody works in the scope of a handle, or in a context that was carried here.
    #[cold]
    #[inline(never)]
    fn is_around_elsewhere(&self) -> bool {
        let identity = match scope::handle() {
            Some(handle) => Some(handle.0.identity()),
            None if self.context == ContextMode::Off || !has_span() => None,
            None => attached::find_current().map(|found| found.identity()),
        };
        self.is_of(identity)
    }

    fn is_of(&self, identity: Option<Identity>) -> bool {
        identity.is_some_and(|identity| {
            let descriptor = identity.descriptor;
            descriptor.is_some_and(|descriptor| self.is_it(descriptor, identity.around))
        })
    }

    fn is_it(&self, descriptor: &'static Descriptor, around: Flags) -> bool {
        ptr::eq(descriptor, self.descriptor) || around.has(self.around_bit())
    }

    fn around_bit(&self) -> Flags {
        Flags::of_bits(self.around.load(Ordering::Relaxed))
    }
}

/// Whether OpenTelemetry's context has a span here.
fn has_span() -> bool {
    thread::sees_otel() && Context::map_current(|context| context.has_active_span())
}

impl Live {
    /// Which watched kinds its children run within.
    #[inline(always)]
    pub(crate) fn around_child(&self) -> Flags {
        self.flags.around().or(self.kind.around_bit())
    }
}
