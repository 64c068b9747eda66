//! The front page's table of providers names answers of the corpus: each shows what it is named for.

use std::fs;
use std::path::Path;

const COLUMNS: [&str; 7] = [
    "time to the first chunk",
    "gaps",
    "tokens",
    "cache",
    "reasoning",
    "tools",
    "cancelled",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Cells of a line of a table of the front page.
fn cells(line: &str) -> Option<Vec<&str>> {
    let cells = line.strip_prefix("//! | ")?.strip_suffix(" |")?;
    Some(cells.split(" | ").collect())
}

/// What stands between backquotes.
fn quoted(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

/// What an answer tells, and whether it is a stream.
struct Answer {
    told: String,
    streams: bool,
}

impl Answer {
    fn of(folder: &str, name: &str) -> Self {
        let here = |extension: &str| format!("tests/corpus/{folder}/{name}.{extension}");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut kinds = ["sse", "ndjson", "messages"].into_iter();
        Self {
            told: read(&here("told")),
            streams: kinds.any(|kind| root.join(here(kind)).exists()),
        }
    }

    /// How many events bring content of this kind, or of any.
    fn contents(&self, kind: &str) -> u64 {
        let begins = format!("content {kind}");
        let lines = self.told.lines().filter(|line| line.starts_with(&begins));
        let counts = lines.map(|line| match line.split_once('*') {
            Some((_, times)) => times.parse().expect("a number"),
            None => 1,
        });
        counts.sum()
    }

    /// Whether a report tells of this kind, and not that there were none.
    fn counts(&self, kind: &str) -> bool {
        let mut words = self.told.lines().flat_map(str::split_whitespace);
        words.any(|word| {
            let count = word
                .strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix('='));
            count.is_some_and(|count| count != "0")
        })
    }

    fn shows(&self, column: &str) -> bool {
        match column {
            "time to the first chunk" | "cancelled" => self.streams && self.contents("") > 0,
            "gaps" => self.streams && self.contents("") > 1,
            "tokens" => self.counts("Input") && self.counts("Output"),
            "cache" => self.counts("CacheRead"),
            "reasoning" => self.counts("Reasoning") || self.contents("Reasoning") > 0,
            _ => self.contents("ToolCall") > 0,
        }
    }
}

#[test]
fn each_answer_that_is_named_shows_what_it_is_named_for() {
    let page = read("src/lib.rs");
    let lines: Vec<&str> = page.lines().collect();
    let is_head = |line: &&str| cells(line).is_some_and(|cells| cells[1..] == COLUMNS);
    let head = lines.iter().position(is_head).expect("the table");
    let rows: Vec<Vec<&str>> = lines[head + 2..]
        .iter()
        .map_while(|line| cells(line))
        .collect();
    assert!(rows.len() >= 20, "{} rows", rows.len());
    let mut shown = [0; COLUMNS.len()];
    for row in &rows {
        assert_eq!(row.len(), 1 + COLUMNS.len(), "{row:?}");
        let folder = quoted(row[0]).expect("a folder");
        for ((cell, column), shown) in row[1..].iter().zip(COLUMNS).zip(&mut shown) {
            if let Some(name) = quoted(cell) {
                let answer = Answer::of(folder, name);
                assert!(answer.shows(column), "{}: {name} as {column}", row[0]);
                *shown += 1;
            } else {
                assert_eq!(*cell, "–", "{}: {column}", row[0]);
            }
        }
    }
    assert!(shown.iter().all(|shown| *shown >= 8), "{shown:?}");
}

#[test]
fn files_and_tests_that_are_named_are_there() {
    let page = read("src/lib.rs");
    let mut named = 0;
    for name in page.split('`').filter(|name| name.starts_with("tests/")) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        assert!(path.exists(), "{name}");
        named += 1;
    }
    assert!(named >= 10, "{named}");
    let test = "dropped_after_each_piece_it_ends_once_with_what_was_told_by_then";
    assert!(page.contains(test));
    assert!(read("tests/client/wires.rs").contains(&format!("async fn {test}()")));
}
