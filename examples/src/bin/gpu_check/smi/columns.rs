//! What both have: which of its columns is which of our quantities, in which unit, and how far two readings of it may lie apart.

use obs_gpu::{Quantity, Readings};

/// A column of `nvidia-smi --query-gpu`, and what we call it. Its units are those of `nvidia-smi --help-query-gpu`.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Ours, the first that a device has.
    quantities: &'static [Quantity],
    /// How many of ours one of its is.
    factor: f64,
    /// How far, in its unit, it may lie beside what we read before and after, or between the two. What does not change is 0 or what
    /// it rounds.
    tolerance: f64,
    /// The same as a share of what we read, where that is more.
    share: f64,
}

/// What comes of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Agrees,
    Differs,
    OnlyTheirs,
    OnlyOurs,
    Neither,
}

impl Verdict {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Differs => "DIFFERS",
            Self::OnlyTheirs => "only nvidia-smi has it",
            Self::OnlyOurs => "only we have it",
            Self::Neither => "neither has it",
        }
    }
}

const fn column(
    name: &'static str,
    quantities: &'static [Quantity],
    factor: f64,
    tolerance: f64,
    share: f64,
) -> Column {
    Column {
        name,
        quantities,
        factor,
        tolerance,
        share,
    }
}

const PERCENT: f64 = 1e4;
const MIB: f64 = 1_048_576.0;
const WATTS: f64 = 1e3;
const DEGREES: f64 = 1e3;
const MEGAHERTZ: f64 = 1e6;

/// They are asked for in one call, some 20 ms from ours: what changes by itself may have.
#[rustfmt::skip]
pub(crate) const COLUMNS: &[Column] = &[
    column("utilization.gpu", &[Quantity::Utilization], PERCENT, 25.0, 0.0),
    column("utilization.memory", &[Quantity::MemoryController], PERCENT, 25.0, 0.0),
    column("memory.total", &[Quantity::MemoryTotal], MIB, 1.0, 0.0),
    column("memory.reserved", &[Quantity::MemoryReserved], MIB, 1.0, 0.0),
    column("memory.used", &[Quantity::MemoryUsed], MIB, 64.0, 0.0),
    column("memory.free", &[Quantity::MemoryFree], MIB, 64.0, 0.0),
    // Averaged over a second where the device does that.
    column("power.draw", &[Quantity::PowerAverage, Quantity::Power], WATTS, 10.0, 0.2),
    column("enforced.power.limit", &[Quantity::PowerLimit], WATTS, 0.01, 0.0),
    column("temperature.gpu", &[Quantity::Temperature], DEGREES, 3.0, 0.0),
    column("temperature.memory", &[Quantity::MemoryTemperature], DEGREES, 3.0, 0.0),
    column("clocks.sm", &[Quantity::SmClock], MEGAHERTZ, 60.0, 0.1),
    column("clocks.mem", &[Quantity::MemoryClock], MEGAHERTZ, 1.0, 0.0),
    column("clocks.max.sm", &[Quantity::SmClockMax], MEGAHERTZ, 0.0, 0.0),
    column("clocks.max.mem", &[Quantity::MemoryClockMax], MEGAHERTZ, 0.0, 0.0),
    column("fan.speed", &[Quantity::FanSpeed], PERCENT, 5.0, 0.0),
    column("pstate", &[Quantity::PerformanceState], 1.0, 0.0, 0.0),
    column("pcie.link.gen.current", &[Quantity::PcieGeneration], 1.0, 0.0, 0.0),
    column("pcie.link.width.current", &[Quantity::PcieWidth], 1.0, 0.0, 0.0),
    column("ecc.errors.corrected.volatile.total", &[Quantity::EccCorrected], 1.0, 0.0, 0.0),
    column("ecc.errors.uncorrected.volatile.total", &[Quantity::EccUncorrected], 1.0, 0.0, 0.0),
    column("ecc.errors.corrected.aggregate.total", &[Quantity::EccCorrectedLifetime], 1.0, 0.0, 0.0),
    column("ecc.errors.uncorrected.aggregate.total", &[Quantity::EccUncorrectedLifetime], 1.0, 0.0, 0.0),
];

impl Column {
    /// What we read, in its unit.
    pub(crate) fn of(&self, readings: &Readings) -> Option<f64> {
        let mut values = self.quantities.iter().map(|of| readings.value(*of));
        let value = values.find_map(|value| value)?;
        Some(value as f64 / self.factor)
    }

