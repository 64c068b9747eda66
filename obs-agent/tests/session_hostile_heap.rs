//! What sessions of somebody who means harm take of the heap: ids and names as long as they may be, more tools than are told apart,
//! ids that change with each call, sessions that come and go.
//!
//! A binary of its own with one test: it counts what the whole process takes.

#[path = "session/support.rs"]
mod support;

use obs_agent::session::{Ledger, LedgerBuilder, LedgerCounts};
use obs_core::sampling::HeadSampler;
use obs_core::semconv::gen_ai;
use obs_core::{Outcome, Session};
use obs_llm::LlmOperation;
use obs_testing::Capture;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;
use support::Rig;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn held(change: Stats) -> isize {
    change.bytes_allocated as isize - change.bytes_deallocated as isize
}

/// As long as it may be, of characters of four bytes, and another one for each number.
fn long(number: usize) -> String {
    format!("{number:08}{}", "\u{10ffff}".repeat(100))
}

fn turn(rig: &Rig, number: usize, tools: usize) {
    let session = || {
        Session::new(&long(number))
            .with_conversation(&long(number + 1))
            .with_user(&long(number + 2))
    };
    rig.call(LlmOperation::Chat, session()).end();
    for tool in 0..tools {
        let mut operation = rig.start_tool("", "any");
        { operation.active().expect("recording") }.set_session(session());
        operation.set(gen_ai::TOOL_NAME, &*format!("{number:064}{tool:064}"));
        operation.end(Outcome::ANSWERED);
    }
}

/// The most that the heap has and the most that the ledger says, meanwhile.
#[track_caller]
fn check(
    ledger: LedgerBuilder,
    cap: usize,
    sessions: usize,
    tools: usize,
) -> (isize, LedgerCounts) {
    let mut keep = obs_core::KeepPolicy::default();
    keep.late = false;
    let capture = Capture::builder()
        .with_sampler(HeadSampler::always_off())
        .with_keep(keep);
    let rig = Rig::with(capture, ledger);
    turn(&rig, 0, tools.min(2));
    rig.ledger.close(&long(0));
    rig.capture.clear();
    let region = Region::new(HEAP);
    let (mut most, mut told) = (0, 0);
    for number in 1..=sessions {
        turn(&rig, number, tools);
        // What is told of is not the ledger's any more.
        if rig.ledger.counts().evicted > told {
            rig.capture.clear();
            told = rig.ledger.counts().evicted;
        }
        most = most.max(held(region.change()));
        assert!(rig.ledger.counts().bytes <= cap as u64);
    }
    let counts = rig.ledger.counts();
    assert!(most <= cap as isize, "{most} bytes are there");
    assert_eq!(counts.created, counts.live + counts.evicted + 1);
    (most, counts)
}

#[test]
fn whoever_means_harm_stays_within_the_bytes_that_are_said() {
    // Ten thousand with ids as long as they may be have room; with as many tools as are told apart they have not.
    let (most, counts) = check(Ledger::builder(), 32 << 20, 10_000, 0);
    assert_eq!(counts.live, 10_000);
    let said = counts.bytes as isize;
    assert!(most <= said && said < 2 * most, "{most} {counts:?}");
    let (_, counts) = check(Ledger::builder(), 32 << 20, 4_000, 40);
    assert!(counts.live > 2_000 && counts.evicted > 0, "{counts:?}");
    let tools = Ledger::builder().with_max_tools(256);
    check(tools.with_max_bytes(1 << 20), 1 << 20, 100, 300);
    // One that has no room alone is told in parts.
    let (_, counts) = check(tools.with_max_bytes(0), 64 << 10, 10, 300);
    assert!(counts.evicted > 10, "{counts:?}");
    let any = Ledger::builder().with_max_sessions(u32::MAX);
    let (_, counts) = check(any.with_max_bytes(64 << 10), 64 << 10, 3_000, 0);
    assert!(counts.live > 20, "{counts:?}");
}
