//! What is set dynamically on one operation is bounded in bytes, and what does not fit is counted.

#[path = "support/support.rs"]
mod support;

use obs_core::otel::trace::{SpanContext, TraceContextExt};
use obs_core::otel::{Array, Context, KeyValue, StringValue, Value};
use obs_core::{Operation, Outcome};
use support::{Rig, Span, rig, rig_with};

const KIB: usize = 1 << 10;

fn text(kib: usize) -> String {
    "x".repeat(kib * KIB)
}

fn span(rig: &Rig, work: impl FnOnce(&mut Operation)) -> Span {
    let mut operation = rig.root("a");
    work(&mut operation);
    operation.end(Outcome::ANSWERED);
    rig.span()
}

/// Bytes of the text of all that was exported.
fn bytes(span: &Span) -> usize {
    let of = |value: &Value| match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(list)) => list.iter().map(|text| text.as_str().len()).sum(),
        _ => 0,
    };
    let pairs = |pairs: &[KeyValue]| pairs.iter().map(|pair| of(&pair.value)).sum::<usize>();
    span.attributes
        .iter()
        // The label that gives the operation its name.
        .filter(|(key, _)| key != support::STEP.as_str())
        .map(|(_, value)| of(value))
        .sum::<usize>()
        + span
            .events
            .iter()
            .map(|(name, _, list)| name.len() + pairs(list))
            .sum::<usize>()
        + span
            .links
            .iter()
            .map(|(_, list)| pairs(list))
            .sum::<usize>()
}

#[test]
fn megabytes_of_events_links_and_lists_are_bounded_and_counted() {
    let span = span(&rig(true), |operation| {
        let handle = operation.handle().unwrap();
        for index in 0..100 {
            let list = vec![StringValue::from(text(1)); 100];
            let list = KeyValue::new(format!("list.{index}"), Value::Array(list.into()));
            let pair = || KeyValue::new("text", text(16));
            handle.add_event("event", vec![pair(), pair(), pair()]);
            handle.add_link(SpanContext::empty_context(), vec![pair()]);
            handle.set_attribute(list);
        }
    });
    assert!(bytes(&span) <= 128 * KIB, "{}", bytes(&span));
    assert!(bytes(&span) > 64 * KIB, "{}", bytes(&span));
    let sum = |kept: usize, dropped: u32| kept + dropped as usize;
    let lists = span
        .attributes
        .iter()
        .filter(|(key, _)| key.starts_with("list"));
    assert_eq!(sum(lists.count(), span.dropped_attributes), 100);
    assert_eq!(sum(span.events.len(), span.dropped_events), 100);
    assert_eq!(sum(span.links.len(), span.dropped_links), 100);
}

#[test]
fn the_content_of_a_model_call_fits() {
    let span = span(&rig(true), |operation| {
        let content = (0..4).map(|part| KeyValue::new(format!("part.{part}"), text(16)));
        let mut active = operation.active().unwrap();
        active.add_event("content", content.collect());
        active.set_dynamic(KeyValue::new("summary", text(8)));
    });
    assert_eq!(
        (bytes(&span), span.dropped_events),
        (72 * KIB + "content".len(), 0)
    );
}

#[test]
fn the_bound_holds_over_what_the_owner_and_others_wrote() {
    let rig = rig_with(true, |builder| builder.with_dynamic_bytes(10 * KIB));
    let span = span(&rig, |operation| {
        let pair = |key: &'static str| KeyValue::new(key, text(4));
        operation.active().unwrap().set_dynamic(pair("a"));
        operation.handle().unwrap().set_attribute(pair("b"));
        operation.scope(|| Context::current().span().set_attribute(pair("c")));
        operation.active().unwrap().set_dynamic(pair("d"));
    });
    assert_eq!((bytes(&span), span.dropped_attributes), (8 * KIB, 2));
}

#[test]
fn overwriting_takes_no_further_room_and_what_no_longer_fits_leaves_nothing_stale() {
    let rig = rig_with(true, |builder| builder.with_dynamic_bytes(10 * KIB));
    let span = span(&rig, |operation| {
        let handle = operation.handle().unwrap();
        for round in 0..100 {
            handle.set_attribute(KeyValue::new("a", format!("{round}{}", text(6))));
        }
        handle.set_attribute(KeyValue::new("b", "1"));
        handle.set_attribute(KeyValue::new("b", text(6)));
    });
    assert_eq!(span.attribute("b"), None);
    assert_eq!(span.dropped_attributes, 1);
    let a = span.attribute("a").map(|value| value.as_str().len());
    assert_eq!(a, Some(2 + 6 * KIB));
}

#[test]
fn names_and_descriptions_are_cut_like_values() {
    let span = span(&rig(true), |operation| {
        operation.scope(|| {
            let context = Context::current();
            context.span().update_name(text(1024));
            context
                .span()
                .set_status(obs_core::otel::trace::Status::error(text(1024)));
            context.span().add_event(text(1024), Vec::new());
        });
    });
    let obs_core::otel::trace::Status::Error { description } = &span.status else {
        panic!("an error");
    };
    for text in [&span.name, &**description, &span.events[0].0] {
        assert!(
            text.len() < 17 * KIB && text.ends_with("bytes]"),
            "{}",
            text.len()
        );
    }
}
