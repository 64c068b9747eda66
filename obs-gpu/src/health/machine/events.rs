//! What a device says by itself.

use super::{Cause, Machine};
use crate::health::state::Evidence;
use crate::quantity::Quantity;
use crate::source::Event;
use crate::xid::{Verdict, Xid};
use obs_core::Moment;

impl Machine {
    pub(super) fn event(&mut self, event: Event, at: Moment) {
        match event {
            Event::Xid { code, gpu_instance } => self.xid(code, gpu_instance, at),
            // Of single errors the rate counts.
            Event::EccSingle => {}
            Event::EccDouble => {
                let known = self.counts.uncorrected.unwrap_or(0);
                self.more_uncorrected(known.saturating_add(1), at, at);
            }
            Event::RecoveryAction => {
                self.ask_recovery_action(Verdict::Degraded, at);
            }
            Event::Unavailable => {
                let name = "the driver says that it cannot be used";
                self.note(self.of(Cause::Lost, Verdict::Isolate, name, at));
            }
            Event::EccStorm => {
                let name = "many corrected bit errors at once";
                self.note(self.of(Cause::EccCorrected, Verdict::Degraded, name, at));
            }
            Event::MemoryRetired => {
                let name = "memory was given up, and is replaced at the next reset";
                self.remap_pending(name, at);
            }
            Event::RetirementFailed => {
                let name = "memory should have been given up, and could not be";
                self.note(self.of(Cause::RemapFailed, Verdict::Isolate, name, at));
            }
            Event::Poison { fatal: true } => {
                let name = "data that could not be corrected was used, and may be anywhere";
                self.note(self.of(Cause::EccUncorrected, Verdict::Isolate, name, at));
            }
            Event::Poison { fatal: false } => {
                let name = "data that could not be corrected was used, by one application alone";
                self.note(self.of(Cause::EccUncorrected, Verdict::Degraded, name, at));
            }
            Event::Other(bits) => {
                let name = "the driver says something that is not known here";
                let other = self.of(Cause::Other, Verdict::Degraded, name, at);
                self.note(other.with_code(bits.cast_signed()));
            }
        }
    }

    fn xid(&mut self, code: u64, gpu_instance: Option<u32>, at: Moment) {
        if code == Xid::CLEANUP {
            let near = |other: Moment| at.ticks_since(other) <= self.limits.solo;
            // Beside another it is what that other left behind. However many come, they are one.
            if !self.last_xid.is_some_and(near) {
                self.alone.get_or_insert(at);
            }
            return;
        }
        self.last_xid = Some(at);
        self.alone = None;
        if code == Xid::CONTAINED {
            self.last_contained = Some(at);
            if let Some((since, count)) = self.uncontained.take() {
                self.contained(count, since);
            }
        }
        if code == Xid::RECOVERY_ACTION {
            let verdict = self.limits.settings.catalogue.look_up(code).verdict;
            self.ask_recovery_action(verdict, at);
        } else {
            self.xid_evidence(code, gpu_instance, at);
        }
    }

    pub(super) fn xid_evidence(&mut self, code: u64, gpu_instance: Option<u32>, at: Moment) {
        let xid = self.limits.settings.catalogue.look_up(code);
        let mut evidence = Evidence::new(Cause::Xid, xid.verdict, xid.name, at);
        evidence.code = i64::try_from(code).ok();
        evidence.gpu_instance = gpu_instance;
        self.note(evidence);
    }

    /// The driver's word is another, and nobody knows yet which.
    fn ask_recovery_action(&mut self, verdict: Verdict, at: Moment) {
        self.ask = true;
        let name = "the driver asks for something else to be done, not read yet";
        let mut asked = self.of(Cause::RecoveryAction, verdict, name, at);
        asked.latched = false;
        // Beside what was read it says nothing.
        let read = { self.evidence.iter() }.any(|known| known.cause == asked.cause);
        if !read {
            self.note(asked);
        }
    }

    /// There are so many uncorrected errors by now, and were fewer `before`.
    pub(super) fn more_uncorrected(&mut self, count: i64, before: Moment, at: Moment) {
        let window = self.limits.contained;
        let explains = |contained: Moment| before.ticks_since(contained) <= window;
        if self.last_contained.is_some_and(explains) {
            self.contained(count, at);
        } else {
            self.uncontained = Some((self.uncontained.map_or(at, |(since, _)| since), count));
        }
    }

    fn contained(&mut self, count: i64, at: Moment) {
        let name = "bit errors that were not corrected, and touched one application alone";
        self.uncorrected(Verdict::Degraded, name, count, at);
    }

    pub(super) fn uncorrected(
        &mut self,
        verdict: Verdict,
        name: &'static str,
        count: i64,
        at: Moment,
    ) {
        let evidence = self.of(Cause::EccUncorrected, verdict, name, at);
        self.note(evidence.with_value(Quantity::EccUncorrected, count as f64, None));
    }
}
