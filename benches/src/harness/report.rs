//! What a case's process tells its parent: one `name value` line per figure, one `ok` or `bad` line.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

/// Figures by name, and the verdict of the accounting.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    figures: BTreeMap<String, f64>,
    /// What left the process, or what was missing.
    pub(crate) account: Option<Result<String, String>>,
}

impl Report {
    pub(crate) fn put(&mut self, name: &str, value: f64) {
        self.figures.insert(name.to_owned(), value);
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut report = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("ok", rest)) => report.account = Some(Ok(rest.to_owned())),
                Some(("bad", rest)) => report.account = Some(Err(rest.to_owned())),
                Some((name, value)) => {
                    if let Ok(value) = value.parse() {
                        report.put(name, value);
                    }
                }
                None => {}
            }
        }
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.figures {
            writeln!(f, "{name} {value}")?;
        }
        match &self.account {
            Some(Ok(said)) => writeln!(f, "ok {said}"),
            Some(Err(said)) => writeln!(f, "bad {said}"),
            None => f.write_char('\n'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_pipe() {
        let mut report = Report::default();
        report.put("bare_ns", 12.5);
        report.put("with_ns", -0.25);
        report.account = Some(Err(String::from("3 of 4 spans left")));
        assert_eq!(Report::parse(&format!("noise\n{report}")), report);
    }
}
