//! A page about a move: what in it is generated, and what it claims.
//!
//! Generated is what follows a mark in a comment, one fenced block: `<!-- program: NAME -->` is the source of that program,
//! `<!-- lines: NAME -->` what it printed. A table after `<!-- names: NAME -->` has names in its first column that were
//! seen before the move, in its second those seen after it. With `OBS_WRITE` in the environment blocks that are stale are
//! written; the tables are their author's.

use crate::program::Names;
use std::fs;
use std::path::PathBuf;

/// A page and what became of it.
#[derive(Debug)]
pub struct Page {
    path: PathBuf,
    text: String,
    written: String,
}

impl Page {
    /// Reads `docs/migrating/NAME.md`.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn open(name: &str) -> Self {
        let path = root().join("migrating").join(format!("{name}.md"));
        let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{}", path.display()));
        Self {
            written: text.clone(),
            path,
            text,
        }
    }

    /// The block that shows a program is its source.
    #[track_caller]
    pub fn shows_program(&mut self, name: &str) {
        let source = root().join("programs").join(format!("{name}.rs"));
        let source = fs::read_to_string(source).expect("a program of this crate");
        self.shows(&format!("program: {name}"), "rust", &source);
    }

    /// The block that shows lines is these.
    #[track_caller]
    pub fn shows_lines(&mut self, name: &str, language: &str, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.shows(&format!("lines: {name}"), language, &text);
    }

    #[track_caller]
    fn shows(&mut self, mark: &str, language: &str, content: &str) {
        let mark = format!("<!-- {mark} -->\n");
        let (before, rest) = self
            .written
            .split_once(&mark)
            .unwrap_or_else(|| panic!("no {mark}"));
        let block = format!("```{language}\n{content}```\n");
        let after = match rest.strip_prefix("```") {
            Some(old) => old.split_once("\n```\n").expect("a block that ends").1,
            None => rest,
        };
        self.written = format!("{before}{mark}{block}{after}");
    }

    /// The names in the first two columns of a table are exactly these.
    #[track_caller]
    pub fn names(&self, table: &str, before: &Names, after: &Names) {
        let columns = self.columns(table);
        assert_eq!(
            &columns[0],
            before,
            "before, {table}, {}",
            self.path.display()
        );
        assert_eq!(
            &columns[1],
            after,
            "after, {table}, {}",
            self.path.display()
        );
    }

    #[track_caller]
    fn columns(&self, table: &str) -> [Names; 2] {
        let rest = self.after(&format!("<!-- names: {table} -->\n"));
        let rows = rest
            .lines()
            .take_while(|line| line.starts_with('|'))
            .skip(2);
        let mut columns = [Names::new(), Names::new()];
        let mut any = false;
        for row in rows {
            any = true;
            for (column, cell) in columns.iter_mut().zip(row.split('|').skip(1)) {
                column.extend(quoted(cell));
            }
        }
        assert!(any, "no table {table}");
        columns
    }

    /// Every name in the queries after this mark is one of these.
    #[track_caller]
    pub fn queries(&self, when: &str, known: &Names) {
        let block = self.after(&format!("<!-- queries: {when} -->\n```promql\n"));
        let block = block.split("```").next().unwrap_or_default();
        let names = names_of_query(block);
        assert!(!names.is_empty(), "no query {when}");
        let unknown: Vec<_> = names.iter().filter(|name| !known.contains(*name)).collect();
        assert!(unknown.is_empty(), "{when}: {unknown:?} of {known:?}");
    }

    /// What is within the page after this.
    #[track_caller]
    fn after(&self, mark: &str) -> &str {
        self.text
            .split_once(mark)
            .unwrap_or_else(|| panic!("no {mark}"))
            .1
    }

    /// Everything generated is as it should be, or is written.
    ///
    /// # Panics
    /// Where the page is stale and was not to be written.
    #[track_caller]
    pub fn done(self) {
        is_up_to_date(&self.path, &self.text, &self.written);
    }
}

/// Compares, or with `OBS_WRITE` writes.
///
/// # Panics
/// Where the file is stale and was not to be written.
#[track_caller]
pub fn is_up_to_date(path: &std::path::Path, is: &str, should: &str) {
    if is == should {
        return;
    }
    if std::env::var_os("OBS_WRITE").is_some() {
        return fs::write(path, should).expect("a page that can be written");
    }
    let differs = is
        .lines()
        .zip(should.lines())
        .find(|(is, should)| is != should);
    panic!(
        "{} is stale, OBS_WRITE=1 writes it: {differs:#?}",
        path.display()
    );
}

/// This crate's folder.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What stands between backticks.
fn quoted(cell: &str) -> Names {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Metrics and labels of a query: words with an underscore that are no function, without the suffixes of histograms.
#[must_use]
pub fn names_of_query(query: &str) -> Names {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = Names::new();
    let mut rest = query;
    while let Some(start) = rest.find(is_word) {
        let word_on = &rest[start..];
        let end = word_on.find(|c| !is_word(c)).unwrap_or(word_on.len());
        let (word, after) = word_on.split_at(end);
        if word.contains('_') && !after.starts_with('(') {
            let suffixes = ["_bucket", "_count", "_sum"];
            let name = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix));
            names.insert(name.unwrap_or(word).to_owned());
        }
        rest = after;
    }
    names
}

/// The name that Prometheus gives a metric of OpenTelemetry, as far as pages need it: the unit of durations, no dots.
#[must_use]
pub fn in_prometheus(name: &str) -> String {
    let unit = if name.ends_with(".duration") {
        "_seconds"
    } else {
        ""
    };
    format!("{}{unit}", name.replace('.', "_"))
}

/// A line with what differs from run to run put aside: times, and ids that were drawn.
#[must_use]
pub fn steady(line: &str) -> String {
    let mut line = line.to_owned();
    if line.starts_with("20") {
        let end = line.find('Z').expect("a time at the start");
        line.replace_range(..end, "2026-01-01T00:00:00.000000");
    }
    for (begin, end, put) in [
        ("\"timestamp\":\"", "\"", "2026-01-01T00:00:00.000000000Z"),
        ("\"span_id\":\"", "\"", "b7ad6b7169203331"),
        (" latency=", " ms", "0"),
        (" stream_duration=", " ms", "0"),
    ] {
        if let Some(start) = line.find(begin).map(|at| at + begin.len()) {
            let length = line[start..].find(end).expect("an end");
            line.replace_range(start..start + length, put);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_query(query: &str, expect: &[&str]) {
        let names: Vec<_> = names_of_query(query).into_iter().collect();
        assert_eq!(names, expect, "{query}");
    }

    #[test]
    fn names_of_queries_are_metrics_and_labels() {
        check_query(
            r#"histogram_quantile(0.9, sum by (le, http_route) (rate(a_b_bucket{c_d="1"}[5m])))"#,
            &["a_b", "c_d", "http_route"],
        );
        check_query("sum(up)", &[]);
    }

    #[test]
    fn only_what_differs_is_put_aside() {
        assert_eq!(
            steady("2026-11-25T19:39:08.749950Z DEBUG a{b=1}: x latency=12 ms status=200"),
            "2026-01-01T00:00:00.000000Z DEBUG a{b=1}: x latency=0 ms status=200"
        );
        assert_eq!(
            steady(r#"{"timestamp":"2026Z","level":"INFO","span_id":"ab","c":1}"#),
            r#"{"timestamp":"2026-01-01T00:00:00.000000000Z","level":"INFO","span_id":"b7ad6b7169203331","c":1}"#
        );
    }
}
