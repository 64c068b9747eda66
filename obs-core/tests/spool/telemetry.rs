//! The spool of a telemetry: a destination of its own, shutdown, and what the next process finds.

use std::time::Duration;

use obs_core::courier::{Capture, Settings, SpoolSettings};
use obs_core::{Delivery, Labels, Outcome, Parent};

use super::{Scratch, refusing, support};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn what_one_telemetry_could_not_deliver_the_next_one_does() {
    for manual in [true, false] {
        let scratch = Scratch::new();
        let spooled = |transport| {
            let settings = Settings::default().with_spool(SpoolSettings::at(scratch.path("spool")));
            let builder = support::builder().with_sampler(support::sampler(true));
            let builder =
                builder.with_delivery(Delivery::through(transport).with_settings(settings));
            let builder = if manual { builder.manual() } else { builder };
            builder.build().expect("usable")
        };
        let first = spooled(refusing());
        let kind = first.kind(&support::WORK);
        for _ in 0..100 {
            kind.start(Labels::NONE, Parent::Root)
                .end(Outcome::ANSWERED);
        }
        first.shutdown(PATIENCE).expect("kept is not lost");
        let account = first.accounts();
        assert_eq!((account.traces.pending, account.traces.spooled), (100, 100));
        assert!(account.metrics.spooled > 0);

        let capture = Capture::new();
        let second = spooled(capture.clone());
        // In manual mode the first flush opens the spool, and sends what is in it.
        second.flush(PATIENCE).expect("delivered");
        second.shutdown(PATIENCE).expect("nothing was lost");
        let account = second.accounts();
        assert_eq!(
            (account.traces.recovered, account.traces.delivered),
            (100, 100)
        );
        assert_eq!(account.total().pending, 0);
        let spans: u64 = capture
            .take()
            .iter()
            .map(|batch| match batch.signal {
                obs_core::courier::Signal::Traces => batch.items,
                _ => 0,
            })
            .sum();
        assert_eq!(spans, 100);
    }
}
