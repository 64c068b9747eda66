//! Which operation is current on this thread.

use crate::attached;
use crate::engine::live::{Flags, Live};
use crate::operation::{Active, Operation};
use crate::outcome::Outcome;
use crate::scope;
use opentelemetry::ContextGuard;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::thread::LocalKey;

/// What of an operation the rest of OpenTelemetry sees while the operation is current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContextMode {
    /// A span: spans and logs of others get its ids, and attributes, events, links, status and name set on the
    /// current span land in the operation. Two allocations per operation.
    #[default]
    Full,
    /// The ids only. One allocation per operation.
    IdsOnly,
    /// Nothing: only this crate knows what is current.
    Off,
}

thread_local! {
    /// The operation being polled on this thread, by value. Without a destructor: it is empty whenever no poll is on
    /// the stack, and usable in other thread-locals' destructors.
    static CURRENT: ManuallyDrop<Cell<Option<Box<Live>>>> = const { ManuallyDrop::new(Cell::new(None)) };
}

/// A box of this thread, by value: taken and put back. No destructor, no state to look at.
pub(crate) type Slot<T> = LocalKey<ManuallyDrop<Cell<Option<Box<T>>>>>;

/// Puts something into a slot that is empty. Assignment would call the drop glue of what was there each time, and a closure
/// that does more than this is kept out of line.
#[inline(always)]
pub(crate) fn put<T>(slot: &'static Slot<T>, value: Option<Box<T>>) {
    let old = slot.with(|cell| cell.replace(value));
    if old.is_some() {
        drop_rare(old);
    } else {
        std::mem::forget(old);
    }
}

#[cold]
#[inline(never)]
fn drop_rare<T>(old: Option<Box<T>>) {
    drop(old);
}

/// The current operation by value, for the length of `work`, which must not unwind.
#[inline(always)]
pub(crate) fn peek<R>(work: impl FnOnce(Option<&mut Live>) -> R) -> R {
    // Two short visits: a closure around `work` would be kept out of line.
    match CURRENT.with(|cell| cell.take()) {
        Some(mut live) => {
            let result = work(Some(&mut live));
            put(&CURRENT, Some(live));
            result
        }
        None => work(None),
    }
}

/// Runs `work` with the operation that is current on this thread, if there is one and it is recorded.
#[inline(always)]
pub(crate) fn with_current<R>(work: impl FnOnce(Active<'_>) -> R) -> Option<R> {
    let mut borrowed = Borrowed(Some(CURRENT.with(|cell| cell.take())?));
    borrowed.0.as_deref_mut().map(|live| work(Active(live)))
}

/// The same for code of the user's: inside of `work` nothing is current, the handle in whose scope the operation is polled
/// neither.
#[inline]
pub(crate) fn lend<R>(work: impl FnOnce(Active<'_>) -> R) -> Option<R> {
    with_current(|active| {
        let _hidden = scope::Hidden::all();
        work(active)
    })
}

/// For a handle's scope, which takes the place of what is polled around it.
pub(crate) fn replace(live: Option<Box<Live>>) -> Option<Box<Live>> {
    CURRENT.with(|cell| cell.replace(live))
}

/// Puts the current operation back, also when the code that looked at it unwinds.
struct Borrowed(Option<Box<Live>>);

impl Drop for Borrowed {
    #[inline(always)]
    fn drop(&mut self) {
        put(&CURRENT, self.0.take());
    }
}

impl Operation {
    /// Makes it current until the guard is left or dropped. For layers that wrap a poll: guards must be left in the
    /// reverse order of entering, on the same thread. Everybody else uses [`scope`](Self::scope) and
    /// [`instrument`](Self::instrument).
    #[doc(hidden)]
    #[inline(always)]
    pub fn enter(&mut self) -> Entered<'_> {
        let Some(live) = &mut self.0 else {
            return Entered {
                operation: self,
                previous: None,
                entered: false,
                context: None,
            };
        };
        let context = match live.kind.attaches {
            false => None,
            true => attached::attach(live, live.kind.context),
        };
        let previous = CURRENT.with(|cell| cell.replace(self.0.take()));
        Entered {
            operation: self,
            previous,
            entered: true,
            context,
        }
    }

    /// Ends it as dropping it would, and says as what: `None` where it has ended. For layers with something beside it.
    #[doc(hidden)]
    #[cold]
    pub fn end_as_dropped(&mut self) -> Option<Outcome> {
        self.0.take().map(Self::end_dropped)
    }

    /// Runs `work` with this operation current.
    pub fn scope<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let entered = self.enter();
        let result = work();
        entered.leave();
        result
    }
}

/// An operation is current while this lives.
#[doc(hidden)]
#[derive(Debug)]
#[must_use]
pub struct Entered<'a> {
    operation: &'a mut Operation,
    previous: Option<Box<Live>>,
    entered: bool,
    context: Option<ContextGuard>,
}

impl Entered<'_> {
    /// Leaves, on the way that does not unwind.
    #[inline(always)]
    pub fn leave(self) {
        // Taken apart by hand: the fields' drop glue costs more than what it would find to do.
        let mut this = ManuallyDrop::new(self);
        if this.entered {
            this.restore();
        }
    }

    #[inline(always)]
    fn restore(&mut self) {
        let live = CURRENT.with(|cell| cell.replace(self.previous.take()));
        // Taken at the entry: there is nothing to drop.
        std::mem::forget(std::mem::replace(&mut self.operation.0, live));
        if self.context.is_some() {
            drop(self.context.take());
        }
    }
}

impl Drop for Entered<'_> {
    /// Only an unwinding poll comes here.
    #[cold]
    fn drop(&mut self) {
        if self.entered {
            self.restore();
            if let Some(live) = &mut self.operation.0
                && std::thread::panicking()
            {
                live.flags.set(Flags::PANICKED);
            }
        }
    }
}
