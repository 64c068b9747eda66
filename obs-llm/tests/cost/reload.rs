//! A table is replaced while calls are priced by it.

use crate::support::{asked, same, small_at};
use obs_llm::cost::Prices;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn table(dollars_a_million: u32) -> String {
    format!(
        r#"{{"m": {{"litellm_provider": "openai", "input_cost_per_token": {dollars_a_million}e-6,
            "output_cost_per_token": {dollars_a_million}e-6}}}}"#
    )
}

#[track_caller]
fn costs(prices: &Prices, dollars_a_million: f64) {
    let quote = asked(prices, "openai", "m");
    let expect = small_at(dollars_a_million, dollars_a_million);
    same(quote.map(|quote| quote.usd), expect, "m");
}

/// A file of this test's own, taken away with it.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("obs-llm-{}-{name}.json", std::process::id()));
        fs::write(&path, text).expect("a file");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn calls_are_priced_by_the_table_in_force_when_they_end() {
    let (prices, _) = Prices::from_json(&table(1)).expect("a table");
    costs(&prices, 1.0);
    let report = prices.reload_json(&table(2)).expect("a table");
    assert_eq!(report.models, 1);
    costs(&prices, 2.0);
}

#[test]
fn a_broken_table_is_an_error_and_the_old_one_stays() {
    let (prices, _) = Prices::from_json(&table(1)).expect("a table");
    for broken in ["", "{", "{}", "[1]", "{\"m\": 5}"] {
        assert!(prices.reload_json(broken).is_err(), "{broken}");
        costs(&prices, 1.0);
    }
}

#[test]
fn a_file_is_read_and_read_again() {
    let file = File::new("again", &table(3));
    let (prices, _) = Prices::from_file(&file.0).expect("a table");
    costs(&prices, 3.0);
    fs::write(&file.0, table(4)).expect("written");
    prices.reload_file(&file.0).expect("a table");
    costs(&prices, 4.0);
    fs::write(&file.0, [0xff, 0xfe]).expect("written");
    let error = prices.reload_file(&file.0).expect_err("no text");
    assert!(error.is_configuration());
    costs(&prices, 4.0);
}

#[test]
fn a_file_that_is_not_there_is_an_error_that_names_it() {
    let path = std::env::temp_dir().join("obs-llm-no-such-table.json");
    let error = Prices::from_file(&path).expect_err("no file");
    assert!(
        error.to_string().contains("obs-llm-no-such-table.json"),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn readers_see_one_table_or_the_other_whole() {
    const RELOADS: u32 = 300;
    let (prices, _) = Prices::from_json(&table(1)).expect("a table");
    let done = AtomicBool::new(false);
    let read = || {
        let mut reads = 0_u32;
        while !done.load(Ordering::Acquire) || reads == 0 {
            let usd = asked(&prices, "openai", "m").expect("a cost").usd;
            let millions = usd / small_at(1.0, 1.0);
            assert!(
                (millions - 1.0).abs() < 1e-9 || (millions - 2.0).abs() < 1e-9,
                "{usd}"
            );
            reads += 1;
        }
        reads
    };
    let reads: u32 = thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
        for n in 0..RELOADS {
            prices.reload_json(&table(1 + n % 2)).expect("a table");
        }
        done.store(true, Ordering::Release);
        readers
            .into_iter()
            .map(|reader| reader.join().expect("no panic"))
            .sum()
    });
    assert_eq!(prices.stats().priced, u64::from(reads));
    costs(&prices, 2.0);
}
