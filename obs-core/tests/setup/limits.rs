//! The limits of the environment: one count over all the places a span lies in, the same in records and in what is
//! encoded, and what is beyond it counted exactly.

use crate::environment;
use crate::support::{CHUNKS, Captured, METHOD, WORK, builder, sampler};
use obs_core::courier::{Capture, Signal};
use obs_core::otel::trace::{SpanContext, SpanId, TraceFlags, TraceId};
use obs_core::otel::{Array, KeyValue, StringValue, Value};
use obs_core::{Event, Key, Labels, Outcome, Parent, StatsLevel};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue as Encoded, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::net::IpAddr;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);
const OWN: [Key; 2] = [Key::new(&"own.text"), Key::new(&"own.address")];
const TEXT: &str = "0123456789abcdef";

/// One operation with a label, attributes of its owner, measures, attributes from beside, events and links; as encoded,
/// and held against the record.
fn exported(variables: &[(&str, &str)]) -> Span {
    let (capture, captured) = (Capture::new(), Captured::default());
    let telemetry = builder()
        .with_environment(environment(variables))
        .with_sampler(sampler(true))
        .with_level(StatsLevel::Detailed)
        .with_transport(capture.clone())
        .with_subscriber(captured.clone())
        .manual()
        .build()
        .expect("usable");
    assert_eq!(telemetry.warnings(), [""; 0]);
    let kind = telemetry.kind(&WORK);
    let labels = Labels::NONE.with(METHOD, kind.label(METHOD, TEXT));
    let mut operation = kind.start(labels, Parent::Root);
    operation.stamp(Event::WRITE_START);
    operation.stamp(Event::WRITE_FINISH);
    let mut active = operation.active().expect("recording");
    active.set(OWN[0], obs_core::Set::Static(TEXT));
    active.set(OWN[1], IpAddr::from([203, 0, 113, 17]));
    active.set_measure(0, 3);
    active.set_dynamic(KeyValue::new("beside.text", "ääää".repeat(10)));
    let list: Vec<StringValue> = vec!["a".into(), TEXT.into()];
    active.set_dynamic(KeyValue::new(
        "beside.list",
        Value::Array(Array::String(list)),
    ));
    let four = || {
        (0..4)
            .map(|n| KeyValue::new(format!("k{n}"), TEXT))
            .collect()
    };
    active.add_event("first", four());
    active.add_event("second", Vec::new());
    let linked = SpanContext::new(
        TraceId::from(1),
        SpanId::from(2),
        TraceFlags::SAMPLED,
        true,
        Default::default(),
    );
    active.add_link(linked.clone(), four());
    active.add_link(linked, Vec::new());
    operation.end(Outcome::ANSWERED);
    telemetry.flush(LONG).expect("delivered");

    let batches = capture.take();
    let traces = batches.iter().find(|batch| batch.signal == Signal::Traces);
    let request = ExportTraceServiceRequest::decode(&traces.expect("one").body[..]);
    let resource = request.expect("ours").resource_spans.remove(0);
    let span = resource.scope_spans[0].spans[0].clone();
    let records = captured.take_spans();
    let record = &records[0];
    assert_eq!(
        names(&span.attributes),
        record
            .attributes
            .iter()
            .map(|(key, _)| &**key)
            .collect::<Vec<_>>()
    );
    assert_eq!(span.dropped_attributes_count, record.dropped_attributes);
    assert_eq!(
        span.events
            .iter()
            .map(|event| &event.name)
            .collect::<Vec<_>>(),
        record
            .events
            .iter()
            .map(|(name, ..)| name)
            .collect::<Vec<_>>()
    );
    assert_eq!(span.dropped_events_count, record.dropped_events);
    assert_eq!(span.links.len(), record.links.len());
    for (encoded, (_, recorded)) in span.links.iter().zip(&record.links) {
        assert_eq!(names(&encoded.attributes).len(), recorded.len());
    }
    span
}

fn names(attributes: &[Encoded]) -> Vec<&str> {
    attributes.iter().map(|pair| &*pair.key).collect()
}

/// All texts of the span, in lists too.
fn texts(span: &Span) -> Vec<String> {
    let events = span.events.iter().flat_map(|event| &event.attributes);
    let links = span.links.iter().flat_map(|link| &link.attributes);
    let all = span.attributes.iter().chain(events).chain(links);
    all.filter_map(|pair| pair.value.as_ref()?.value.as_ref())
        .flat_map(|value| match value {
            any_value::Value::StringValue(text) => vec![text.clone()],
            any_value::Value::ArrayValue(list) => {
                let each = list.values.iter().filter_map(|value| match &value.value {
                    Some(any_value::Value::StringValue(text)) => Some(text.clone()),
                    _ => None,
                });
                each.collect()
            }
            _ => Vec::new(),
        })
        .collect()
}

/// What is set: the label, two of the owner's, a measure, two from beside.
const ALL: [&str; 6] = [
    "test.step",
    "own.text",
    "own.address",
    "test.chunks",
    "beside.text",
    "beside.list",
];

#[test]
fn without_limits_everything_is_exported() {
    let span = exported(&[]);
    assert_eq!(names(&span.attributes), ALL);
    assert_eq!(CHUNKS.as_str(), ALL[3]);
    assert_eq!((span.events.len(), span.links.len()), (4, 2));
    let dropped = [
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
    ];
    assert_eq!(dropped, [0; 3]);
}

#[test]
fn attributes_are_counted_over_labels_the_owners_measures_and_those_from_beside() {
    for limit in 0..=7 {
        let text = limit.to_string();
        let span = exported(&[("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", &text)]);
        assert_eq!(names(&span.attributes), &ALL[..limit.min(6)]);
        assert_eq!(span.dropped_attributes_count as usize, 6 - limit.min(6));
    }
}

#[test]
fn event_points_count_as_events() {
    for limit in 0..=5 {
        let text = limit.to_string();
        let span = exported(&[("OTEL_SPAN_EVENT_COUNT_LIMIT", &text)]);
        let names: Vec<_> = span.events.iter().map(|event| &*event.name).collect();
        let all = ["write_start", "write_finish", "first", "second"];
        assert_eq!(names, &all[..limit.min(4)]);
        assert_eq!(span.dropped_events_count as usize, 4 - limit.min(4));
    }
}

#[test]
fn links_and_the_attributes_of_events_and_links_have_limits_of_their_own() {
    let span = exported(&[
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "1"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "3"),
    ]);
    assert_eq!((span.links.len(), span.dropped_links_count), (1, 1));
    let (link, event) = (&span.links[0], &span.events[2]);
    assert_eq!(
        (link.attributes.len(), link.dropped_attributes_count),
        (1, 3)
    );
    assert_eq!(
        (event.attributes.len(), event.dropped_attributes_count),
        (3, 1)
    );
}

#[test]
fn a_text_is_cut_in_characters_without_a_mark_wherever_it_lies() {
    let span = exported(&[("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10")]);
    assert_eq!(span.dropped_attributes_count, 0);
    let texts = texts(&span);
    assert_eq!(texts.len(), 3 + 1 + 2 + 4 + 4, "{texts:?}");
    for text in &texts {
        let whole = ["a", "0123456789", "203.0.113.", "ääääääääää"];
        assert!(whole.contains(&&**text), "{text}");
    }
    // What no limit asks for is as long as it is.
    assert!(texts.len() == self::texts(&exported(&[])).len());
    let long = exported(&[("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1000000")]);
    assert!(self::texts(&long).contains(&TEXT.to_owned()));
}
