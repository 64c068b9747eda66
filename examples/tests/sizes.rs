//! The tables of docs/sizing.md are what the program measures, and what the README says that things cost.
//!
//! With `OBS_WRITE` in the environment they are written.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes vary with ids, ports and durations, and packed ones with all else in their batch.
const TOLERANCE: f64 = 0.05;

#[test]
fn the_page_on_sizing_has_what_is_measured() {
    let run = Command::new(env!("CARGO_BIN_EXE_sizes"))
        .output()
        .expect("the program was built with this test");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{stderr}");
    let measured = String::from_utf8(run.stdout).expect("text");
    let marks = ["sizes", "volume", "outage", "tail"];
    let mut page = Page::open();
    for mark in marks {
        page.holds(mark, table(&measured, mark), TOLERANCE);
    }
    page.close();
}

#[test]
fn the_page_on_sizing_has_the_costs_of_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let mut table =
        "| case | what | instructions | ns | bytes |\n|---|---|--:|--:|--:|\n".to_owned();
    let (mut instructions_of_all, mut ns_of_all) = (0.0, 0.0);
    // With how many of it a request of docs/sizing.md takes.
    for (case, times) in [
        ("http/base-dropped", 0.0),
        ("http/default", 1.0),
        ("client/default", 1.0),
        ("encode/span8", 2.0),
        ("encode/span8-events13", 0.0),
        ("logs/json-line", 0.0),
        ("inflight/bytes", 0.0),
    ] {
        let start = format!("| `{case}` |");
        let row = readme.lines().find(|line| line.starts_with(&start));
        let cells = cells(row.unwrap_or_else(|| panic!("the README has no row {case}")));
        // case, what, instructions added, to, ratio, ns added, T, allocations, bytes, bar
        let [name, what, instructions, _, _, ns, _, _, bytes, _] = cells[..] else {
            panic!("the README's table has other columns: {cells:?}");
        };
        table += &format!("| {name} | {what} | {instructions} | {ns} | {bytes} |\n");
        if times > 0.0 {
            instructions_of_all += times * instructions.parse::<f64>().expect("a number");
            ns_of_all += times * ns.parse::<f64>().expect("a number");
        }
    }
    table += &format!(
        "| 1,000 requests | all kept: one of `http/default`, one of `client/default`, two of `encode/span8` | {:.0} | {:.0} | – |\n",
        1e3 * instructions_of_all,
        1e3 * ns_of_all
    );
    let mut page = Page::open();
    page.holds("costs", &table, 0.0);
    page.close();
}

/// One test at a time may write.
static WRITING: Mutex<()> = Mutex::new(());

/// docs/sizing.md, and what becomes of it.
struct Page {
    _alone: MutexGuard<'static, ()>,
    is: String,
    becomes: String,
}

impl Page {
    fn open() -> Self {
        let alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let is = fs::read_to_string(path()).expect("docs/sizing.md");
        Self {
            _alone: alone,
            becomes: is.clone(),
            is,
        }
    }

    /// The table after this mark says the same: texts to the letter, numbers within the tolerance.
    #[track_caller]
    fn holds(&mut self, mark: &str, expect: &str, tolerance: f64) {
        let has = table(&self.is, mark);
        if std::env::var_os("OBS_WRITE").is_some() {
            self.becomes = self.becomes.replacen(has, expect, 1);
            return;
        }
        assert_eq!(
            has.lines().count(),
            expect.lines().count(),
            "rows of {mark}"
        );
        for (has, expect) in has.lines().zip(expect.lines()) {
            let (has, expect) = (cells(has), cells(expect));
            assert_eq!(has.len(), expect.len(), "columns of {mark}");
            for (has, expect) in has.iter().zip(&expect) {
                assert!(
                    near(has, expect, tolerance),
                    "{mark}: {has} on the page, {expect} here; OBS_WRITE=1 writes it"
                );
            }
        }
    }

    fn close(self) {
        if self.becomes != self.is {
            fs::write(path(), self.becomes).expect("written");
        }
    }
}

/// The table that follows a mark.
#[track_caller]
fn table<'a>(text: &'a str, mark: &str) -> &'a str {
    let mark = format!("<!-- {mark} -->\n");
    let (_, rest) = text
        .split_once(&mark)
        .unwrap_or_else(|| panic!("no {mark}"));
    let length: usize = rest
        .split_inclusive('\n')
        .take_while(|line| line.starts_with('|'))
        .map(str::len)
        .sum();
    assert!(length > 0, "no table after {mark}");
    &rest[..length]
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

/// Numbers of the same number of decimals may differ by one in the last, for rounding.
fn near(has: &str, expect: &str, tolerance: f64) -> bool {
    let number = |text: &str| text.trim_end_matches(" %").parse::<f64>().ok();
    let (Some(one), Some(other)) = (number(has), number(expect)) else {
        return has == expect;
    };
    let decimals = expect
        .trim_end_matches(" %")
        .split_once('.')
        .map_or(0, |(_, after)| after.len());
    let rounding = 1.01 * 0.1_f64.powi(i32::try_from(decimals).unwrap_or(0));
    has == expect
        || (tolerance > 0.0 && (one - other).abs() <= (tolerance * other.abs()).max(rounding))
}

#[test]
fn near_is_near_and_no_more() {
    assert!(
        near("590", "600", 0.05) && near("0.0015", "0.0016", 0.05) && near("span", "span", 0.05)
    );
    assert!(
        !near("590", "640", 0.05) && !near("590", "590 %", 0.0) && !near("span", "spans", 0.05)
    );
    assert!(!near("590", "591", 0.0));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("in the workspace")
}

fn path() -> std::path::PathBuf {
    root().join("docs/sizing.md")
}
