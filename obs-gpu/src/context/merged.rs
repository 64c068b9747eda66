//! Several devices as one: what a call that needs all of them sees.

use super::names::Names;
use crate::sample::{Sample, Throttle};
use obs_core::Active;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Merged {
    utilization: Option<u64>,
    memory: Option<f64>,
    power: Option<u64>,
    clock: Option<u64>,
    throttle: Option<u64>,
    health: Option<&'static str>,
    age: Option<Duration>,
}

/// From good to bad, as `hw.state` has them.
const HEALTH: [&str; 4] = ["ok", "degraded", "predicted_failure", "failed"];

/// Room for all reasons that have a name, with commas.
const TEXT: usize = 160;

impl Merged {
    pub(super) fn add(
        &mut self,
        sample: Option<Sample>,
        age: Option<Duration>,
        health: Option<&'static str>,
    ) {
        let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        self.age = self.age.into_iter().chain(age).max();
        let bad = |health: &&str| HEALTH.iter().position(|known| known == health);
        self.health = self.health.into_iter().chain(health).max_by_key(bad);
        let Some(sample) = sample else { return };
        self.utilization = least(self.utilization, sample.utilization());
        self.clock = least(self.clock, sample.sm_clock_ratio());
        if let Some(power) = sample.power() {
            self.power = Some(self.power.unwrap_or(0).saturating_add(power));
        }
        if let Some(bits) = sample.throttle() {
            self.throttle = Some(self.throttle.unwrap_or(0) | bits.0);
        }
        if let (Some(used), Some(total @ 1..)) = (sample.memory_used(), sample.memory_total()) {
            let share = used as f64 / total as f64;
            self.memory = Some(self.memory.unwrap_or(0.0).max(share));
        }
    }

    pub(super) fn tell(self, operation: &mut Active<'_>, names: Names) {
        let share = |millionths: u64| millionths as f64 / 1e6;
        let numbers = [
            (names.utilization, self.utilization.map(share)),
            (names.memory, self.memory),
            (
                names.power,
                self.power.map(|milliwatts| milliwatts as f64 / 1e3),
            ),
            (names.clock, self.clock.map(share)),
            (names.age, self.age.map(|age| age.as_secs_f64())),
        ];
        for (key, value) in numbers {
            if let Some(value) = value {
                operation.set(key, value);
            }
        }
        if let Some(health) = self.health {
            operation.set_static(names.health, health);
        }
        // None is said as nothing: most calls have none.
        if let Some(bits) = self.throttle.filter(|&bits| bits != 0) {
            let mut text = [0; TEXT];
            operation.set(names.throttle, reasons(bits, &mut text));
        }
    }
}

/// Their names, with commas.
fn reasons(bits: u64, text: &mut [u8; TEXT]) -> &str {
    let throttle = Throttle(bits);
    let named = Throttle::NAMED
        .iter()
        .filter(|(bit, _)| throttle.any_of(*bit));
    let others = throttle.has_others().then_some("other");
    let mut length = 0;
    for name in named.map(|(_, name)| *name).chain(others) {
        let comma = usize::from(length > 0);
        let Some(room) = text.get_mut(length..length + comma + name.len()) else {
            break;
        };
        room[..comma].fill(b',');
        room[comma..].copy_from_slice(name.as_bytes());
        length += comma + name.len();
    }
    std::str::from_utf8(&text[..length]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_named() {
        let mut text = [0; TEXT];
        assert_eq!(reasons(0x44, &mut text), "power,thermal_hardware");
        assert_eq!(reasons(1 << 40, &mut text), "other");
        assert_eq!(reasons(0, &mut text), "");
        // All there are have room.
        assert!(reasons(u64::MAX, &mut text).ends_with("display_clocks,other"));
    }

    #[test]
    fn the_worst_health_counts() {
        let mut merged = Merged::default();
        for health in ["degraded", "failed", "ok"] {
            merged.add(None, None, Some(health));
        }
        assert_eq!(merged.health, Some("failed"));
    }
}
