//! The span through every ending: closed once, left as often as it was entered.

use crate::seen::Seen;
use obs_core::{ContextMode, End, StatsLevel, Telemetry};
use obs_http::{HTTP_CALL, HTTP_CLIENT, HTTP_SERVER, HttpClientLayer, HttpServerLayer};
use obs_testing::{Capture, Ending, Endings};
use std::time::Duration;
use tower::Layer;
use tracing::dispatcher::{Dispatch, with_default};
use tracing::{Level, Span};
use tracing_subscriber::layer::SubscriberExt;

const DEADLINE: Duration = Duration::from_secs(5);

/// Runs `drive` in a subscriber, and holds each span against the record of its operation.
#[track_caller]
fn check(capture: &Capture, drive: impl FnOnce()) {
    let seen = Seen::default();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(seen.clone()));
    with_default(&dispatch, || {
        drive();
        assert!(Span::current().is_none(), "nothing is left entered");
    });
    let (spans, records) = (seen.take(), capture.records());
    assert!(spans.len() >= Ending::ALL.len(), "{}", spans.len());
    assert_eq!(spans.len(), records.len());
    for span in &spans {
        assert_eq!((span.closed, span.left), (1, span.entered), "{span:#?}");
        let record = records
            .iter()
            .find(|record| Some(record.span_id.to_string().as_str()) == span.field("span_id"));
        let record = record.unwrap_or_else(|| panic!("no record of {span:#?}"));
        assert_eq!(span.field("error.type"), record.error_type(), "{span:#?}");
        let status = record
            .attr("http.response.status_code")
            .map(ToString::to_string);
        assert_eq!(
            span.field("http.response.status_code"),
            status.as_deref(),
            "{span:#?}"
        );
    }
    assert_eq!(capture.telemetry().warnings(), [""; 0]);
    assert_eq!(capture.telemetry().counts().panics, 0);
}

#[test]
fn a_servers_span_is_closed_once_in_every_ending() {
    for level in [StatsLevel::Base, StatsLevel::Detailed] {
        for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
            for in_body in [true, false] {
                let capture = Capture::builder()
                    .with_level(level)
                    .with_context_mode(mode)
                    .build();
                check(&capture, || {
                    let layer = HttpServerLayer::new(capture.telemetry())
                        .with_deadline(DEADLINE)
                        .with_current_in_body(in_body)
                        .with_tracing_span(Level::INFO);
                    Endings::of(&HTTP_SERVER)
                        .with_deadline(DEADLINE)
                        .check(&capture, |inner| layer.layer(inner));
                });
            }
        }
    }
}

#[test]
fn a_clients_span_is_closed_once_in_every_ending() {
    type Make = fn(&Telemetry) -> HttpClientLayer;
    let both: [(_, Make); 2] = [
        (&HTTP_CLIENT, HttpClientLayer::new),
        (&HTTP_CALL, HttpClientLayer::calls),
    ];
    for (descriptor, make) in both {
        let capture = Capture::new();
        check(&capture, || {
            let layer = make(capture.telemetry())
                .with_deadline(DEADLINE)
                .with_tracing_span(Level::INFO);
            Endings::of(descriptor)
                .with_deadline(DEADLINE)
                .expecting(Ending::BodyDroppedUnpolled, End::Cancelled, None)
                .expecting(Ending::DroppedMidBody, End::Cancelled, None)
                .check(&capture, |inner| layer.layer(inner));
        });
    }
}
