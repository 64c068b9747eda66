//! Sessions on many threads at once.

use crate::support::*;
use obs_agent::session::{Ledger, Limits};
use obs_core::Outcome;
use obs_testing::Capture;
use std::collections::HashMap;
use std::thread;

const THREADS: u64 = 8;
const SESSIONS: u64 = 40;
const CALLS: u64 = 500;

/// Numbers that look like chance and are the same each time.
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    *state >> 33
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    calls: u64,
    input: u64,
    output: u64,
    tools: u64,
    failed: u64,
}

#[test]
fn the_sum_of_the_ledger_is_the_sum_of_the_calls() {
    let rig = Rig::with(Capture::builder().threaded(), Ledger::builder());
    let budget = rig.ledger.budget("s-0", Limits::new().with_tokens(1));
    let sums: Vec<HashMap<String, Sum>> = thread::scope(|scope| {
        let rig = &rig;
        let threads: Vec<_> = (0..THREADS)
            .map(|mine| {
                scope.spawn(move || {
                    let (mut state, mut sums) = (mine + 1, HashMap::<String, Sum>::new());
                    for _ in 0..CALLS {
                        let id = format!("s-{}", next(&mut state) % SESSIONS);
                        let sum = sums.entry(id.clone()).or_default();
                        if next(&mut state).is_multiple_of(3) {
                            let fails = next(&mut state).is_multiple_of(4);
                            let tool = rig.start_tool(&id, ["a", "b", "c"][mine as usize % 3]);
                            sum.tools += 1;
                            sum.failed += u64::from(fails);
                            match fails {
                                true => drop(tool),
                                false => tool.end(Outcome::ANSWERED),
                            }
                        } else {
                            let (input, output) =
                                (next(&mut state) % 5_000, next(&mut state) % 900);
                            rig.chat(&id, &usage(input, output));
                            sum.calls += 1;
                            sum.input += input;
                            sum.output += output;
                        }
                        if next(&mut state).is_multiple_of(50) {
                            drop(rig.ledger.summary(&id));
                            drop(rig.ledger.budget(&id, Limits::new()));
                            drop(rig.ledger.sessions());
                        }
                    }
                    sums
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|one| one.join().expect("no panic"))
            .collect()
    });
    let mut expect = HashMap::<String, Sum>::new();
    for (id, sum) in sums.into_iter().flatten() {
        let all = expect.entry(id).or_default();
        all.calls += sum.calls;
        all.input += sum.input;
        all.output += sum.output;
        all.tools += sum.tools;
        all.failed += sum.failed;
    }
    assert_eq!(rig.ledger.sessions().len(), expect.len());
    for (id, expect) in expect {
        let summary = rig.ledger.summary(&id).expect("it is there");
        let got = Sum {
            calls: summary.inference_calls,
            input: summary.input_tokens,
            output: summary.output_tokens,
            tools: summary.tool_calls,
            failed: summary.failed_tool_calls,
        };
        assert_eq!(got, expect, "{id}");
        let by_tool: u64 = summary.tools.iter().map(|tool| tool.calls).sum();
        assert_eq!(by_tool, expect.tools, "{id}");
        if id == "s-0" {
            let exceeded = budget.check().expect_err("it was used");
            assert_eq!(exceeded.used, (expect.input + expect.output) as f64);
        }
    }
}

#[test]
fn beside_evictions_every_call_is_told_of_once() {
    let ledger = Ledger::builder().with_max_sessions(70);
    let rig = Rig::with(Capture::builder().threaded(), ledger);
    thread::scope(|scope| {
        for mine in 0..THREADS {
            let rig = &rig;
            scope.spawn(move || {
                let mut state = mine + 1;
                for _ in 0..CALLS {
                    let id = format!("s-{}", next(&mut state) % 300);
                    rig.chat(&id, &usage(1, 0));
                    if next(&mut state).is_multiple_of(100) {
                        rig.ledger.close(&id);
                    }
                }
            });
        }
    });
    let counts = rig.assert_balanced();
    assert!(counts.live <= 70 && counts.evicted > 100, "{counts:?}");
    let told: f64 = { rig.summaries().into_iter() }
        .map(|event| number(&event, "gen_ai.usage.input_tokens").expect("it is told"))
        .sum();
    let held: u64 = { rig.ledger.sessions().into_iter() }
        .map(|id| rig.ledger.summary(&id).expect("it is held").input_tokens)
        .sum();
    assert_eq!(told as u64 + held, THREADS * CALLS);
}
