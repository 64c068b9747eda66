//! What watching GPUs costs a request is held to its bars, by the counts that repeat on any machine.

use std::process::Command;

#[test]
fn requests_pay_no_more_than_they_may() {
    let valgrind = Command::new("valgrind").arg("--version").output();
    assert!(valgrind.is_ok(), "valgrind counts the instructions");
    let output = Command::new(env!("CARGO_BIN_EXE_obs-benches"))
        .args(["gpu", "--bars", "--tsv"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    // case, unit, measured, bar, whether it holds.
    let lines: Vec<Vec<&str>> = said
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert!(lines.iter().all(|words| words.len() == 5), "{said}");
    let barred: Vec<_> = lines.iter().filter(|words| words[3] != "-").collect();
    let wrong: Vec<_> = barred.iter().filter(|words| !holds(words)).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{said}");
    // The snapshot's instructions; its allocations and those of a call, a claim, a gate, the layer and a sweep; a device's bytes.
    assert_eq!(barred.len(), 8, "{said}");
}

/// A burst of calls that are kept is 64: on a loaded machine a pool may grow in it, by two allocations, which no call makes again.
fn holds(words: &[&str]) -> bool {
    let grew = words[1] == "allocs" && words[2].parse::<f64>().is_ok_and(|allocs| allocs < 0.04);
    words[4] == "yes" || grew
}
