//! Where encoded items of one processor wait for the collector's round, bounded in bytes.
//!
//! A thread appends to a stripe of its own, or nearly: there are as many as threads that run at a time. A stripe holds at
//! most [`CUT`] bytes, fewer where less may wait for a destination; when they are used up, whoever comes next hands them to the couriers, whose queue is bounded too and
//! lets the oldest go. So nothing is dropped here but what is too large for any request, and what comes after shutdown.

use super::SignalCounts;
use crate::courier::{Couriers, Signal};
use crate::encode::sdk::{Items, Named, bodies};
use crate::encode::{BODY_LIMIT, ResourceBytes};
use crate::engine::Engine;
use crate::engine::intakes::Waiting;
use crate::fork::{Anew, Kept, PerProcess};
use crate::sync::lock_std;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::time::Duration;

/// Bytes that one stripe holds at most: some hundred spans, and a copy that nobody notices.
pub(super) const CUT: usize = 128 << 10;

pub(super) struct Intake {
    signal: Signal,
    engine: &'static Engine,
    couriers: Couriers,
    resource: Kept<ResourceBytes>,
    /// The longest item that a body has room for.
    limit: AtomicUsize,
    /// Bytes of one body, unless a single item is longer.
    body: usize,
    /// Bytes that one stripe holds.
    cut: usize,
    /// A forked child has its own: what waits in its parent's is its parent's to send.
    stripes: PerProcess<Stripes>,
    /// The process this was made in.
    owner: u32,
}

#[derive(Debug)]
struct Stripes {
    each: Box<[Mutex<Stripe>]>,
    /// Parts that were cut and are not with the couriers yet.
    in_transit: AtomicUsize,
}

impl Stripes {
    fn new(number: usize) -> Self {
        Self {
            each: (0..number).map(|_| Mutex::default()).collect(),
            in_transit: AtomicUsize::new(0),
        }
    }
}

impl Anew for Stripes {
    fn anew(&self) -> Self {
        Self::new(self.each.len())
    }
}

#[derive(Debug, Default)]
struct Stripe {
    items: Items,
    /// Memory that comes back from what was cut before.
    spare: Vec<u8>,
    counted: SignalCounts,
    /// How much of it is in the telemetry's counts.
    settled: SignalCounts,
    closed: bool,
}

impl Stripe {
    /// Takes out what is there.
    fn cut(&mut self, room: usize) -> Items {
        let mut fresh = std::mem::take(&mut self.spare);
        fresh.reserve_exact(room);
        let next = Items::again(fresh, &self.items, room / 2);
        let cut = std::mem::replace(&mut self.items, next);
        self.counted.handed_over += cut.count();
        cut
    }
}

impl Intake {
    /// Registers it with the telemetry, which empties it at each round.
    pub(super) fn new(
        engine: &'static Engine,
        couriers: Couriers,
        signal: Signal,
        resource: ResourceBytes,
    ) -> Arc<Self> {
        let threads = std::thread::available_parallelism().map_or(4, usize::from);
        let stripes = threads.next_power_of_two().clamp(1, MAX_STRIPES);
        let body = couriers.body_limit(BODY_LIMIT);
        let intake = Arc::new(Self {
            signal,
            engine,
            couriers,
            body,
            cut: body.min(CUT),
            limit: AtomicUsize::new(limit_beside(&resource)),
            resource: Kept::new(resource, || ResourceBytes::new([], None)),
            stripes: PerProcess::new(Stripes::new(stripes)),
            owner: std::process::id(),
        });
        let weak: Weak<Self> = Arc::downgrade(&intake);
        engine.intakes.add(weak);
        // It may have been closed before it knew of this one.
        if engine.is_closed() {
            intake.close();
        }
        intake
    }

    pub(super) fn set_resource(&self, resource: ResourceBytes) {
        self.limit.store(limit_beside(&resource), Ordering::Relaxed);
        *self.resource.write() = resource;
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    pub(super) fn engine(&self) -> &'static Engine {
        self.engine
    }

