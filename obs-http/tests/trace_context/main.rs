//! The cases of the W3C's suite (`test/test.py` of w3c/trace-context at acab820, June 2026, both levels, strict), over real sockets
//! and as that suite does it: a service is asked with these headers to call back, and what its calls carry is looked at.
//!
//! Once with a listener that trusts its callers, and once with one that links them only: there no case may reach a call.

mod cases;
mod harness;
mod trusted;

use cases::{Case, Trace};
use harness::Harness;
use obs_core::Trust;

const SUITE: usize = 41;

fn on_this_thread(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work);
}

#[test]
fn every_test_of_the_suite_is_here() {
    let mut names: Vec<_> = cases::all().iter().map(|case| case.test).collect();
    names.dedup();
    assert_eq!(names.len(), SUITE, "{names:#?}");
}

#[test]
fn trusted_callers_are_continued_as_the_suite_asks() {
    on_this_thread(async {
        let harness = Harness::start(Trust::Trusted).await;
        for case in cases::all() {
            let calls = harness.ask(&case.headers, case.calls).await;
            check(
                &case,
                &calls,
                case.trace,
                case.state.as_deref().unwrap_or_default(),
            );
            if matches!(case.flags, Some("00" | "02")) {
                // The caller's word: it is not recorded.
                assert_eq!(harness.capture.records(), [], "{case:?}");
                continue;
            }
            let exchange = harness.exchange(case.calls);
            assert_eq!(exchange.links.len(), 0, "{case:?}");
            let continues = exchange.parent_span_id.is_some();
            assert_eq!(continues, case.trace == Trace::Same, "{case:?}");
        }
    });
}

#[test]
fn strangers_are_linked_and_nothing_of_theirs_reaches_a_call() {
    on_this_thread(async {
        let harness = Harness::start(Trust::LinkOnly).await;
        for case in cases::all() {
            let calls = harness.ask(&case.headers, case.calls).await;
            check(&case, &calls, Trace::New, "");
            let exchange = harness.exchange(case.calls);
            assert_eq!(exchange.parent_span_id, None, "{case:?}");
            let linked: Vec<_> = exchange
                .links
                .iter()
                .map(|link| format!("{:032x}", link.trace_id))
                .collect();
            match case.trace {
                Trace::Same => assert_eq!(linked, [cases::TRACE], "{case:?}"),
                Trace::New => assert_eq!(linked, [""; 0], "{case:?}"),
            }
        }
    });
}

/// What each call carried.
#[track_caller]
fn check(case: &Case, calls: &[Vec<(String, String)>], trace: Trace, state: &str) {
    assert_eq!(calls.len(), case.calls, "{case:?}");
    let mut parents = Vec::new();
    for headers in calls {
        let of = |name: &str| -> Vec<&str> {
            let values = headers
                .iter()
                .filter(|(own, _)| own.eq_ignore_ascii_case(name));
            values.map(|(_, value)| value.as_str()).collect()
        };
        let [traceparent] = of("traceparent")[..] else {
            panic!("one traceparent expected: {headers:?} {case:?}");
        };
        let fields: Vec<_> = traceparent.split('-').collect();
        let [version, id, parent, flags] = fields[..] else {
            panic!("{traceparent} {case:?}");
        };
        let is_hex = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        assert_eq!(
            (version, id.len(), parent.len(), flags.len()),
            ("00", 32, 16, 2),
            "{traceparent}"
        );
        assert!(
            is_hex(id) && is_hex(parent) && is_hex(flags),
            "{traceparent}"
        );
        assert!(
            !id.bytes().all(|byte| byte == b'0') && parent != cases::PARENT,
            "{traceparent}"
        );
        match trace {
            Trace::Same => {
                assert_eq!(id, cases::TRACE, "{case:?}");
                assert_eq!(Some(flags), case.flags, "{case:?}");
            }
            // None of what was sent, whole or in part.
            Trace::New => assert!(!case.ids().any(|sent| sent == id), "{id} {case:?}"),
        }
        assert_eq!(of("tracestate").join(","), state, "{case:?}");
        parents.push(parent.to_owned());
    }
    parents.sort();
    parents.dedup();
    assert_eq!(
        parents.len(),
        case.calls,
        "each call is a parent of its own: {case:?}"
    );
}
