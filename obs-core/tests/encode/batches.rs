//! Many spans: their scopes, and bodies that end where the limit is.

use crate::said::{Said, agrees, said};
use crate::support::*;
use obs_core::encode::BODY_LIMIT;
use obs_core::otel::trace::{SpanContext, SpanId, TraceFlags, TraceId};
use obs_core::otel::{KeyValue, StringValue, Value};
use obs_core::sampling::HeadSampler;
use obs_core::{Builder, Descriptor, Key, LabelId, Labels, Outcome, Parent};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeMap;

const NOTE: Key = Key::new(&"note");

/// `count` operations of two kinds, whose sizes differ by the note of every seventh.
fn finished(bench: &Bench<Said>, count: usize, note: usize) {
    let kinds = [&SERVER, &INTERNAL].map(|descriptor| bench.telemetry.kind(descriptor));
    for index in 0..count {
        let labels = Labels::NONE.with(0, LabelId::closed((index % 3) as u16));
        let kind = kinds[index % 5 % 2];
        let labels = if std::ptr::eq(kind, kinds[0]) {
            labels
        } else {
            Labels::NONE
        };
        let mut operation = kind.start(labels, Parent::Root);
        if index % 7 == 0 {
            operation.set(NOTE, "x".repeat(note).as_str());
        }
        bench.advance(1_000_000);
        operation.end(Outcome::ANSWERED);
    }
}

/// The spans of all bodies with their scopes' names; each scope stands once in each body.
#[track_caller]
fn decoded(bodies: &[(Vec<u8>, u64)]) -> Vec<(String, Span)> {
    let mut all = Vec::new();
    for (body, items) in bodies {
        let request: ExportTraceServiceRequest = decode(body);
        assert_eq!(request.resource_spans.len(), 1);
        let mut scopes = Vec::new();
        let before = all.len();
        for of_scope in &request.resource_spans[0].scope_spans {
            let name = of_scope.scope.as_ref().expect("a scope").name.clone();
            assert!(!scopes.contains(&name), "twice: {name}");
            assert!(!of_scope.spans.is_empty());
            let spans = of_scope.spans.iter().cloned();
            all.extend(spans.map(|span| (name.clone(), span)));
            scopes.push(name);
        }
        assert_eq!((all.len() - before) as u64, *items);
    }
    all
}

#[track_caller]
fn check(limit: usize, count: usize, note: usize) -> usize {
    let always_on = HeadSampler::always_on();
    let bench = Bench::with_limit(limit, |builder| builder.with_sampler(always_on), said);
    let mut bodies = Vec::new();
    let mut records = Vec::new();
    // The encoder goes on with the buffers of the round before.
    for _ in 0..3 {
        finished(&bench, count, note);
        let captured = bench.collect();
        bodies.extend(captured.bodies);
        records.extend(captured.records);
    }
    for (body, items) in &bodies {
        assert!(
            body.len() <= limit || *items == 1,
            "{} bytes of {limit}, {items} spans",
            body.len()
        );
    }
    let spans: BTreeMap<_, _> = decoded(&bodies)
        .into_iter()
        .map(|(scope, span)| (span.span_id.clone(), (scope, span)))
        .collect();
    assert_eq!(spans.len(), 3 * count);
    for said in &records {
        let (scope, span) = &spans[said.span_id.to_bytes().as_slice()];
        assert_eq!(scope, said.scope);
        agrees(span, said);
    }
    bodies.len()
}

#[test]
fn spans_of_several_scopes_share_a_body() {
    assert_eq!(check(BODY_LIMIT, 100, 40), 3);
}

#[test]
fn spans_beyond_the_limit_go_on_in_the_next_body() {
    assert_eq!(check(0, 20, 40), 60, "each on its own");
    for limit in [500, 1_000, 2_000, 6_000] {
        assert!(check(limit, 100, 40) > 3);
    }
    // Larger than the limit by itself, between others that are not.
    assert!(check(4_000, 50, 10_000) > 3);
}