    pub(super) fn couriers(&self) -> &Couriers {
        &self.couriers
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Takes one item over; `None` is one that is longer than [`limit`](Self::limit).
    pub(super) fn take(&self, of: Named<'_>, item: Option<&[u8]>) {
        self.engine.look_for_fork();
        let Some((index, mut guard)) = self.stripe() else {
            self.engine.counts.of_sdk(self.signal).created.add(1);
            self.couriers.push(self.signal, &[], 1);
            return;
        };
        let stripe = &mut *guard;
        stripe.counted.created += 1;
        if stripe.closed {
            stripe.counted.after_shutdown += 1;
            return;
        }
        let item = item.and_then(|item| Some((stripe.items.scope(of)?, item)));
        let Some((scope, item)) = item else {
            stripe.counted.too_large += 1;
            return;
        };
        if stripe.items.weight() + item.len() <= self.cut {
            stripe.items.push(scope, item, 1);
            return;
        }
        // Or the books would miss what is neither here nor with the couriers.
        let flow = &self.engine.flow;
        flow.moving(|| self.take_beyond(index, guard, scope, of, item));
    }

    /// The same where a stripe is full.
    #[cold]
    fn take_beyond(
        &self,
        index: usize,
        mut stripe: MutexGuard<'_, Stripe>,
        mut scope: usize,
        of: Named<'_>,
        item: &[u8],
    ) {
        let mut cut = [None, None];
        if !stripe.items.is_empty() {
            cut[0] = Some(stripe.cut(self.cut));
            scope = stripe.items.scope(of).unwrap_or(scope);
        }
        stripe.items.push(scope, item, 1);
        if stripe.items.weight() > self.cut {
            cut[1] = Some(stripe.cut(self.cut));
        }
        let in_transit = &self.stripes.in_transit;
        in_transit.fetch_add(1, Ordering::SeqCst);
        drop(stripe);
        for items in cut.into_iter().flatten() {
            self.send(std::slice::from_ref(&items));
            self.give_back(index, items);
        }
        in_transit.fetch_sub(1, Ordering::SeqCst);
    }

    /// What became of everything so far: exact at every moment.
    pub(super) fn counts(&self) -> SignalCounts {
        let mut sum = SignalCounts::default();
        // All at once, so that nothing moves from one to another meanwhile.
        let stripes: Vec<_> = self.locked().collect();
        for (_, stripe) in &stripes {
            sum.add(&stripe.counted);
            sum.waiting += stripe.items.count();
        }
        sum
    }

    /// Whether this is a child of the process whose threads emptied it. Nothing of the parent's is the child's to send, and
    /// what a thread held that does not exist there is held for ever.
    fn is_forked_child(&self) -> bool {
        self.engine.config.threads && std::process::id() != self.owner
    }

    /// All stripes, each locked when it comes; in a forked child those that can be.
    fn locked(&self) -> impl Iterator<Item = (usize, MutexGuard<'_, Stripe>)> {
        let forked = self.is_forked_child();
        let each = self.stripes.each.iter().enumerate();
        each.filter_map(move |(index, stripe)| {
            let guard = if forked {
                try_lock(stripe)?
            } else {
                lock_std(stripe)
            };
            Some((index, guard))
        })
    }

    /// This thread's stripe, or, if somebody is at it, another one that is free. None in a forked child where none is.
    fn stripe(&self) -> Option<(usize, MutexGuard<'_, Stripe>)> {
        let all = self.stripes.each.len();
        let mine = thread_number();
        for turn in 0..all {
            // The number of stripes is a power of two.
            let index = mine.wrapping_add(turn) & (all - 1);
            if let Some(stripe) = self.stripes.each.get(index).and_then(try_lock) {
                return Some((index, stripe));
            }
        }
        if self.is_forked_child() {
            return None;
        }
        let index = mine & (all - 1);
        Some((index, lock_std(self.stripes.each.get(index)?)))
    }

    fn send(&self, parts: &[Items]) {
        if self.is_forked_child() {
            // It counts them.
            let items = parts.iter().map(Items::count).sum();
            self.couriers.push(self.signal, &[], items);
            return;
        }
        let resource = self.resource.read().clone();
        bodies(&resource, parts, self.body, &mut |body, items| {
            self.couriers.push(self.signal, body, items);
        });
    }

    fn give_back(&self, index: usize, items: Items) {
        let bytes = items.into_bytes();
        if bytes.capacity() > 2 * CUT {
            return;
        }
        if let Some(mut stripe) = self.stripes.each.get(index).and_then(try_lock)
            && stripe.spare.capacity() == 0
        {
            stripe.spare = bytes;
        }
    }

    /// Waits until what others have cut is with the couriers too: they are in the middle of a copy, and no longer.
    fn wait_for_others(&self) {
        if self.is_forked_child() {
            return;
        }
        let until = crate::courier::time::within(OTHERS);
        while self.stripes.in_transit.load(Ordering::SeqCst) > 0 && crate::clock::now() < until {
            std::thread::yield_now();
        }
    }
}

impl Waiting for Intake {
    fn hand_over(&self) {
        self.engine.flow.moving(|| {
            let in_transit = &self.stripes.in_transit;
            in_transit.fetch_add(1, Ordering::SeqCst);
            let mut parts = Vec::new();
            for (index, mut stripe) in self.locked() {
                if !stripe.items.is_empty() {
                    parts.push((index, stripe.cut(self.cut)));
                }
            }
            let (places, parts): (Vec<usize>, Vec<Items>) = parts.into_iter().unzip();
            self.send(&parts);
            for (index, items) in places.into_iter().zip(parts) {
                self.give_back(index, items);
            }
            in_transit.fetch_sub(1, Ordering::SeqCst);
        });
        self.wait_for_others();
        self.settle();
    }

