//! What a monitor reads together: how long that takes, and how often its budget lets it be read.

use crate::latency::{micros, quantile};
use crate::sweep::Swept;
use obs_gpu::{GpuSettings, Pace, ReadGroup};
use std::fmt::Write;
use std::time::Duration;

/// Of so many devices alike, by so much of one core.
const PLANS: [(u32, f64); 4] = [(1, 0.005), (8, 0.005), (8, 0.01), (8, 0.02)];

/// A group, and how long reading it took, the shortest first.
type Times = Vec<(ReadGroup, Vec<Duration>)>;

/// Of all devices together.
fn together(swept: &[Swept]) -> Times {
    let mut all = Times::new();
    for (group, times) in swept.iter().flat_map(|swept| &swept.groups) {
        match all.iter_mut().find(|(known, _)| known == group) {
            Some((_, known)) => known.extend(times),
            None => all.push((*group, times.clone())),
        }
    }
    all.sort_by_key(|(group, _)| group.tier());
    all.iter_mut().for_each(|(_, times)| times.sort_unstable());
    all
}

/// What it takes each time, all in all: what a core pays, the longest with the others.
fn mean(times: &[Duration]) -> Duration {
    let many = u32::try_from(times.len()).unwrap_or(u32::MAX);
    times.iter().sum::<Duration>() / many.max(1)
}

/// How long it takes, and how often it can be done.
pub(crate) fn tables(idle: &[Swept], loaded: Option<&[Swept]>) -> String {
    let (idle, loaded) = (together(idle), loaded.map(together));
    let settings = GpuSettings::new();
    let mut page =
        String::from("| group | every | as it was: p50 µs | p99 µs | longest µs | mean µs |");
    let mut line = String::from("\n|---|--:|--:|--:|--:|--:|");
    if loaded.is_some() {
        page.push_str(" under load: p50 µs | p99 µs | longest µs | mean µs |");
        line.push_str("--:|--:|--:|--:|");
    }
    page.push_str(&line);
    for (group, times) in &idle {
        // Writing into a text does not fail.
        let _ = write!(page, "\n| {} | {} |", name(group), pace(group, &settings));
        row(&mut page, times);
        if let Some(loaded) = &loaded {
            let times = loaded.iter().find(|(known, _)| known == group);
            row(&mut page, times.map_or(&[][..], |(_, times)| times));
        }
    }
    page.push_str("\n\n*Italic* are those that a budget stretches. By the means, as it was, these would be read every so many seconds:\n\n");
    plans(&mut page, &idle, &settings);
    page
}

fn row(page: &mut String, times: &[Duration]) {
    for share in [500, 990, 1000] {
        let time = quantile(times, share).map_or("-".to_owned(), micros);
        let _ = write!(page, " {time} |");
    }
    let _ = write!(page, " {} |", micros(mean(times)));
}

fn plans(page: &mut String, times: &Times, settings: &GpuSettings) {
    let costs: Vec<(ReadGroup, Duration)> = { times.iter() }
        .map(|(group, times)| (*group, mean(times)))
        .collect();
    let columns: Vec<Vec<Duration>> = { PLANS.iter() }
        .map(|(devices, share)| {
            let settings = settings.clone().with_budget(*share);
            settings.intervals(&costs, *devices)
        })
        .collect();
    page.push_str("| group |");
    for (devices, share) in PLANS {
        let _ = write!(page, " {devices} such, {} % of a core |", share * 100.0);
    }
    let _ = write!(page, "\n|---|{}", "--:|".repeat(PLANS.len()));
    for (at, (group, _)) in costs.iter().enumerate() {
        let _ = write!(page, "\n| {} |", name(group));
        for column in &columns {
            let _ = write!(page, " {} |", seconds(column[at]));
        }
    }
    let whole = costs.iter().map(|(group, cost)| {
        let pace = settings
            .clone()
            .without_budget()
            .intervals(&[(*group, *cost)], 1);
        cost.as_secs_f64() / pace[0].as_secs_f64()
    });
    let whole: f64 = whole.sum();
    let _ = write!(
        page,
        "\n\nWithout a budget reading would take {:.2} % of a core for each such device.",
        whole * 100.0
    );
}

fn name(group: &ReadGroup) -> String {
    match group.pace() {
        Pace::Stretches => format!("*{}*", group.name()),
        Pace::Keeps | Pace::Constant => group.name().to_owned(),
    }
}

/// What it is read apart at its own pace.
fn pace(group: &ReadGroup, settings: &GpuSettings) -> String {
    let alone = settings.clone().without_budget();
    let pace = alone.intervals(&[(*group, Duration::ZERO)], 1);
    format!("{} s", seconds(pace[0]))
}

/// Seconds in two figures.
fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        ..0.995 => format!("{seconds:.2}"),
        ..9.95 => format!("{seconds:.1}"),
        _ => format!("{seconds:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obs_gpu::Tier;

    const FAST: ReadGroup = ReadGroup::new("fast", Tier::Fast, Pace::Keeps);
    const DEAR: ReadGroup = ReadGroup::new("dear", Tier::Second, Pace::Stretches);

    fn swept(groups: &[(ReadGroup, &[u64])]) -> Swept {
        let groups = groups.iter().map(|(group, micros)| {
            let times = micros.iter().copied().map(Duration::from_micros);
            (*group, times.collect())
        });
        Swept {
            groups: groups.collect(),
            ..Swept::default()
        }
    }

    #[test]
    fn devices_are_taken_together_and_budgets_lead_to_intervals() {
        let both = [
            swept(&[(DEAR, &[9_000, 11_000]), (FAST, &[100])]),
            swept(&[(DEAR, &[10_000]), (FAST, &[100])]),
        ];
        let page = tables(&both, None);
        let row = "\n| fast | 0.25 s | 100 | 100 | 100 | 100 |\n| *dear* | 1.0 s | 10000 | 11000 | 11000 | 10000 |";
        assert!(page.contains(row), "{page}");
        // 10 ms a second of the 4.6 that the fast tier leaves, 0.225 of each of eight, and so on.
        let row = "\n| fast | 0.25 | 0.25 | 0.25 | 0.25 |\n| *dear* | 2.2 | 44 | 12 | 4.8 |";
        assert!(page.contains(row), "{page}");
        assert!(
            page.ends_with("take 1.04 % of a core for each such device."),
            "{page}"
        );
    }
}
