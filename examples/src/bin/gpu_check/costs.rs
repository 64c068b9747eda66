//! Which field values and counters are dear: each asked for by itself. A batch of them is as slow as the dear ones in it are together, or
//! less, where one question to the device answers several.

use crate::Result;
use crate::latency::{micros, quantile};
use nvml_wrapper::enums::gpm::GpmMetricId;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::gpm::{GpmSample, gpm_metrics_get};
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::{Device, Nvml};
use obs_examples::gpus::Gpus;
use obs_gpu::DeviceInfo;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often each is asked for, in turn with the others, and how long is waited in between.
const TIMES: usize = 40;
const PAUSE: Duration = Duration::from_millis(1);
/// Two samples of counters must be further apart than 100 ms.
const APART: Duration = Duration::from_millis(150);
/// What takes less than this beyond the cheapest of its kind is as cheap as that.
const DEAR: Duration = Duration::from_micros(50);

/// Field values that a monitor asks for, by the numbers that drivers before 580.82 have for them, as it asks for them together; those of
/// links without a scope.
const FIELDS: &[(&str, &[u32])] = &[
    ("fast", &[186]),
    ("energy", &[83]),
    ("second", &[185, 82, 74, 76, 251]),
    ("throttle", &[252, 253]),
    ("pcie", &[197, 198]),
    ("links", &[138, 139, 202, 204]),
    ("slow", &[3, 4, 5, 6, 29, 30, 31, 142, 143, 144, 145, 230]),
    ("pcie_errors", &[94, 173, 179, 180]),
    ("link_states", &[165, 164, 161, 162, 163, 208, 215]),
];

/// Counters, likewise.
const COUNTERS: &[(&str, &[(u32, GpmMetricId)])] = &[
    (
        "counters",
        &[
            (2, GpmMetricId::SmUtil),
            (3, GpmMetricId::SmOccupancy),
            (5, GpmMetricId::AnyTensorUtil),
            (10, GpmMetricId::DramBwUtil),
        ],
    ),
    ("engine", &[(1, GpmMetricId::GraphicsUtil)]),
];

/// What is asked for by itself, or together with those that stand before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Field(u32),
    Counter(u32),
}

/// How long each took, the shortest first.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    alone: BTreeMap<Asked, Vec<Duration>>,
    /// With those of its group that stand before it.
    after: BTreeMap<Asked, Vec<Duration>>,
    /// Those that the device did not say.
    unsaid: Vec<Asked>,
}

impl Costs {
    /// Of the first whole device that answers; `None` where there is none.
    pub(crate) fn measure(gpus: &Gpus, devices: &[DeviceInfo]) -> Result<Option<Self>> {
        let nvml = gpus.library()?;
        let whole = devices.iter().filter(|info| info.mig.is_none());
        let mut opened = whole.filter_map(|info| nvml.device_by_uuid(info.id.as_str()).ok());
        let first = opened.next();
        Ok(first.map(|device| Self::of(&nvml, &device)))
    }

    fn of(nvml: &Nvml, device: &Device<'_>) -> Self {
        let mut costs = Self::default();
        // A device without counters has none that cost.
        let samples = || {
            let before = device.gpm_sample().ok()?;
            sleep(APART);
            Some((before, device.gpm_sample().ok()?))
        };
        let samples = samples();
        // The first time is none to go by.
        for round in 0..=TIMES {
            costs.fields(device, round > 0);
            if let Some(samples) = &samples {
                costs.counters(nvml, samples, round > 0);
            }
        }
        let times = costs.alone.values_mut().chain(costs.after.values_mut());
        times.for_each(|times| times.sort_unstable());
        costs
    }

    fn fields(&mut self, device: &Device<'_>, counts: bool) {
        for (_, ids) in FIELDS {
            let all: Vec<FieldId> = ids.iter().copied().map(FieldId).collect();
            for at in 0..all.len() {
                let ask = |ids: &[FieldId]| device.field_values_for(ids);
                let (alone, said) = time(|| ask(&all[at..=at]));
                let (after, _) = time(|| ask(&all[..=at]));
                let said = said.ok().and_then(|mut said| said.pop());
                let said = said.and_then(|one| one.ok()?.value.ok());
                self.took(
                    Asked::Field(ids[at]),
                    (alone, after),
                    said.is_some(),
                    counts,
                );
            }
        }
    }

    fn counters(&mut self, nvml: &Nvml, samples: &(GpmSample<'_>, GpmSample<'_>), counts: bool) {
        for (_, metrics) in COUNTERS {
            let all: Vec<GpmMetricId> = metrics.iter().map(|(_, metric)| *metric).collect();
            for at in 0..all.len() {
                let ask = |ids: &[GpmMetricId]| gpm_metrics_get(nvml, &samples.0, &samples.1, ids);
                let (alone, said) = time(|| ask(&all[at..=at]));
                let (after, _) = time(|| ask(&all[..=at]));
                let said = said.ok().and_then(|mut said| said.pop());
                let is_said =
                    said.is_some_and(|one: std::result::Result<_, NvmlError>| one.is_ok());
                self.took(
                    Asked::Counter(metrics[at].0),
                    (alone, after),
                    is_said,
                    counts,
                );
            }
        }
    }

    fn took(&mut self, asked: Asked, times: (Duration, Duration), said: bool, counts: bool) {
        if !counts {
            return;
        }
        if !said && !self.unsaid.contains(&asked) {
            self.unsaid.push(asked);
        }
        self.alone.entry(asked).or_default().push(times.0);
        self.after.entry(asked).or_default().push(times.1);
    }

