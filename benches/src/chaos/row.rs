//! Rows: what was done, what was measured, and whether the bar holds. They leave a case's process as tab-separated lines.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::bars::Limit;

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

/// One row of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    /// `R1/refused`.
    pub(crate) name: String,
    /// What was done to the service and its receiver, and what of it was simulated.
    pub(crate) done: String,
    pub(crate) figures: Vec<Figure>,
    /// What went wrong in the harness itself, or could not be had here.
    pub(crate) failed: Option<String>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, done: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            done: done.into(),
            ..Self::default()
        }
    }

    pub(crate) fn put(&mut self, name: &str, value: f64, unit: &str) -> &mut Self {
        self.figures.push(Figure {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
        });
        self
    }

    /// A row for a case that did not come to its end.
    pub(crate) fn failed(name: &str, why: impl ToString) -> Self {
        Self {
            failed: Some(why.to_string().replace(['\n', '\t'], " ")),
            ..Self::new(name, "")
        }
    }

    /// Every figure that has a bar is inside it, and there is one at least where the row belongs to a bar.
    pub(crate) fn holds(&self) -> bool {
        self.failed.is_none()
            && self.figures.iter().all(|figure| {
                self.limit(figure)
                    .is_none_or(|limit| limit.holds(figure.value))
            })
            && (!self.name.starts_with('R')
                || self
                    .figures
                    .iter()
                    .any(|figure| self.limit(figure).is_some()))
    }

    fn limit(&self, figure: &Figure) -> Option<Limit> {
        Limit::of(&self.name, &figure.name)
    }

    /// As the process of a case writes it.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "row\t{}\t{}", self.name, self.done)?;
        for figure in &self.figures {
            writeln!(
                out,
                "figure\t{}\t{}\t{}",
                figure.name, figure.value, figure.unit
            )?;
        }
        if let Some(why) = &self.failed {
            writeln!(out, "failed\t{why}")?;
        }
        writeln!(out, "end")?;
        out.flush()
    }

    /// Reads rows back; what is not of a row is noise.
    pub(crate) fn parse(text: &str) -> Vec<Self> {
        let (mut rows, mut open): (Vec<Self>, Option<Self>) = (Vec::new(), None);
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            match (words.as_slice(), &mut open) {
                (["row", name, done], _) => open = Some(Self::new(*name, *done)),
                (["figure", name, value, unit], Some(row)) => {
                    row.put(name, value.parse().unwrap_or(f64::NAN), unit);
                }
                (["failed", why], Some(row)) => row.failed = Some((*why).to_owned()),
                (["end"], _) => rows.extend(open.take()),
                _ => {}
            }
        }
        // A process that died in the middle of a row.
        rows.extend(open.map(|row| Self {
            failed: Some(String::from("the case ended in the middle of it")),
            ..row
        }));
        rows
    }

    /// `row figure value unit bar verdict`, one figure a line; `-` where there is none.
    pub(crate) fn tsv(&self, out: &mut impl Write) -> io::Result<()> {
        for figure in &self.figures {
            let limit = self.limit(figure);
            let bar = limit.map_or_else(|| String::from("-"), |limit| limit.to_string());
            let verdict = match limit {
                _ if self.failed.is_some() => "MISSED",
                Some(limit) if limit.holds(figure.value) => "holds",
                Some(_) => "MISSED",
                None => "-",
            };
            writeln!(
                out,
                "{}\t{}\t{}\t{}\t{bar}\t{verdict}\t{}",
                self.name,
                figure.name,
                number(figure.value),
                figure.unit,
                self.done
            )?;
        }
        if let Some(why) = &self.failed {
            writeln!(out, "{}\tfailed\t-\t-\t-\tMISSED\t{why}", self.name)?;
        }
        out.flush()
    }

    /// A row of the table for people.
    pub(crate) fn markdown(&self, out: &mut impl Write) -> io::Result<()> {
        let (mut measured, mut bars) = (String::new(), String::new());
        for figure in &self.figures {
            let separator = if measured.is_empty() { "" } else { "; " };
            let unit = if figure.unit.is_empty() { "" } else { " " };
            let _ = write!(
                measured,
                "{separator}{} {}{unit}{}",
                figure.name,
                number(figure.value),
                figure.unit
            );
            if let Some(limit) = self.limit(figure) {
                let separator = if bars.is_empty() { "" } else { "; " };
                let missed = if limit.holds(figure.value) {
                    ""
                } else {
                    " **MISSED**"
                };
                let _ = write!(bars, "{separator}{} {limit}{missed}", figure.name);
            }
        }
        if let Some(why) = &self.failed {
            let _ = write!(measured, " failed: {why}");
        }
        let verdict = match (self.holds(), bars.is_empty()) {
            (false, _) => "**MISSED**",
            (true, true) => "-",
            (true, false) => "holds",
        };
        let bars = if bars.is_empty() { "-" } else { &bars };
        writeln!(
            out,
            "| `{}` | {} | {measured} | {bars} | {verdict} |",
            self.name, self.done
        )?;
        out.flush()
    }
}

/// Whole numbers as they are, others to four digits that mean something.
fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let before_the_point = value.abs().log10().floor();
    let digits = (3.0 - before_the_point).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(value: f64) -> Row {
        let mut row = Row::new("R1/refused", "an outage");
        row.put("failed requests", value, "")
            .put("requests", 12.5, "k");
        row
    }

    #[test]
    fn survives_the_pipe() {
        let mut text = Vec::new();
        example(0.0).write(&mut text).expect("a vector takes it");
        let text = format!("noise\n{}", String::from_utf8(text).expect("text"));
        assert_eq!(Row::parse(&text), [example(0.0)]);
    }

    #[test]
    fn what_breaks_off_does_not_hold() {
        let rows = Row::parse("row\tR1/refused\tan outage\nfigure\tfailed requests\t0\t\n");
        assert!(!rows[0].holds());
        assert!(!Row::failed("R1", "it died").holds());
        assert!(!Row::new("R1/refused", "measured nothing").holds());
    }

    #[test]
    fn one_figure_outside_its_bar_is_a_miss() {
        assert!(example(0.0).holds() && !example(1.0).holds());
        let mut text = Vec::new();
        example(1.0).markdown(&mut text).expect("a vector takes it");
        assert!(String::from_utf8_lossy(&text).contains("= 0 **MISSED** | **MISSED** |"));
    }

    #[test]
    fn numbers_keep_what_means_something() {
        for (value, shown) in [
            (3.0, "3"),
            (0.01234, "0.01234"),
            (12.3456, "12.35"),
            (1234.56, "1235"),
        ] {
            assert_eq!(number(value), shown);
        }
    }
}
