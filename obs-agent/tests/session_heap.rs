//! What sessions take of the heap: no more than is said, and nothing for one that goes on.
//!
//! A binary of its own with one test: it counts what the whole process takes.

#[path = "session/support.rs"]
mod support;

use obs_agent::session::Ledger;
use obs_core::sampling::HeadSampler;
use obs_core::{Outcome, Session};
use obs_llm::LlmOperation;
use obs_llm::wire::{Content, RequestSink, ResponseSink};
use obs_testing::Capture;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;
use support::{MS, Rig, usage};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SESSIONS: usize = 10_000;
const TOOLS: [&str; 3] = ["search", "send_mail", "calendar"];

fn unsampled() -> obs_testing::CaptureBuilder {
    let mut keep = obs_core::KeepPolicy::default();
    keep.late = false;
    let capture = Capture::builder().with_sampler(HeadSampler::always_off());
    capture.with_keep(keep)
}

/// A turn: a streamed answer, and a call of each tool.
fn turn(rig: &Rig, id: &str) {
    let session = Session::new(id).with_user("user-0123456789");
    let mut call = rig.call(LlmOperation::Chat, session);
    call.stream(true);
    rig.advance(MS);
    call.content(Content::Text);
    call.usage(&usage(1_000, 100));
    call.end();
    for tool in TOOLS {
        rig.start_tool(id, tool).end(Outcome::ANSWERED);
    }
}

fn held(change: Stats) -> usize {
    change
        .bytes_allocated
        .saturating_sub(change.bytes_deallocated)
}

/// What 10,000 sessions take, with three tools each, as the ledger says and as the heap knows.
fn many(ledger: obs_agent::session::LedgerBuilder) -> (Rig, usize, usize) {
    let rig = Rig::with(unsampled(), ledger);
    // What is made once, of the telemetry and its threads, is there: the ledger alone is counted.
    turn(&rig, "warm");
    rig.ledger.close("warm");
    assert_eq!(rig.summaries().len(), 1);
    rig.capture.clear();
    let before = rig.ledger.counts().bytes as usize;
    let region = Region::new(HEAP);
    let mut most = 0;
    for number in 0..SESSIONS {
        turn(&rig, &format!("session-{number:032}"));
        most = most.max(held(region.change()));
    }
    let said = rig.ledger.counts().bytes as usize - before;
    (rig, said, most)
}

#[test]
fn ten_thousand_sessions_stay_within_their_bytes() {
    let (rig, said, took) = many(Ledger::builder());
    assert_eq!(rig.ledger.counts().live, SESSIONS as u64);
    // Records that end make some room of their own.
    let slack = 256 << 10;
    assert!(took <= said + slack, "{took} bytes, {said} are said");
    assert!(said < 2 * took, "{said} bytes are said, {took} are there");
    let each = took / SESSIONS;
    assert!((500..2_000).contains(&each), "{each} bytes for a session");
    // One that goes on asks for nothing more.
    let id = format!("session-{:032}", 7);
    turn(&rig, &id);
    let tool = || {
        let operation = rig.start_tool(&id, TOOLS[1]);
        let region = Region::new(HEAP);
        operation.end(Outcome::ANSWERED);
        let change = region.change();
        change.allocations + change.reallocations
    };
    tool();
    assert_eq!(tool(), 0, "what the end of an operation asks for");
    drop(rig);

    // A cap that they do not fit under.
    let cap = 4 << 20;
    let (rig, ..) = many(Ledger::builder().with_max_bytes(cap));
    let counts = rig.ledger.counts();
    assert!(counts.bytes <= cap as u64, "{counts:?}");
    assert!(counts.live > 2_000 && counts.evicted > 4_000, "{counts:?}");
    // What nobody collects meanwhile waits for that, as far as the telemetry has room, and is counted beyond.
    let told = rig.summaries().len() as u64;
    let over = rig.telemetry().counts().log_events_full;
    assert_eq!(told + over, counts.evicted);
}
