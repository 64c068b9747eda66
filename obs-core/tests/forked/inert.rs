//! With threads: a child has none of them, records nothing that goes anywhere, and never waits for them.

use crate::child::in_child;
use crate::collector::{Collector, PATIENCE};
use crate::everything::everything;
use crate::received::{self, destinations};
use crate::support::*;
use obs_core::{Labels, Outcome, Parent};
use std::time::{Duration, Instant};

#[test]
fn a_child_of_a_telemetry_with_threads_is_inert_and_says_so() {
    let collector = Collector::start([]);
    let telemetry = builder()
        .with_sampler(sampler(true))
        .with_otlp_to(destinations(&collector))
        .build()
        .expect("usable");
    telemetry.observe(|| ());
    everything(&telemetry, "parent");
    telemetry.flush(PATIENCE).expect("delivered");
    let before = collector.requests().len();
    in_child(|| {
        let start = Instant::now();
        // More than any ring has room for.
        for _ in 0..2_000 {
            let kind = telemetry.kind(&WORK);
            kind.start(Labels::NONE, Parent::Root)
                .end(Outcome::ANSWERED);
        }
        telemetry.observe(|| ());
        everything(&telemetry, "child");
        let kind = telemetry.kind(&WORK);
        let mut operation = kind.start(Labels::NONE, Parent::Root);
        assert!(operation.active().is_none(), "by now it records nothing");
        for outcome in [
            telemetry.collect(PATIENCE),
            telemetry.flush(PATIENCE),
            telemetry.shutdown(PATIENCE),
            telemetry.shutdown(PATIENCE),
        ] {
            let error = outcome.expect_err("what was recorded here is lost");
            assert!(error.to_string().contains("forked"), "{error}");
        }
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
    });
    everything(&telemetry, "parent again");
    telemetry
        .shutdown(PATIENCE)
        .expect("the parent lost nothing");
    let logs = received::logs(&collector);
    let texts: Vec<_> = logs.iter().map(|(_, text)| &**text).collect();
    assert_eq!(texts, ["parent", "parent again"]);
    assert_eq!(received::names(&collector).len(), 4);
    assert!(collector.requests().len() > before);
}
