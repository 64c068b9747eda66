//! Rows as Markdown and as tab-separated figures.

use std::io::{self, Write};

use super::rows::Row;
use crate::{
    bars::{Bar, COMPARED, Compared, Unit},
    harness::Measured,
};

/// `case unit measured bar held`, one figure a row; `-` where there is none.
pub(crate) fn tsv(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        for &(unit, measured) in &row.figures {
            let bar = Bar::of(row.case.name, unit);
            let held = match (bar, measured) {
                (Some(bar), Some(measured)) if row.account.is_ok() && bar.holds(measured) => "yes",
                (Some(_), Some(_)) => "no",
                _ => "-",
            };
            let bar = bar.map_or_else(|| String::from("-"), |bar| bar.limit().to_string());
            writeln!(
                out,
                "{}\t{unit}\t{}\t{bar}\t{held}",
                row.case.name,
                number(unit, measured)
            )?;
        }
    }
    for (bar, times) in compared(rows) {
        writeln!(
            out,
            "{}\t{} over {}\t{times:.2}\t{}\t{}",
            bar.case,
            bar.unit,
            bar.against(),
            bar.times,
            if times <= bar.times { "yes" } else { "no" },
        )?;
    }
    Ok(())
}

/// What is held against others of the run, of that for which all figures are there.
fn compared(rows: &[Row]) -> impl Iterator<Item = (&'static Compared, f64)> + '_ {
    let figure = |case: &str, unit| {
        let mut rows = rows.iter().filter(|row| row.account.is_ok());
        rows.find(|row| row.case.name == case)?.figure(unit)
    };
    let all = COMPARED.iter();
    all.filter_map(move |bar| Some((bar, bar.measured(figure)?)))
}

/// A row per case.
pub(crate) fn markdown(out: &mut impl Write, rows: &[Row], callgrind: bool) -> io::Result<()> {
    writeln!(
        out,
        "| case | what | instr added | to | ratio | ns added | T | allocs | bytes | bar |"
    )?;
    writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|--:|---|")?;
    for row in rows {
        let cell = |unit: Unit| number(unit, row.figure(unit));
        let ratio = match row.case.measured {
            Measured::Scaling(_) => cell(Unit::X),
            Measured::Added(_) | Measured::Latency(_) | Measured::Held(_) | Measured::Lived(_) => {
                row.ratio
                    .map_or_else(|| String::from("-"), |ratio| format!("{ratio:.1}"))
            }
        };
        writeln!(
            out,
            "| `{}` | {} | {} | {} | {ratio} | {} | {} | {} | {} | {} |",
            row.case.name,
            row.case.about,
            cell(Unit::Instr),
            number(Unit::Instr, row.bare),
            cell(Unit::Ns),
            cell(Unit::T),
            cell(Unit::Allocs),
            cell(Unit::Bytes),
            verdict(row),
        )?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "Added to the same work without it, in the same process; ratio: with / without, for contention two threads / one."
    )?;
    writeln!(
        out,
        "T: one raw read of the cycle counter. Instructions, allocations and bytes: the request's thread alone."
    )?;
    for row in rows {
        if let Measured::Lived(lived) = row.case.measured {
            let figure = |unit: &Unit| format!("{} {unit}", number(*unit, row.figure(*unit)));
            let figures: Vec<_> = lived.figures.iter().map(figure).collect();
            writeln!(out, "`{}`: {}", row.case.name, figures.join(", "))?;
        }
    }
    for (bar, times) in compared(rows) {
        writeln!(
            out,
            "`{}`: {times:.2} times the {} of {}, ≤ {}{}",
            bar.case,
            bar.unit,
            bar.against(),
            bar.times,
            if times <= bar.times {
                ""
            } else {
                " **missed**"
            },
        )?;
    }
    if !callgrind {
        writeln!(out, "Instructions: valgrind is not installed here.")?;
    }
    Ok(())
}

/// The bars of a row and which of them it missed; what went wrong, if something did.
fn verdict(row: &Row) -> String {
    if let Err(said) = &row.account {
        return format!("**failed**: {said}");
    }
    let bars: Vec<String> = row
        .figures
        .iter()
        .filter_map(|&(unit, measured)| {
            let bar = Bar::of(row.case.name, unit)?;
            let missed = measured.is_some_and(|measured| !bar.holds(measured));
            Some(format!(
                "{bar} {unit}{}",
                if missed { " **missed**" } else { "" }
            ))
        })
        .collect();
    if bars.is_empty() {
        String::from("-")
    } else {
        bars.join(", ")
    }
}

fn number(unit: Unit, value: Option<f64>) -> String {
    let digits = match unit {
        Unit::Instr | Unit::Bytes => 0,
        Unit::Ns | Unit::T => 1,
        Unit::Allocs | Unit::X | Unit::Share | Unit::Ms | Unit::WorstMs => 2,
        Unit::Core | Unit::CoreOutside => 3,
    };
    value.map_or_else(
        || String::from("-"),
        // Without the sign of a rounded zero.
        |value| format!("{:.digits$}", value + 0.0).replace("-0.00", "0.00"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    fn example(name: &str, figures: Vec<(Unit, Option<f64>)>) -> Row {
        let case = cases::named(name).expect("listed");
        Row {
            case,
            bare: None,
            ratio: None,
            figures,
            account: Ok(String::new()),
        }
    }

    fn printed(row: Row) -> String {
        let mut out = Vec::new();
        tsv(&mut out, &[row]).expect("a vector takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_missing_figure_is_a_dash_and_a_peer_has_no_bar() {
        let row = example(
            "peer/otel-span8",
            vec![(Unit::Instr, None), (Unit::Allocs, Some(3.0))],
        );
        assert_eq!(
            printed(row),
            "peer/otel-span8\tinstr\t-\t-\t-\npeer/otel-span8\tallocs\t3.00\t-\t-\n"
        );
    }

    #[test]
    fn a_bar_is_held_or_not() {
        let row = example(
            "http/disabled",
            vec![(Unit::Instr, Some(170.0)), (Unit::Allocs, Some(1.0))],
        );
        assert_eq!(
            printed(row),
            "http/disabled\tinstr\t170\t170\tyes\nhttp/disabled\tallocs\t1.00\t0\tno\n"
        );
    }

    #[test]
    fn what_does_not_balance_holds_no_bar() {
        let account = Err(String::from("spans exported: 3 of 4"));
        let row = Row {
            account,
            ..example("http/disabled", vec![(Unit::Instr, Some(1.0))])
        };
        assert_eq!(printed(row.clone()), "http/disabled\tinstr\t1\t170\tno\n");
        let mut out = Vec::new();
        markdown(&mut out, &[row], true).expect("a vector takes it");
        assert!(String::from_utf8_lossy(&out).contains("**failed**: spans exported: 3 of 4"));
    }
}
