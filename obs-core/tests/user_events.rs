//! Event points of a service's own: seen wherever they were stamped, by whoever looks.

#[path = "support/support.rs"]
mod support;

use obs_core::encode::TraceTree;
use obs_core::{Event, Outcome, Records, StatsLevel, Subscriber, courier};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::rig_with;

/// What each who looks sees of the events, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Vec<String>>>>);

impl Subscriber for Seen {
    fn on_records(&mut self, records: Records<'_>) {
        let mut seen = self.0.lock().expect("no test panics here");
        for record in records.iter() {
            let mut tree = TraceTree::new();
            tree.add(&record);
            let tree = tree.to_string();
            let lines = tree
                .lines()
                .filter_map(|line| line.trim().strip_prefix("* "));
            seen.push(
                lines
                    .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
                    .collect(),
            );
            #[cfg(feature = "sdk")]
            seen.push(
                obs_core::sdk::span_data(&record)
                    .events
                    .iter()
                    .map(|event| event.name.to_string())
                    .collect(),
            );
        }
    }
}

#[track_caller]
fn check(level: StatsLevel, expect: &[&str]) {
    let base = Event::define("test_mine", StatsLevel::Base).expect("room for one");
    let detailed =
        Event::define("test_mine_in_detail", StatsLevel::Detailed).expect("room for one");
    let (seen, capture) = (Seen::default(), courier::Capture::new());
    let rig = rig_with(true, |builder| {
        let builder = builder.with_level(level).with_transport(capture.clone());
        builder.with_subscriber(seen.clone())
    });
    let mut operation = rig.root("w");
    for event in [Event::RESPONSE_HEAD, base, detailed, Event::WRITE_FINISH] {
        rig.advance_ms(1);
        operation.stamp(event);
    }
    operation.end(Outcome::ANSWERED);
    let span = rig.span();
    let names: Vec<_> = span.events.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, expect, "the record at {level:?}");
    rig.telemetry
        .flush(Duration::from_secs(5))
        .expect("delivered");
    let batches = capture.take();
    let traces = batches
        .iter()
        .find(|batch| batch.signal == courier::Signal::Traces);
    let request = ExportTraceServiceRequest::decode(&traces.expect("spans").body[..]);
    let exported = &request.expect("a request").resource_spans[0].scope_spans[0].spans[0];
    let names: Vec<_> = exported
        .events
        .iter()
        .map(|event| event.name.as_str())
        .collect();
    assert_eq!(names, expect, "OTLP at {level:?}");
    for seen in &*seen.0.lock().expect("no test panics here") {
        assert_eq!(seen, expect, "{level:?}");
    }
}

#[test]
fn an_event_of_ones_own_that_is_stamped_at_base_is_seen() {
    check(StatsLevel::Base, &["test_mine"]);
}

#[test]
fn at_detailed_all_are_seen_in_their_order() {
    let all = [
        "response_head",
        "test_mine",
        "test_mine_in_detail",
        "write_finish",
    ];
    check(StatsLevel::Detailed, &all);
}