    pub(crate) fn show(value: Option<f64>) -> String {
        value.map_or("-".to_owned(), |value| format!("{value:.2}"))
    }

    pub(crate) fn compare(&self, said: &str, before: Option<f64>, after: Option<f64>) -> Verdict {
        // `P0`; `[N/A]`, `[Not Supported]`, `[GPU requires reset]`.
        let theirs = said.strip_prefix('P').unwrap_or(said).parse::<f64>().ok();
        let (Some(theirs), Some(one)) = (theirs, before.or(after)) else {
            return match (theirs, before.or(after)) {
                (Some(_), None) => Verdict::OnlyTheirs,
                (None, Some(_)) => Verdict::OnlyOurs,
                _ => Verdict::Neither,
            };
        };
        let other = after.unwrap_or(one);
        let (least, most) = (one.min(other), one.max(other));
        let apart = self.tolerance.max(most.abs() * self.share);
        // Numbers with two decimals are not met exactly.
        let apart = apart + 0.005;
        match (least - apart..=most + apart).contains(&theirs) {
            true => Verdict::Agrees,
            false => Verdict::Differs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obs_gpu::Reading;

    fn named(name: &str) -> &'static Column {
        let column = COLUMNS.iter().find(|column| column.name == name);
        column.expect("one of them")
    }

    #[track_caller]
    fn check(name: &str, said: &str, ours: [Option<f64>; 2], expect: Verdict) {
        assert_eq!(named(name).compare(said, ours[0], ours[1]), expect);
    }

    #[test]
    fn what_does_not_change_is_the_same() {
        check("clocks.max.sm", "1980", [Some(1980.0); 2], Verdict::Agrees);
        check("clocks.max.sm", "1965", [Some(1980.0); 2], Verdict::Differs);
        check(
            "enforced.power.limit",
            "700.00",
            [Some(700.0); 2],
            Verdict::Agrees,
        );
        check(
            "enforced.power.limit",
            "699.9",
            [Some(700.0); 2],
            Verdict::Differs,
        );
        check("pstate", "P0", [Some(0.0); 2], Verdict::Agrees);
        check("pstate", "P2", [Some(0.0); 2], Verdict::Differs);
    }

    #[test]
    fn what_changes_lies_where_we_saw_it_or_near() {
        let ours = [Some(500.0), Some(620.0)];
        check("power.draw", "559.31", ours, Verdict::Agrees);
        // A fifth beyond the greater one.
        check("power.draw", "743.00", ours, Verdict::Agrees);
        check("power.draw", "750.00", ours, Verdict::Differs);
        check("power.draw", "370.00", ours, Verdict::Differs);
        // An error was counted between the two.
        let ours = [Some(3.0), Some(4.0)];
        check(
            "ecc.errors.corrected.volatile.total",
            "4",
            ours,
            Verdict::Agrees,
        );
        check(
            "ecc.errors.corrected.volatile.total",
            "5",
            ours,
            Verdict::Differs,
        );
    }

    #[test]
    fn what_one_does_not_have_is_no_zero() {
        check("fan.speed", "[N/A]", [None, None], Verdict::Neither);
        check("fan.speed", "[N/A]", [Some(0.0); 2], Verdict::OnlyOurs);
        check("fan.speed", "0", [None, None], Verdict::OnlyTheirs);
        check("fan.speed", "30", [None, Some(31.0)], Verdict::Agrees);
        check(
            "temperature.gpu",
            "[GPU requires reset]",
            [None, None],
            Verdict::Neither,
        );
    }

    /// The H200 of utkuozdemir/nvidia_gpu_exporter's captures: 143771 MiB of 150 754 820 096 bytes.
    #[test]
    fn units_are_theirs() {
        let mut readings = Readings::new();
        for (quantity, value) in [
            (Quantity::MemoryTotal, 150_754_820_096),
            (Quantity::Utilization, 970_000),
            (Quantity::Power, 627_120),
            (Quantity::Temperature, 50_000),
            (Quantity::SmClock, 1_980_000_000),
        ] {
            readings.set(quantity, Reading::Value(value));
        }
        for (name, said) in [
            ("memory.total", "143771"),
            ("utilization.gpu", "97"),
            ("power.draw", "627.12"),
            ("temperature.gpu", "50"),
            ("clocks.sm", "1980"),
        ] {
            let ours = named(name).of(&readings);
            let verdict = named(name).compare(said, ours, ours);
            assert_eq!(verdict, Verdict::Agrees, "{name} {ours:?}");
        }
        assert_eq!(named("fan.speed").of(&readings), None);
    }
}
