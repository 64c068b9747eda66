//! What calls of models cost is held to its bars, by the counts that repeat on any machine. They are of a build that is optimized:
//! `cargo test --release -p obs-benches --test llm`.

use std::process::Command;

#[test]
fn calls_of_models_hold_their_bars() {
    let valgrind = Command::new("valgrind").arg("--version").output();
    assert!(valgrind.is_ok(), "valgrind counts the instructions");
    let output = Command::new(env!("CARGO_BIN_EXE_obs-benches"))
        .args(["llm", "--bars", "--tsv"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    let held = |line: &&str| line.ends_with("\tyes");
    assert!(said.lines().filter(held).count() >= 19, "{said}");
    let missed: Vec<_> = said.lines().filter(|line| line.ends_with("\tno")).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}
