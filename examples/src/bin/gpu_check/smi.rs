//! What `nvidia-smi` says, beside what we read just before and just after.

mod columns;

use crate::Result;
use columns::{COLUMNS, Column, Verdict};
use obs_examples::gpus::{Gpus, Source};
use obs_gpu::{Calls, DeviceInfo, GpuSource, Readings, Tier};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::process::Command;

/// Prints the comparison, or why there is none: that is no pass.
pub(crate) fn compare(gpus: &Gpus, source: &Source, devices: &[DeviceInfo]) -> Result<()> {
    if gpus.is_simulated() {
        println!(
            "Skipped: these devices are simulated, and `nvidia-smi` has none of them. That is no pass."
        );
        return Ok(());
    }
    let before = read_all(source, devices);
    let Some(said) = ask()? else {
        println!("Skipped: there is no `nvidia-smi` here. That is no pass.");
        return Ok(());
    };
    let after = read_all(source, devices);
    let said = rows(&said)?;
    let mut counts = BTreeMap::<Verdict, usize>::new();
    println!(
        "| device | nvidia-smi's | it says | we before | we after | |\n|---|---|--:|--:|--:|---|"
    );
    // It has a row for each whole device.
    for (place, info) in devices
        .iter()
        .enumerate()
        .filter(|(_, info)| info.mig.is_none())
    {
        let Some(row) = said.get(info.id.as_str()) else {
            return Err(format!("nvidia-smi does not know {}", info.id).into());
        };
        for (column, text) in COLUMNS.iter().zip(row) {
            let (before, after) = (column.of(&before[place]), column.of(&after[place]));
            let verdict = column.compare(text, before, after);
            *counts.entry(verdict).or_default() += 1;
            println!(
                "| GPU {} | {} | {text} | {} | {} | {} |",
                info.index,
                column.name,
                Column::show(before),
                Column::show(after),
                verdict.as_str()
            );
        }
    }
    let all: Vec<_> = counts
        .iter()
        .map(|(verdict, count)| format!("{count} {}", verdict.as_str()))
        .collect();
    println!("\n{}", all.join(", "));
    match counts.get(&Verdict::Differs) {
        Some(differ) => {
            Err(format!("nvidia-smi says something else than we do, {differ} times").into())
        }
        None if !counts.contains_key(&Verdict::Agrees) => {
            Err("nvidia-smi and we have nothing in common".into())
        }
        None => Ok(()),
    }
}

/// What it says; `None` where it is not there.
fn ask() -> Result<Option<String>> {
    let names = COLUMNS.iter().map(|column| column.name);
    let names: Vec<&str> = std::iter::once("uuid").chain(names).collect();
    let asked = Command::new("nvidia-smi")
        .arg(format!("--query-gpu={}", names.join(",")))
        .arg("--format=csv,noheader,nounits")
        .output();
    let output = match asked {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(Some(text)),
        // It complains on the standard output.
        false => Err(format!("nvidia-smi ended with {}: {}", output.status, text.trim()).into()),
    }
}

/// Its rows by the device that they are of.
fn rows(text: &str) -> Result<BTreeMap<&str, Vec<&str>>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let rows = lines.map(|line| {
        let mut cells = line.split(',').map(str::trim);
        let device = cells.next().unwrap_or_default();
        let cells: Vec<&str> = cells.collect();
        match cells.len() == COLUMNS.len() {
            true => Ok((device, cells)),
            false => Err(format!(
                "nvidia-smi was asked for {} columns, and says: {line}",
                COLUMNS.len()
            )
            .into()),
        }
    });
    rows.collect()
}

/// What we read of each, everything.
fn read_all(source: &Source, devices: &[DeviceInfo]) -> Vec<Readings> {
    let mut calls = Calls::unwatched();
    let read = devices.iter().map(|info| {
        let mut readings = Readings::new();
        if let Ok(mut device) = source.open(&info.id, &mut calls) {
            for tier in Tier::ALL {
                // What could not be read is absent.
                let _ = device.read(tier, &mut readings, &mut calls);
            }
        }
        readings
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_as_many_cells_as_were_asked_for() {
        let cells = vec!["1"; COLUMNS.len()].join(", ");
        let text = format!("GPU-a, {cells}\nGPU-b, {cells}\n\n");
        let rows = rows(&text).expect("rows");
        assert_eq!(rows.keys().copied().collect::<Vec<_>>(), ["GPU-a", "GPU-b"]);
        assert_eq!(rows["GPU-b"], vec!["1"; COLUMNS.len()]);
        let wrong = super::rows("GPU-a, 1\n").expect_err("too few");
        assert!(wrong.to_string().contains("GPU-a, 1"), "{wrong}");
    }
}