    /// Each with its times in microseconds.
    pub(crate) fn table(&self, loaded: Option<&Self>) -> String {
        let both: Vec<(&str, &Self)> = std::iter::once(("as it was", self))
            .chain(loaded.map(|loaded| ("under load", loaded)))
            .collect();
        let mut page = String::from("| asked for by itself | read in | |");
        for (name, _) in &both {
            let _ = write!(page, " {name}: p50 µs | p99 µs | longest µs |");
        }
        let _ = write!(page, "\n|---|---|---|{}", "--:|--:|--:|".repeat(both.len()));
        for (asked, group) in all() {
            let what = match asked {
                Asked::Field(id) => format!("field {id}"),
                Asked::Counter(id) => format!("counter (GPM) {id}"),
            };
            let unsaid = self.unsaid.contains(&asked);
            let said = if unsaid { "not said" } else { "" };
            let _ = write!(page, "\n| {what} | {group} | {said} |");
            for (_, costs) in &both {
                let times = costs.alone.get(&asked).map_or(&[][..], |times| times);
                for share in [500, 990, 1000] {
                    let time = quantile(times, share).map_or("-".to_owned(), micros);
                    let _ = write!(page, " {time} |");
                }
            }
        }
        page
    }

    /// Lines that a script of `obs-gpu-fake` plays: what the call takes for the cheapest, and what each dear one adds to those of its
    /// group that stand before it.
    pub(crate) fn script(&self) -> String {
        let mut script = String::new();
        for (call, name, is) in [
            ("nvmlDeviceGetFieldValues", "field", true),
            ("nvmlGpmMetricsGet", "gpm", false),
        ] {
            let of = |asked: &Asked| matches!(asked, Asked::Field(_)) == is;
            let times = self.alone.iter().filter(|(asked, _)| of(asked));
            let quantiles = |times: &[Duration]| {
                let quantiles = [500, 990, 1000].map(|share| quantile(times, share));
                quantiles.map(Option::unwrap_or_default)
            };
            let Some(least) = times.map(|(_, times)| quantiles(times)).min() else {
                continue;
            };
            let [half, most, longest] = least.map(whole);
            let _ = writeln!(script, "latency {call} {half} {most} {longest}");
            let mut before = ("", Duration::ZERO);
            for (asked, group) in all().filter(|(asked, _)| of(asked)) {
                let Some((alone, after)) = self.alone.get(&asked).zip(self.after.get(&asked))
                else {
                    continue;
                };
                if before.0 != group {
                    before = (group, least[0]);
                }
                let (alone, after) = (quantiles(alone), quantiles(after));
                let adds = after[0].saturating_sub(before.1);
                before.1 = before.1.max(after[0]);
                if adds < DEAR {
                    continue;
                }
                // As much longer as it is by itself.
                let times = alone.map(|time| {
                    adds.mul_f64(time.as_secs_f64() / alone[0].as_secs_f64().max(1e-9))
                });
                let ([half, most, longest], Asked::Field(id) | Asked::Counter(id)) =
                    (times.map(whole), asked);
                let _ = writeln!(script, "latency {name}:{id} {half} {most} {longest}");
            }
        }
        script
    }
}

/// All of them with their groups, in their order.
fn all() -> impl Iterator<Item = (Asked, &'static str)> {
    let fields = FIELDS.iter();
    let fields = fields.flat_map(|(group, ids)| ids.iter().map(|id| (Asked::Field(*id), *group)));
    let counters = COUNTERS.iter();
    let counters = counters.flat_map(|(group, metrics)| {
        let ids = metrics.iter().map(|(id, _)| Asked::Counter(*id));
        ids.map(move |asked| (asked, *group))
    });
    fields.chain(counters)
}

fn time<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    sleep(PAUSE);
    let began = Instant::now();
    let said = call();
    (began.elapsed(), said)
}

/// Microseconds, to the next one.
fn whole(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use obs_gpu::metrics::METRICS;

    #[test]
    fn all_that_is_read_by_a_number_is_asked_for() {
        let numbers = |text: &str| -> Vec<u32> {
            let words = text.split(|byte: char| !byte.is_ascii_digit());
            words.filter_map(|word| word.parse().ok()).collect()
        };
        let (mut fields, mut counters) = (0, 0);
        for row in METRICS {
            let known = |asked: Asked| all().any(|(known, _)| known == asked);
            let is_field = row.read_by.starts_with("field");
            let text = row.read_by.split([',', ';']).next().unwrap_or_default();
            let Some(first) = numbers(text).first().copied() else {
                continue;
            };
            if is_field {
                assert!(known(Asked::Field(first)), "{}", row.read_by);
                fields += 1;
            } else if row.read_by.starts_with("GPM") {
                assert!(known(Asked::Counter(first)), "{}", row.read_by);
                counters += 1;
            }
        }
        assert!(fields > 20 && counters == 5, "{fields} {counters}");
    }

    #[test]
    fn what_a_dear_one_adds_is_what_those_before_it_do_not_take() {
        let micros = |times: &[u64]| times.iter().copied().map(Duration::from_micros).collect();
        let mut costs = Costs::default();
        for (id, alone, after) in [
            (186, [8, 9], [8, 9]),
            (83, [3_500, 14_000], [3_500, 14_000]),
            // Both are answered by one question.
            (252, [960, 1_920], [960, 1_920]),
            (253, [950, 2_000], [980, 2_000]),
            // Half of it is.
            (94, [400, 800], [400, 800]),
            (173, [400, 800], [600, 900]),
        ] {
            costs.alone.insert(Asked::Field(id), micros(&alone));
            costs.after.insert(Asked::Field(id), micros(&after));
        }
        let expect = "latency nvmlDeviceGetFieldValues 8 9 9
latency field:83 3492 13968 13968
latency field:252 952 1904 1904
latency field:94 392 784 784
latency field:173 200 400 400
";
        assert_eq!(costs.script(), expect);
    }
}
