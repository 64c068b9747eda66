//! The end of an operation, once and here only: numbers into cells, the record to where its trace goes.

mod redacted;
mod turned;

use super::Engine;
use super::family::{Decided, Parked, Verdict};
use super::live::{Flags, Live, Reason};
use super::local::Local;
use super::ring::Pushed;
use super::waiting::Room;
use crate::contain::contain;
use crate::outcome::Outcome;
use crate::semconv::obs::KEEP_TRUNCATED;
use crate::shared::Left;
use std::sync::Arc;

/// What few operations are, in one test.
const RARE: Flags = Flags::SHARED
    .or(Flags::SDK)
    .or(Flags::ASKS)
    .or(Flags::WITNESSED);

/// Ends the operation. Consuming the box is what makes it once.
#[inline(never)]
pub(crate) fn finish(mut live: Box<Live>, outcome: Outcome) {
    let kind = live.kind;
    let engine = kind.engine;
    live.end = kind.clock.ticks();
    live.ended = outcome.end;
    live.error = outcome.error;
    if !outcome.error.is_none() {
        live.labels = kind.with_error(live.labels, outcome.error.0);
    }
    if live.flags.has(RARE) {
        if live.is_of_parent() {
            // Its process ends it. What it holds, a span of a provider perhaps, ends there too.
            return std::mem::forget(live);
        }
        if kind.redacts {
            return redacted::finish(live, engine);
        }
        collect_rest(&mut live, engine);
    } else if kind.redacts {
        return redacted::finish(live, engine);
    }
    let mut local = engine.take_local();
    conclude(live, &mut local, engine);
    engine.put_local(local);
}

#[inline(always)]
fn conclude(mut live: Box<Live>, local: &mut Local, engine: &'static Engine) {
    let ticks = count(&mut live, local);
    if live.flags.has(Flags::SAMPLED) {
        live.reason = Reason::Sampled;
        return export(live, local, engine);
    }
    let reason = reason(&live, ticks, engine);
    if is_nobodys(&live, reason) {
        return local.recycle(live);
    }
    end_unsampled(live, reason, local, engine);
}

/// Whether nobody wants it, and nobody is tied to it, where the head left it out.
#[inline(always)]
fn is_nobodys(live: &Live, reason: Reason) -> bool {
    reason == Reason::None && live.joined.is_none() && !live.flags.has(Flags::LEADS)
}

/// Its numbers into cells; says how long it took, in ticks.
#[inline(always)]
fn count(live: &mut Live, local: &mut Local) -> u64 {
    let kind = live.kind;
    let owned = local.owned;
    let ticks = live.end.saturating_sub(live.start);
    let slot = local.series(&kind.set, live.labels).1;
    live.series = slot.series;
    if let Some(cells) = &slot.cells {
        kind.record(live, ticks, cells, owned);
    }
    kind.record_further(live, ticks, local);
    if let Some((gauge, _)) = &kind.gauge
        && let Some(cells) = local.cells_again(gauge, live.in_flight_slot, live.in_flight)
    {
        cells.add(0, 1_u64.wrapping_neg(), owned);
    }
    ticks
}

/// The head left it out, and it is wanted, or others are tied to it.
#[inline(never)]
fn end_unsampled(mut live: Box<Live>, reason: Reason, local: &mut Local, engine: &'static Engine) {
    if live.flags.has(Flags::SDK) {
        // What a provider left out was not recorded.
        local.recycle(live);
    } else if live.joined.is_some() {
        end_child(live, reason, local, engine);
    } else if live.flags.has(Flags::LEADS) {
        end_root(live, reason, local, engine);
    } else {
        live.reason = reason;
        live.flags.set(Flags::PARTIAL);
        export(live, local, engine);
    }
}

/// Why the record would be kept although the head said no.
#[inline(always)]
fn reason(live: &Live, ticks: u64, engine: &Engine) -> Reason {
    if live.flags.has(Flags::FORCED) {
        return Reason::Forced;
    }
    if !engine.config.late_keep {
        return Reason::None;
    }
    if !live.error.is_none() && engine.config.keep_errors {
        return Reason::Error;
    }
    if live.kind.is_slow(live.labels, ticks) {
        return Reason::Slow;
    }
    Reason::None
}