#[test]
fn a_body_is_as_large_as_the_limit_lets_it_be() {
    let bodies = check(4_000, 100, 40);
    let whole: usize = {
        let always_on = HeadSampler::always_on();
        let bench = Bench::new(|builder| builder.with_sampler(always_on), said);
        finished(&bench, 100, 40);
        bench
            .collect()
            .bodies
            .iter()
            .map(|(body, _)| body.len())
            .sum()
    };
    // Three rounds, each of whose bodies but the last are fuller than three quarters.
    assert!(
        bodies <= 3 * (whole.div_ceil(3_000) + 1),
        "{bodies} bodies for {whole} bytes"
    );
}

static UNNAMABLE: Descriptor = Descriptor {
    name: "test.unnamable",
    span_name: |_, _| panic!("on purpose"),
    ..INTERNAL_AGAIN
};

/// Names are made by code of others. What unwinds in the middle of a span must not spoil it, nor the spans after it.
#[test]
fn a_rule_for_names_that_panics_spoils_its_own_name_only() {
    let always_on = HeadSampler::always_on();
    let bench = Bench::new(|builder| builder.with_sampler(always_on), |_| ());
    let unnamable = bench.telemetry.kind(&UNNAMABLE);
    for _ in 0..3 {
        unnamable
            .start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
        let nameless = decoded(&bench.collect().bodies);
        assert_eq!(nameless.len(), 1);
        assert_eq!(nameless[0].1.name, UNNAMABLE.name);
        bench
            .telemetry
            .kind(&INTERNAL)
            .start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
        let bodies = bench.collect().bodies;
        assert_eq!(decoded(&bodies).len(), 1);
    }
    assert_eq!(bench.telemetry.counts().panics, 3);
}

/// Lengths of one to four bytes, and more of everything than a record takes.
#[test]
fn long_values_and_too_many_of_them_are_cut_counted_and_encoded() {
    let always_on = HeadSampler::always_on();
    let roomy = |builder: Builder| builder.with_sampler(always_on).with_dynamic_bytes(16 << 20);
    let bench = Bench::new(roomy, said);
    let kind = bench.telemetry.kind(&INTERNAL);
    let sampled = SpanContext::new(
        TraceId::from(1),
        SpanId::from(2),
        TraceFlags::SAMPLED,
        true,
        Default::default(),
    );
    for len in [100, 127, 128, 3_000, 16_383, 16_384, 20_000] {
        let text = "é".repeat(len / 2);
        let note = || KeyValue::new("note", text.clone());
        let mut operation = kind.start(Labels::NONE, Parent::Root);
        operation.set(NOTE, text.as_str());
        let mut active = operation.active().expect("recording");
        active.set_dynamic(KeyValue::new(
            "list",
            Value::Array(vec![StringValue::from(text.clone()); 3].into()),
        ));
        for index in 0..150_u64 {
            active.set_dynamic(KeyValue::new(format!("key.{index}"), index as i64));
            active.add_event(
                "event",
                vec![note(); 1 + 140 * usize::from(index == 0 && len < 200)],
            );
            active.add_link(sampled.clone(), vec![note(); usize::from(index == 0)]);
        }
        operation.end(Outcome::ANSWERED);
    }
    let captured = bench.collect();
    let spans = decoded(&captured.bodies);
    assert_eq!(spans.len(), captured.records.len());
    for ((_, span), said) in spans.iter().zip(&captured.records) {
        agrees(span, said);
        // 128 of each fit: of the attributes, the owner's and the list are two.
        assert_eq!(span.attributes.len(), 128);
        assert_eq!(span.dropped_attributes_count, 152 - 128);
        assert_eq!((span.events.len(), span.dropped_events_count), (128, 22));
        assert_eq!((span.links.len(), span.dropped_links_count), (128, 22));
    }
    let dropped = |span: &Span| span.events[0].dropped_attributes_count;
    assert_eq!(dropped(&spans[0].1), 141 - 128);
    let longest = captured.bodies.iter().map(|(body, _)| body.len()).max();
    assert!(
        longest > Some(2_097_152),
        "a span whose length takes four bytes"
    );
}
