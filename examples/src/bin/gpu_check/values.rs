//! Everything that can be read, as metrics say it.

use crate::sweep::Swept;
use obs_gpu::metrics::METRICS;
use obs_gpu::{DeviceInfo, Quantity, Reading};
use std::fmt::Write;

/// A line for each quantity, a column for each device.
pub(crate) fn table(devices: &[DeviceInfo], swept: &[Swept]) -> String {
    let mut table = String::from("| what | unit |");
    for info in devices {
        // Writing into a text does not fail.
        let _ = match &info.mig {
            None => write!(table, " GPU {} |", info.index),
            Some(part) => write!(table, " GPU {} MIG {} |", info.index, part.gpu_instance),
        };
    }
    table.push_str("\n|---|---|");
    table.push_str(&"--:|".repeat(devices.len()));
    for quantity in Quantity::ALL {
        let (name, unit) = name(*quantity);
        let _ = write!(
            table,
            "
| {name} | `{unit}` |"
        );
        for swept in swept {
            let _ = write!(
                table,
                " {} |",
                value(*quantity, swept.readings.get(*quantity))
            );
        }
    }
    let mut further = |what: &str, of: &dyn Fn(&Swept) -> String| {
        let _ = write!(table, "\n| {what} | |");
        for swept in swept {
            let _ = write!(table, " {} |", of(swept));
        }
    };
    further("links up", &|swept| {
        format!("{} of {}", swept.links.0, swept.links.1)
    });
    further("processes", &|swept| swept.processes.to_string());
    if swept.iter().any(|swept| swept.failure.is_some()) {
        further("why it could not be read", &|swept| {
            let failure = swept.failure.map(|failure| failure.to_string());
            failure.unwrap_or_default()
        });
    }
    table
}

/// The metric that it becomes, and its unit; where it is a part of one, or of none, what it is called here.
fn name(quantity: Quantity) -> (String, &'static str) {
    let Some(row) = METRICS.iter().find(|row| row.quantity == quantity) else {
        return (format!("{quantity:?}"), quantity.unit().ucum());
    };
    let labels = row.attributes.iter().map(|(_, value)| *value);
    let labels: Vec<&str> = labels.filter(|value| *value != "gpu").collect();
    let name = match labels.is_empty() {
        true => format!("`{}`", row.name),
        false => format!("`{}` {}", row.name, labels.join(", ")),
    };
    (name, row.unit)
}

fn value(quantity: Quantity, reading: Reading) -> String {
    match reading {
        Reading::Value(value) => {
            let value = quantity.unit().in_metrics(value);
            match value.fract() == 0.0 {
                true => format!("{value:.0}"),
                false => format!("{value:.3}"),
            }
        }
        Reading::Unsupported => "not supported".to_owned(),
        Reading::Failed(code) => format!("failed, code {code}"),
        Reading::Unread => "not read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_as_metrics_say_it_and_its_lack_has_a_reason() {
        let check = |quantity, reading, expect| assert_eq!(value(quantity, reading), expect);
        check(Quantity::Utilization, Reading::Value(375_000), "0.375");
        check(Quantity::Power, Reading::Value(540_000), "540");
        check(Quantity::Power, Reading::Value(0), "0");
        check(
            Quantity::MemoryTotal,
            Reading::Value(150_754_820_096),
            "150754820096",
        );
        check(Quantity::FanSpeed, Reading::Unsupported, "not supported");
        check(Quantity::FanSpeed, Reading::Failed(15), "failed, code 15");
        check(Quantity::FanSpeed, Reading::Unread, "not read");
    }

    #[test]
    fn all_have_names_of_their_own() {
        let mut names: Vec<String> = Quantity::ALL.iter().map(|of| name(*of).0).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{names:?}");
    }
}
