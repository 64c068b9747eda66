//! What is read of a device.

use super::super::hysteresis::Seen;
use super::{Cause, Evidence, HealthState, Machine, is_loss};
use crate::quantity::{Quantity, Tier, Unit};
use crate::reading::{Reading, Readings};
use crate::sample::Throttle;
use crate::source::{LinkReading, SourceError};
use crate::xid::Verdict;
use obs_core::Moment;

/// Totals that begin anew with the device or its driver.
const ANEW: [Quantity; 6] = [
    Quantity::EccCorrected,
    Quantity::EccUncorrected,
    Quantity::PcieReplays,
    Quantity::ThrottleThermalSoftware,
    Quantity::ThrottleThermalHardware,
    Quantity::ThrottlePowerBrake,
];

/// Time that the clocks were held down by what is wrong. The power limit is how a device is meant to run.
const THROTTLE: [Quantity; 3] = [
    Quantity::ThrottleThermalSoftware,
    Quantity::ThrottleThermalHardware,
    Quantity::ThrottlePowerBrake,
];

/// The same as bits, of devices that do not count the time.
const THROTTLE_BITS: Throttle =
    Throttle(Throttle::THERMAL_SOFTWARE.0 | Throttle::THERMAL_HARDWARE.0 | Throttle::POWER_BRAKE.0);

impl Machine {
    pub(super) fn readings(&mut self, tier: Tier, readings: &Readings, at: Moment) {
        let (mut has_any, mut failed) = (false, None);
        for (_, reading) in { readings.iter() }.filter(|(quantity, _)| quantity.tier() == tier) {
            match reading {
                Reading::Value(_) => has_any = true,
                Reading::Failed(code) if is_loss(code) => self.lost(code, at),
                Reading::Failed(code) => failed = failed.or(Some(code)),
                Reading::Unread | Reading::Unsupported => {}
            }
        }
        // All of it failed: it was not read, whatever was said of the whole.
        if let (false, Some(code)) = (has_any, failed) {
            return self.error(SourceError::Failed(code), Some(tier), at);
        }
        self.answered(tier, at);
        match tier {
            Tier::Fast => self.energy(readings),
            Tier::Second => {
                self.throttle(readings, at);
                self.temperatures(readings, at);
            }
            Tier::Slow => {
                self.look_for_reset(readings);
                self.recovery_action(readings, at);
                self.remap(readings, at);
                self.ecc(readings, at);
                self.counts.slow = Some(at);
            }
        }
    }

    /// Energy that begins anew is the first sign of a device that does.
    fn energy(&mut self, readings: &Readings) {
        let Some(energy) = readings.value(Quantity::Energy) else {
            return;
        };
        self.counts.anew |= { self.counts.energy }.is_some_and(|before| energy < before);
        self.counts.energy = Some(energy);
    }

    /// It was reset if nothing that begins anew with it went on: a single counter that jumps must not take back what is known.
    fn look_for_reset(&mut self, readings: &Readings) {
        let others = ANEW.map(|quantity| readings.value(quantity));
        let went_on = |(before, now): (&Option<i64>, &Option<i64>)| match (before, now) {
            (Some(before), Some(now)) => *before > 0 && now >= before,
            (Some(before), None) => *before > 0,
            (None, _) => false,
        };
        let anew = std::mem::take(&mut self.counts.anew);
        if anew && !self.counts.others.iter().zip(&others).any(went_on) {
            let energy = self.counts.energy;
            self.reset();
            self.counts.energy = energy;
        }
        self.counts.others = others;
    }

    fn recovery_action(&mut self, readings: &Readings, at: Moment) {
        let Some(action) = readings.value(Quantity::RecoveryAction) else {
            return;
        };
        self.last.recovery_action = action;
        // What was not read yet is read now.
        self.take_back(|known| known.cause == Cause::RecoveryAction);
        if action == self.cleared.recovery_action {
            return;
        }
        self.cleared.recovery_action = 0;
        let (verdict, name) = match action {
            0 => return,
            1 => (Verdict::Isolate, "the driver asks for a reset"),
            2 => (
                Verdict::Isolate,
                "the driver asks for the node to be rebooted",
            ),
            3 => (
                Verdict::Drain,
                "the driver asks for traffic between devices to be drained",
            ),
            4 => (
                Verdict::Drain,
                "the driver asks for it to be drained and reset",
            ),
            5 => (
                Verdict::Drain,
                "the driver asks for the shared memory of nodes to be set up anew",
            ),
            6 => (Verdict::Isolate, "the driver asks for a reset of its bus"),
            7 => (
                Verdict::Isolate,
                "the driver asks for the system to be rebooted",
            ),
            // Whatever it is, the driver wants something done.
            _ => (
                Verdict::Drain,
                "the driver asks for something that is not known here",
            ),
        };
        let asked = self.of(Cause::RecoveryAction, verdict, name, at);
        self.note(Evidence {
            quantity: Some(Quantity::RecoveryAction),
            ..asked.with_code(action)
        });
    }