impl Live {
    /// Whether it began before this process was forked.
    #[cold]
    #[inline(never)]
    fn is_of_parent(&self) -> bool {
        self.flags.has(Flags::ASKS) && self.generation != crate::fork::notice()
    }
}

/// What others have written, and the span that others record.
#[cold]
#[inline(never)]
fn collect_rest(live: &mut Live, engine: &Engine) {
    if live.flags.has(Flags::SHARED) {
        collect_side(live, engine);
    }
    if live.flags.has(Flags::WITNESSED) {
        live.tell_witnesses();
    }
    if live.flags.has(Flags::SDK) {
        live.end_span();
    }
}

/// Lets go of what others were shown of it, unless somebody has kept it. What was written there is in the record.
#[cold]
#[inline(never)]
pub(crate) fn withdraw(live: &mut Live) {
    // A provider's span is the record itself; and in a forked child it is the parent's.
    if live.flags.has(Flags::SDK) || live.is_of_parent() {
        return;
    }
    let kind = live.kind;
    drop_context(live, kind.engine);
    let is_alone = |shared: &Arc<_>| Arc::strong_count(shared) == 1;
    if live.flags.has(Flags::SHARED) && live.shared.as_ref().is_some_and(is_alone) {
        collect_side(live, kind.engine);
        live.flags.unset(Flags::SHARED);
        live.attributes.unwatch(&kind.bounds);
        live.shared = None;
    }
}

/// What is in it beside our span is of users.
fn drop_context(live: &mut Live, engine: &Engine) {
    if let Some(context) = live.context.take()
        && contain(|| drop(context)).is_none()
    {
        engine.counts.panics.add(1);
    }
}

fn collect_side(live: &mut Live, engine: &Engine) {
    // The context first: its span holds the shared part, which then may be used again.
    drop_context(live, engine);
    let Some(shared) = &live.shared else { return };
    // Whoever still carries it may start a child later, which asks what was decided here.
    let Left {
        side,
        family,
        session,
    } = shared.close(Arc::strong_count(shared) > 1);
    if let Some(session) = session {
        live.take_session(session);
    }
    if let Some(family) = family
        && live.joined.is_none()
        && !live.flags.has(Flags::LEADS)
    {
        live.family = Some(family);
        live.flags.set(Flags::LEADS);
    }
    let Some(mut side) = side else { return };
    if !side.stamps.is_empty() {
        let stamps = std::mem::take(&mut side.stamps).into_iter();
        let (level, start) = (live.level, live.start);
        live.timeline.merge(
            stamps
                .filter(|(event, _)| level >= event.level())
                .map(|(event, at)| (event, at.saturating_sub(start))),
        );
    }
    match &mut live.side {
        Some(own) => own.merge(*side, &engine.config.side),
        None => live.side = Some(side),
    }
}

/// A root that others may wait for: its verdict is theirs.
#[inline(never)]
fn end_root(mut live: Box<Live>, reason: Reason, local: &mut Local, engine: &'static Engine) {
    // Taken out and put back: a count of references more would be two locked instructions.
    let Some(family) = live.family.take() else {
        return local.recycle(live);
    };
    let mut waiting = local.scratch();
    let own = if reason == Reason::None {
        Verdict::Drop
    } else {
        Verdict::Keep
    };
    let decided = family.decide(own, &mut waiting);
    engine.parked.sub(decided.bytes);
    live.family = Some(family);
    if decided.verdict == Verdict::Keep {
        count_torn(decided, engine);
        if decided.truncated > 0 {
            live.set(KEEP_TRUNCATED, decided.truncated.into());
        }
        for mut child in waiting.drain(..) {
            child.reason = Reason::Family;
            export(child, local, engine);
        }
        live.reason = if reason == Reason::None {
            Reason::Family
        } else {
            reason
        };
        live.flags.set(Flags::PARTIAL);
        export(live, local, engine);
    } else {
        if !waiting.is_empty() {
            engine.counts.keep_dropped.add(waiting.len() as u64);
        }
        while let Some(child) = waiting.pop() {
            local.recycle(child);
        }
        local.recycle(live);
    }
    local.put_scratch(waiting);
}