    fn close(&self) {
        for (_, mut stripe) in self.locked() {
            stripe.closed = true;
        }
    }

    fn settle(&self) {
        let counts = self.engine.counts.of_sdk(self.signal);
        for (_, mut stripe) in self.locked() {
            let (now, before) = (stripe.counted, stripe.settled);
            counts.add(&SignalCounts {
                created: now.created - before.created,
                too_large: now.too_large - before.too_large,
                after_shutdown: now.after_shutdown - before.after_shutdown,
                ..SignalCounts::default()
            });
            stripe.settled = now;
        }
    }

    fn waiting(&self) -> (Signal, u64) {
        (self.signal, self.counts().waiting)
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        // A processor that was never shut down: what it holds is not lost for that.
        self.hand_over();
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake")
            .field("signal", &self.signal)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

fn try_lock(stripe: &Mutex<Stripe>) -> Option<MutexGuard<'_, Stripe>> {
    match stripe.try_lock() {
        Ok(stripe) => Some(stripe),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Scopes, of which a part may have as much as half of [`CUT`], and the resource have their room in a body beside an item.
fn limit_beside(resource: &ResourceBytes) -> usize {
    BODY_LIMIT.saturating_sub(resource.len() + CUT)
}

/// A number per thread, so that threads that live at a time are spread.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    let mine = MINE.get();
    if mine != usize::MAX {
        return mine;
    }
    let new = NEXT.fetch_add(1, Ordering::Relaxed) & (usize::MAX >> 1);
    MINE.set(new);
    new
}

const MAX_STRIPES: usize = 16;
/// How long a hand-over waits for those of other threads, at most.
const OTHERS: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_does_not_wait_for_what_its_parents_threads_were_handing_over() {
        let parents = Stripes::new(4);
        parents.in_transit.fetch_add(1, Ordering::SeqCst);
        let childs = parents.anew();
        assert_eq!(childs.in_transit.load(Ordering::SeqCst), 0);
        assert_eq!(childs.each.len(), 4);
    }
}
