//! Every case runs a few iterations in its own process, and its accounts balance: what left equals what was done.

use std::process::Command;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_obs-benches"))
}

#[test]
fn every_case_balances() {
    let list = program().arg("list").output().expect("the program starts");
    let list = String::from_utf8(list.stdout).expect("names are text");
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert!(names.len() >= 20, "{names:?}");
    let mut wrong = Vec::new();
    for name in names {
        let output = program()
            .args(["case", name, "check"])
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || !said.lines().any(|line| line.starts_with("ok ")) {
            wrong.push(format!(
                "{name}: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_unknown_case_is_refused() {
    let output = program()
        .args(["case", "peer/nobody", "check"])
        .output()
        .expect("the program starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("obs-benches table"));
}