#[inline(never)]
fn end_child(mut live: Box<Live>, reason: Reason, local: &mut Local, engine: &'static Engine) {
    // From here on it belongs to nobody: whatever becomes of it, the family is let go of once.
    let Some(family) = live.joined.take() else {
        return local.recycle(live);
    };
    if family.verdict() == Verdict::Pending && reason != Reason::None {
        promote(&family, local, engine);
    }
    match family.verdict() {
        Verdict::Keep => {
            live.reason = if reason == Reason::None {
                Reason::Family
            } else {
                reason
            };
            return export(live, local, engine);
        }
        Verdict::Drop if reason != Reason::None => {
            // The root is gone and was not wanted; what its late child has to say stands for itself.
            live.reason = reason;
            live.flags.set(Flags::PARTIAL);
            return export(live, local, engine);
        }
        Verdict::Drop => return local.recycle(live),
        Verdict::Pending => {}
    }
    let waited = live.end.saturating_sub(family.started());
    if engine.config.patience_ticks(engine) < waited || engine.is_closed() {
        engine.counts.keep_truncated.add(1);
        if family.count_truncated() == Verdict::Keep {
            engine.counts.keep_torn.add(1);
        }
        return local.recycle(live);
    }
    // A child's own family is for its next life as a root; it is not waited for here.
    let bytes = live.bytes();
    match family.park(
        live,
        bytes,
        engine.config.family_children,
        engine.config.family_bytes,
    ) {
        Parked::Waiting => {
            if engine.parked.add(bytes) {
                let mut freed = local.scratch();
                engine.shed_oldest(&mut freed);
                for child in freed.drain(..) {
                    local.recycle(child);
                }
                local.put_scratch(freed);
            }
        }
        Parked::NoRoom(live) => {
            engine.counts.keep_truncated.add(1);
            local.recycle(live);
        }
        Parked::Decided(mut live, Verdict::Keep) => {
            live.reason = Reason::Family;
            export(live, local, engine);
        }
        Parked::Decided(live, _) => local.recycle(live),
    }
}

/// A child that must be kept takes its whole trace along: its brothers that wait, and the root when it ends.
#[cold]
fn promote(family: &super::live::TraceFamily, local: &mut Local, engine: &'static Engine) {
    let mut waiting = local.scratch();
    let decided = family.decide(Verdict::Keep, &mut waiting);
    engine.parked.sub(decided.bytes);
    if decided.verdict == Verdict::Keep {
        count_torn(decided, engine);
    }
    for mut child in waiting.drain(..) {
        child.reason = Reason::Family;
        export(child, local, engine);
    }
    local.put_scratch(waiting);
}

/// What was let go of before its trace was kept is a loss from then on.
fn count_torn(decided: Decided, engine: &Engine) {
    if decided.first && decided.truncated > 0 {
        engine.counts.keep_torn.add(decided.truncated);
    }
}

#[inline]
fn export(live: Box<Live>, local: &mut Local, engine: &'static Engine) {
    if live.is_large() {
        return export_large(live, local, engine);
    }
    match local.shard.ring.push(live) {
        Pushed::Taken => {}
        Pushed::HalfFull => engine.wake(),
        Pushed::Full(live) => not_taken(live, local, engine),
    }
}

/// One that holds many bytes: all of those that wait have so much room, whatever the number of threads.
#[cold]
#[inline(never)]
fn export_large(live: Box<Live>, local: &mut Local, engine: &'static Engine) {
    let room = engine.waiting.take(&live);
    if room == Room::Full {
        engine.counts.waiting_full.add(1);
        engine.wake();
        return local.recycle(live);
    }
    match local.shard.ring.push(live) {
        Pushed::Taken if room == Room::Plenty => {}
        Pushed::Taken | Pushed::HalfFull => engine.wake(),
        Pushed::Full(live) => {
            engine.waiting.give_back([&live]);
            not_taken(live, local, engine);
        }
    }
}

#[cold]
#[inline(never)]
fn not_taken(live: Box<Live>, local: &mut Local, engine: &'static Engine) {
    if engine.is_closed() {
        engine.counts.after_shutdown.add(1);
    } else if engine.is_inert() {
        engine.counts.forked.add(1);
    } else {
        engine.counts.ring_full.add(1);
        engine.wake();
    }
    local.recycle(live);
}
