//! A chunk that comes late is told at once, and once.

use super::*;
use obs_core::sampling::HeadSampler;
use obs_core::{Session, Severity};

#[test]
fn a_slow_first_chunk_and_a_slow_gap_are_each_told_once_with_the_trace() {
    let capture = Capture::new();
    let llm = llm(&capture).with_slow(Some(100 * MS), Some(30 * MS));
    let mut call = asked(&llm);
    let mut told = Vec::new();
    for after in [99, 29, 30, 31] {
        capture.clock().advance(after * MS);
        call.chunk();
        told.push(capture.log_events().len());
    }
    assert_eq!(told, [0, 0, 1, 1]);
    call.usage(&usage());
    call.finish_reason(0, "end_turn");
    call.end();

    let mut call = asked(&llm);
    call.set_session(Session::new("s-1"));
    capture.clock().advance(100 * MS);
    call.chunk();
    drop(call);

    let events = capture.log_events();
    let records = capture.records();
    assert_eq!(events.len(), 2);
    // It wakes somebody, who wants to know of whom it is.
    assert!(events.iter().all(|event| event.severity == Severity::Warn));
    let session = format!("{:?}", events[1].session);
    assert!(events[0].session.is_none() && session.contains("s-1"));
    for (event, (cause, took, threshold)) in events
        .iter()
        .zip([("chunk_gap", 0.03, 0.03), ("first_chunk", 0.1, 0.1)])
    {
        assert_eq!(event.name, "obs.llm.slow");
        let says = |key: &str| {
            let found = event
                .attributes
                .iter()
                .find(|pair| pair.key.as_str() == key);
            found.map(|pair| pair.value.to_string())
        };
        assert_eq!(says("obs.llm.slow.cause").as_deref(), Some(cause));
        assert_eq!(says("obs.llm.slow.duration"), Some(took.to_string()));
        assert_eq!(says("obs.llm.slow.threshold"), Some(threshold.to_string()));
        let model = says("gen_ai.request.model");
        assert_eq!(model.as_deref(), Some("claude-sonnet-4-5"));
    }
    for (event, record) in events.iter().zip(&records) {
        let trace = event.trace_id;
        assert_eq!(trace, Some(record.trace_id));
    }
    assert_eq!(records[0].attr("obs.llm.slow.count"), Some(&2_i64.into()));
    assert_eq!(records[1].attr("obs.llm.slow.count"), None);
}

#[test]
fn never_is_never() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture).with_slow(None, None));
    for _ in 0..3 {
        capture.clock().advance(Duration::from_secs(3600));
        call.chunk();
    }
    drop(call);
    assert_eq!(capture.log_events().len(), 0);
}

#[test]
fn its_trace_is_kept_where_that_is_asked_for() {
    for (keeps, kept) in [(false, 0), (true, 1)] {
        let capture = Capture::builder()
            .with_sampler(HeadSampler::always_off())
            .build();
        let mut call = asked(&llm(&capture).with_slow_kept(keeps));
        answer(&capture, &mut call);
        capture.clock().advance(250 * MS);
        call.chunk();
        call.end();
        assert_eq!(capture.records().len(), kept);
        assert_eq!(capture.log_events().len(), 1);
    }
}

#[test]
fn the_longest_gap_is_known_whether_it_was_slow_or_not() {
    for (gaps, slow) in [
        (&[10, 20, 5][..], None),
        (&[10, 50, 20, 60, 30], Some(3_i64)),
        (&[60, 29, 10], Some(1)),
        (&[0, 0], None),
    ] {
        let capture = Capture::new();
        let mut call = asked(&llm(&capture).with_slow(None, Some(30 * MS)));
        call.chunk();
        for after in gaps {
            capture.clock().advance(*after * MS);
            call.chunk();
        }
        call.end();
        let record = capture.record();
        let longest = gaps.iter().max().map(|ms| f64::from(*ms) / 1e3);
        let told = record.attr("obs.llm.response.chunk_gap.max").cloned();
        assert_eq!(told, longest.map(Into::into), "{gaps:?}");
        let told = record.attr("obs.llm.slow.count").cloned();
        assert_eq!(told, slow.map(Into::into), "{gaps:?}");
        assert_eq!(capture.log_events().len(), usize::from(slow.is_some()));
    }
}