    fn remap(&mut self, readings: &Readings, at: Moment) {
        if let Some(failed) = readings.value(Quantity::RemapFailed) {
            self.last.remap_failed = failed;
            if failed != self.cleared.remap_failed {
                self.cleared.remap_failed = 0;
            }
            if failed != 0 && failed != self.cleared.remap_failed {
                let name = "a row of memory could not be replaced";
                let evidence = self.of(Cause::RemapFailed, Verdict::Isolate, name, at);
                self.note(evidence.with_value(Quantity::RemapFailed, failed as f64, None));
            }
        }
        // Of devices that replace rows, and of those before them that give up pages.
        let pending = [Quantity::RemapPending, Quantity::RetirementPending]
            .into_iter()
            .filter_map(|quantity| readings.value(quantity));
        if let Some(pending) = pending.max() {
            self.last.remap_pending = pending;
            if pending != self.cleared.remap_pending {
                self.cleared.remap_pending = 0;
            }
            if pending != 0 && pending != self.cleared.remap_pending {
                self.remap_pending("memory is replaced at the next reset", at);
            }
        }
    }

    /// It works, and a part of it has failed.
    pub(super) fn remap_pending(&mut self, name: &'static str, at: Moment) {
        let mut evidence = self.of(Cause::RemapPending, Verdict::Degraded, name, at);
        evidence.quantity = Some(Quantity::RemapPending);
        if evidence.state == HealthState::Degraded {
            evidence.state = HealthState::PredictedFailure;
        }
        self.note(evidence);
    }

    fn ecc(&mut self, readings: &Readings, at: Moment) {
        if let Some(count) = readings.value(Quantity::EccUncorrected) {
            let slow = self.counts.slow.unwrap_or(at);
            match self.counts.uncorrected.replace(count) {
                Some(before) if count > before => self.more_uncorrected(count, slow, at),
                None if count > 0 => {
                    let name = "bit errors that were not corrected, from before it was watched";
                    self.uncorrected(Verdict::Degraded, name, count, at);
                }
                _ => {}
            }
        }
        let Some(count) = readings.value(Quantity::EccCorrected) else {
            return;
        };
        let Some((since, before)) = self.counts.corrected else {
            self.counts.corrected = Some((at, count));
            return;
        };
        let seconds = self.limits.seconds(since, at);
        // Two readings close to each other tell no rate.
        if seconds < 1.0 {
            return;
        }
        self.counts.corrected = Some((at, count));
        let rate = count.saturating_sub(before) as f64 / seconds;
        let (degraded, drain) = self.limits.settings.ecc_rates;
        let (verdict, limit) = match rate {
            rate if rate >= drain => (Verdict::Drain, drain),
            rate if rate >= degraded => (Verdict::Degraded, degraded),
            _ => return,
        };
        let name = "corrected bit errors a second";
        let evidence = self.of(Cause::EccCorrected, verdict, name, at);
        self.note(evidence.with_value(Quantity::EccCorrected, rate, Some(limit)));
    }

