//! The chaos harness says what it measured, and says no.

use std::process::Command;

fn chaos(words: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_obs-benches"))
        .arg("chaos")
        .args(words)
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_line_of_the_table_is_seven_words_with_a_verdict() {
    let (good, said, complained) = chaos(&["R13", "--tsv"]);
    assert!(good, "{said}{complained}");
    let lines: Vec<Vec<&str>> = said
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert!(lines.iter().all(|words| words.len() == 7), "{said}");
    assert!(
        lines
            .iter()
            .any(|words| words[1] == "hits" && words[5] == "holds"),
        "{said}"
    );
}

#[test]
fn an_unknown_row_is_refused_and_the_known_ones_named() {
    let (good, said, complained) = chaos(&["R99"]);
    assert!(!good && said.is_empty(), "{said}");
    assert!(
        complained.lines().any(|line| line == "R1/refused"),
        "{complained}"
    );
}

#[test]
fn every_bar_has_a_row() {
    let (_, _, named) = chaos(&["R99"]);
    // R7 is the table of costs.
    for bar in [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14] {
        let bar = format!("R{bar}");
        let is_of = |line: &str| line.split('/').next() == Some(&bar);
        assert!(named.lines().any(is_of), "{bar}: {named}");
    }
}
