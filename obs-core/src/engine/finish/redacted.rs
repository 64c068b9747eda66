//! The same end where texts are shown to redactors first: those of what is kept or waits for its root, and of nothing else.
//!
//! Redactors are code of users. They run while nothing of ours is taken out of its place, so what is decided about the record
//! is found out before, and holds afterwards.

use super::{Reason, collect_side, count, end_unsampled, export, is_nobodys, reason};
use crate::engine::Engine;
use crate::engine::family::Verdict;
use crate::engine::live::{Flags, Live};

#[cold]
#[inline(never)]
pub(super) fn finish(mut live: Box<Live>, engine: &'static Engine) {
    if live.flags.has(Flags::SHARED) {
        collect_side(&mut live, engine);
    }
    if live.flags.has(Flags::WITNESSED) {
        live.tell_witnesses();
    }
    let mut seen = false;
    if live.flags.has(Flags::SDK) {
        live.settle();
        // Its span is told what is left.
        if !live.flags.has(Flags::UNRECORDED) {
            live.redact();
            seen = true;
        }
        live.end_span();
    }
    let ticks = engine.with_local(|local| count(&mut live, local));
    let reason = reason(&live, ticks, engine);
    if !seen && is_kept(&live, reason) {
        live.redact();
    }
    engine.with_local(|local| {
        if live.flags.has(Flags::SAMPLED) {
            live.reason = Reason::Sampled;
            export(live, local, engine);
        } else if is_nobodys(&live, reason) {
            local.recycle(live);
        } else {
            end_unsampled(live, reason, local, engine);
        }
    });
}

/// Whether it is exported, or may be yet.
fn is_kept(live: &Live, reason: Reason) -> bool {
    if live.flags.has(Flags::SAMPLED) || reason != Reason::None {
        return true;
    }
    if live.flags.has(Flags::SDK) {
        return false;
    }
    match (&live.joined, &live.family) {
        (Some(family), _) => family.verdict() != Verdict::Drop,
        // Nobody wants it, unless a child has decided otherwise; from now on none can.
        (None, Some(family)) if live.flags.has(Flags::LEADS) => {
            family.settle(Verdict::Drop) == Verdict::Keep
        }
        _ => false,
    }
}