    fn throttle(&mut self, readings: &Readings, at: Moment) {
        let now = THROTTLE.map(|quantity| readings.get(quantity));
        let counts = &mut self.counts;
        let is_counted = counts.throttle.iter().any(Option::is_some);
        let share = match is_counted || now.iter().any(|now| now.value().is_some()) {
            false => {
                let Some(bits) = readings.value(Quantity::ThrottleReasons) else {
                    return;
                };
                f64::from(u8::from(
                    Throttle(bits.cast_unsigned()).any_of(THROTTLE_BITS),
                ))
            }
            true => {
                // Some are read less often than others: what such a one said last stands for as long.
                let mut is_new = false;
                let known = counts.throttle.iter_mut().zip(&mut counts.held);
                for ((known, share), now) in known.zip(now) {
                    let Some(now) = now.value() else {
                        // One that could not be read says nothing, also not what it said before.
                        if now != Reading::Unread {
                            *share = None;
                        }
                        continue;
                    };
                    let Some((since, before)) = *known else {
                        *known = Some((at, now));
                        continue;
                    };
                    let seconds = self.limits.seconds(since, at);
                    if seconds < 0.2 {
                        continue;
                    }
                    *known = Some((at, now));
                    let held = now.saturating_sub(before).max(0);
                    *share = Some(Unit::Nanoseconds.in_metrics(held) / seconds);
                    is_new = true;
                }
                let held = counts.held.iter().flatten();
                match held.copied().reduce(f64::max) {
                    Some(share) if is_new => share,
                    _ => return,
                }
            }
        };
        let (enter, leave) = self.limits.settings.throttle;
        let seen = match share {
            share if share >= enter => Seen::TooMuch,
            share if share <= leave => Seen::Little,
            _ => Seen::Between,
        };
        let patience = (self.limits.warm, self.limits.calm);
        if self.throttled.see(seen, at, patience) {
            if seen == Seen::TooMuch {
                let name = "share of time with its clocks held down";
                let mut evidence = self.of(Cause::Throttled, Verdict::Degraded, name, at);
                (evidence.value, evidence.limit) = (Some(share.min(1.0)), Some(enter));
                self.note(evidence);
            }
        } else {
            self.take_back(|known| known.cause == Cause::Throttled);
        }
    }

    fn temperatures(&mut self, readings: &Readings, at: Moment) {
        let settings = &self.limits.settings;
        let (enter, leave) = settings.memory_temperature;
        let (least, enough) = settings.temperature_margin;
        let milli = |degrees: f64| (degrees * 1e3) as i64;
        let patience = (self.limits.warm, self.limits.calm);
        if let Some(is) = readings.value(Quantity::MemoryTemperature) {
            let seen = Seen::high(is, milli(enter), milli(leave));
            let on = self.memory_hot.see(seen, at, patience);
            let limit = (Quantity::MemoryTemperature, enter);
            self.hot(on, seen, "degrees of its memory", (is, limit), at);
        }
        if let Some(is) = readings.value(Quantity::TemperatureMargin) {
            let seen = Seen::high(is.saturating_neg(), -milli(least), -milli(enough));
            let on = self.margin_gone.see(seen, at, patience);
            let limit = (Quantity::TemperatureMargin, least);
            self.hot(
                on,
                seen,
                "degrees left until it is slowed down",
                (is, limit),
                at,
            );
        }
    }

    fn hot(
        &mut self,
        on: bool,
        seen: Seen,
        name: &'static str,
        (is, (quantity, limit)): (i64, (Quantity, f64)),
        at: Moment,
    ) {
        if !on {
            self.take_back(|known| {
                known.cause == Cause::TooHot && known.quantity == Some(quantity)
            });
        } else if seen == Seen::TooMuch {
            let degrees = Unit::Millicelsius.in_metrics(is);
            let evidence = self.of(Cause::TooHot, Verdict::Degraded, name, at);
            self.note(evidence.with_value(quantity, degrees, Some(limit)));
        }
    }

    pub(super) fn links(&mut self, links: &[LinkReading], at: Moment) {
        let bit = |link: u32| 1_u64.checked_shl(link).unwrap_or(0);
        let (mut up, mut down) = (0_u64, 0_u64);
        for link in links {
            match link.up {
                Some(true) => up |= bit(link.link),
                Some(false) => down |= bit(link.link),
                None => {}
            }
        }
        // The driver said nothing of any.
        if up | down == 0 {
            return;
        }
        self.links.seen_up |= up;
        self.links.now_down = down;
        let gone = (down & self.links.seen_up).count_ones();
        let missing = { self.limits.settings.links }
            .map_or(0, |expected| expected.saturating_sub(up.count_ones()));
        let missing = missing.max(gone);
        let seen = match missing {
            0 => Seen::Little,
            _ => Seen::TooMuch,
        };
        if !self.links.down.see(seen, at, (0, self.limits.calm)) {
            self.take_back(|known| known.cause == Cause::LinkDown);
        } else if missing > 0 {
            let name = "links to other devices that are down";
            let mut evidence = self.of(Cause::LinkDown, Verdict::Degraded, name, at);
            evidence.value = Some(f64::from(missing));
            self.note(evidence);
        }
    }
}
