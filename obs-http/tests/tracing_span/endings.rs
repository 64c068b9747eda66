//! The span through every ending: closed once, left as often as it was entered.

use crate::seen::{Seen, SeenSpan};
use obs_core::{ContextMode, End, Records, StatsLevel, Subscriber, Telemetry};
use obs_http::{HTTP_CALL, HTTP_CLIENT, HTTP_SERVER, HttpClientLayer, HttpServerLayer};
use obs_testing::{Capture, CaptureBuilder, Ending, Endings};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::Layer;
use tracing::dispatcher::{Dispatch, with_default};
use tracing::{Level, Span};
use tracing_subscriber::layer::SubscriberExt;

const DEADLINE: Duration = Duration::from_secs(5);

/// What was recorded of each operation: its span's id, `error.type` and the status. The driver forgets records as it goes.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<[Option<String>; 3]>>>);

impl Subscriber for Kept {
    fn on_records(&mut self, records: Records<'_>) {
        let mut kept = self.0.lock().expect("no panic under it");
        for record in records.iter() {
            let (mut error, mut status) = (None, None);
            record.visit_attributes(&mut |key, value| match key {
                "error.type" => error = Some(value.to_value().to_string()),
                "http.response.status_code" => status = Some(value.to_value().to_string()),
                _ => {}
            });
            kept.push([Some(record.span_id().to_string()), error, status]);
        }
    }
}

/// Drives in a subscriber, and holds each span against the record of its operation.
#[track_caller]
fn check(set: impl FnOnce(CaptureBuilder) -> CaptureBuilder, drive: impl FnOnce(&Capture)) {
    let (kept, seen) = (Kept::default(), Seen::default());
    let builder = set(Capture::builder());
    let capture = builder
        .with(|builder| builder.with_subscriber(kept.clone()))
        .build();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(seen.clone()));
    with_default(&dispatch, || {
        drive(&capture);
        assert!(Span::current().is_none(), "nothing is left entered");
    });
    let spans = seen.take();
    assert_eq!(spans.len(), Ending::ALL.len());
    for span in &spans {
        assert_eq!((span.closed, span.left), (1, span.entered), "{span:#?}");
    }
    let said = |span: &SeenSpan| {
        ["span_id", "error.type", "http.response.status_code"]
            .map(|field| span.field(field).map(str::to_owned))
    };
    let mut said: Vec<_> = spans.iter().map(said).collect();
    let mut recorded = kept.0.lock().expect("no panic under it").clone();
    said.sort();
    recorded.sort();
    assert_eq!(said, recorded);
    assert_eq!(capture.telemetry().warnings(), [""; 0]);
    assert_eq!(capture.telemetry().counts().panics, 0);
}

#[test]
fn a_servers_span_is_closed_once_in_every_ending() {
    for level in [StatsLevel::Base, StatsLevel::Detailed] {
        for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
            for in_body in [true, false] {
                let set =
                    |builder: CaptureBuilder| builder.with_level(level).with_context_mode(mode);
                check(set, |capture| {
                    let layer = HttpServerLayer::new(capture.telemetry())
                        .with_deadline(DEADLINE)
                        .with_current_in_body(in_body)
                        .with_tracing_span(Level::INFO);
                    Endings::of(&HTTP_SERVER)
                        .with_deadline(DEADLINE)
                        .check(capture, |inner| layer.layer(inner));
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
        check(
            |builder| builder,
            |capture| {
                let layer = make(capture.telemetry())
                    .with_deadline(DEADLINE)
                    .with_tracing_span(Level::INFO);
                Endings::of(descriptor)
                    .with_deadline(DEADLINE)
                    .expecting(Ending::BodyDroppedUnpolled, End::Cancelled, None)
                    .expecting(Ending::DroppedMidBody, End::Cancelled, None)
                    .check(capture, |inner| layer.layer(inner));
            },
        );
    }
}
