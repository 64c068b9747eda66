//! Our own lines and log records inside of the span: its ids are there once.

use crate::world::{Handler, ask, request};
use obs_core::logs::LogLayer;
use obs_core::otel::Value;
use obs_http::HttpServerLayer;
use obs_testing::Capture;
use std::sync::{Arc, Mutex};
use tower::Layer;
use tracing::Level;
use tracing::dispatcher::{Dispatch, with_default};
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("no panic under it")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The one line of `log` inside of an exchange, with fields of spans or without.
#[track_caller]
fn line(capture: &Capture, fields: bool, log: fn()) -> String {
    let written = Written::default();
    let into = written.clone();
    let lines = LogLayer::new(capture.telemetry())
        .with_lines(move || into.clone())
        .with_span_fields(fields);
    with_default(
        &Dispatch::new(tracing_subscriber::registry().with(lines)),
        || {
            let layer = HttpServerLayer::new(capture.telemetry()).with_tracing_span(Level::INFO);
            ask(layer.layer(Handler(log)), request("/items/7"));
        },
    );
    let bytes = written.0.lock().expect("no panic under it").clone();
    let text = String::from_utf8(bytes).expect("text");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn a_line_has_the_ids_once_whether_it_tells_of_spans_or_not() {
    for fields in [false, true] {
        let capture = Capture::new();
        let line = line(&capture, fields, || tracing::info!("said"));
        let record = capture.record();
        let ids = format!(
            r#""trace_id":"{}","span_id":"{}""#,
            record.trace_id, record.span_id
        );
        assert!(line.contains(&ids), "{line}");
        for id in [record.trace_id.to_string(), record.span_id.to_string()] {
            assert_eq!(line.matches(&id).count(), 1, "{line}");
        }
        let spans = r#""spans":[{"name":"http.server","fields":{"http.request.method":"GET","url.path":"/items/7"}}]"#;
        assert_eq!(line.contains(spans), fields, "{line}");
    }
}

#[test]
fn a_line_where_only_the_span_is_known_has_its_ids() {
    let capture = Capture::new();
    // What is spawned `in_current_span` is in the span, and in no operation.
    let line = line(&capture, true, || {
        let (span, dispatch) = (
            tracing::Span::current(),
            tracing::dispatcher::get_default(Dispatch::clone),
        );
        let said = move || with_default(&dispatch, || span.in_scope(|| tracing::info!("said")));
        std::thread::spawn(said).join().expect("no panic");
    });
    let record = capture.record();
    for id in [record.trace_id.to_string(), record.span_id.to_string()] {
        assert_eq!(line.matches(&id).count(), 1, "{line}");
    }
}

#[test]
fn a_log_record_has_the_ids_in_their_place_and_not_as_attributes() {
    let capture = Capture::new();
    line(&capture, true, || tracing::info!(own = 1_i64, "said"));
    let record = capture.record();
    let events = capture.log_events();
    let [event] = &events[..] else {
        panic!("one expected: {events:#?}")
    };
    assert_eq!(
        (event.trace_id, event.span_id),
        (Some(record.trace_id), Some(record.span_id))
    );
    let mut said: Vec<_> = event
        .attributes
        .iter()
        .map(|attribute| (attribute.key.as_str(), attribute.value.clone()))
        .collect();
    said.sort_by_key(|(key, _)| *key);
    assert_eq!(
        said,
        [
            ("http.request.method", Value::from("GET")),
            ("own", Value::from(1_i64)),
            ("url.path", Value::from("/items/7")),
        ]
    );
}
