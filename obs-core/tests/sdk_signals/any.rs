//! Values of every kind.

use obs_core::otel::logs::AnyValue;
use obs_core::otel::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use obs_core::otel::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,12}",
        1 => Just(String::new()),
        // Lengths of two and three bytes.
        1 => (100_usize..20_000).prop_map(|len| "é".repeat(len / 2)),
    ]
}

pub(crate) fn time() -> impl Strategy<Value = SystemTime> {
    prop_oneof![
        8 => (0_u64..4_000_000_000_000_000_000).prop_map(|nanos| UNIX_EPOCH + Duration::from_nanos(nanos)),
        1 => Just(UNIX_EPOCH),
        1 => Just(UNIX_EPOCH - Duration::from_secs(1)),
    ]
}

fn string() -> impl Strategy<Value = StringValue> {
    text().prop_map(StringValue::from)
}

fn double() -> impl Strategy<Value = f64> {
    // `NaN` is not equal to itself, which is all that is wrong with it.
    any::<f64>().prop_filter("comparable", |value| !value.is_nan())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        double().prop_map(Value::F64),
        string().prop_map(Value::String),
        vec(any::<bool>(), 0..4).prop_map(|list| Value::Array(Array::Bool(list))),
        vec(any::<i64>(), 0..4).prop_map(|list| Value::Array(Array::I64(list))),
        vec(double(), 0..4).prop_map(|list| Value::Array(Array::F64(list))),
        vec(string(), 0..4).prop_map(|list| Value::Array(Array::String(list))),
    ]
}

pub(crate) fn attributes(at_most: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (text(), value()).prop_map(|(key, value)| KeyValue::new(key, value));
    vec(pair, 0..=at_most)
}

pub(crate) fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AnyValue::Boolean),
        any::<i64>().prop_map(AnyValue::Int),
        double().prop_map(AnyValue::Double),
        text().prop_map(|text| AnyValue::String(text.into())),
        vec(any::<u8>(), 0..8).prop_map(|bytes| AnyValue::Bytes(Box::new(bytes))),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|list| AnyValue::ListAny(Box::new(list))),
            vec(("[a-z]{0,3}", inner), 0..4).prop_map(|pairs| {
                let map = pairs.into_iter().map(|(key, value)| (key.into(), value));
                AnyValue::Map(Box::new(map.collect()))
            }),
        ]
    })
}

pub(crate) fn scope() -> impl Strategy<Value = InstrumentationScope> {
    // A scope that is longer than some KiB is no scope: see the test of those.
    let words = || prop_oneof!["[ab]", "\\PC{0,9}", "[ab]{120,300}"];
    let pair = (words(), words()).prop_map(|(key, value)| KeyValue::new(key, value));
    // An empty version is written as none is, and such scopes become one; the official conversion leaves two that look alike.
    let version = option::of(words().prop_filter("not empty", |text| !text.is_empty()));
    (words(), version, option::of("[xy]"), vec(pair, 0..2)).prop_map(
        |(name, version, schema, attributes)| {
            let mut scope = InstrumentationScope::builder(name).with_attributes(attributes);
            if let Some(version) = version {
                scope = scope.with_version(version);
            }
            if let Some(schema) = schema {
                scope = scope.with_schema_url(schema);
            }
            scope.build()
        },
    )
}

fn context() -> impl Strategy<Value = SpanContext> {
    let state = vec(("[a-z]{1,8}", "[a-z0-9]{1,8}"), 0..3);
    (
        any::<u128>(),
        any::<u64>(),
        any::<u8>(),
        any::<bool>(),
        state,
    )
        .prop_map(|(trace, span, flags, remote, state)| {
            let state = TraceState::from_key_value(state).expect("valid");
            let flags = TraceFlags::new(flags);
            SpanContext::new(trace.into(), span.into(), flags, remote, state)
        })
}

fn kind() -> impl Strategy<Value = SpanKind> {
    prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Unset),
        Just(Status::Ok),
        text().prop_map(Status::error),
    ]
}

fn events() -> impl Strategy<Value = SpanEvents> {
    let event = (text(), time(), attributes(2), any::<u32>())
        .prop_map(|(name, time, attributes, dropped)| Event::new(name, time, attributes, dropped));
    (vec(event, 0..3), any::<u32>()).prop_map(|(events, dropped)| {
        let mut all = SpanEvents::default();
        (all.events, all.dropped_count) = (events, dropped);
        all
    })
}

fn links() -> impl Strategy<Value = SpanLinks> {
    let link = (context(), attributes(2), any::<u32>())
        .prop_map(|(context, attributes, dropped)| Link::new(context, attributes, dropped));
    (vec(link, 0..3), any::<u32>()).prop_map(|(links, dropped)| {
        let mut all = SpanLinks::default();
        (all.links, all.dropped_count) = (links, dropped);
        all
    })
}

/// Sampled or not.
pub(crate) fn span() -> impl Strategy<Value = SpanData> {
    let parent = (prop_oneof![Just(0), any::<u64>()], any::<bool>());
    let times = (time(), time());
    let parts = (
        attributes(3),
        prop_oneof![Just(0), any::<u32>()],
        events(),
        links(),
    );
    (
        context(),
        parent,
        kind(),
        text(),
        times,
        parts,
        status(),
        scope(),
    )
        .prop_map(
            |(context, parent, kind, name, times, parts, status, scope)| SpanData {
                span_context: context,
                parent_span_id: SpanId::from(parent.0),
                parent_span_is_remote: parent.1,
                span_kind: kind,
                name: name.into(),
                start_time: times.0,
                end_time: times.1,
                attributes: parts.0,
                dropped_attributes_count: parts.1,
                events: parts.2,
                links: parts.3,
                status,
                instrumentation_scope: scope,
            },
        )
}

/// A sampled span with nothing in it but its name.
pub(crate) fn plain(name: impl Into<String>) -> SpanData {
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(7),
            SpanId::from(9),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into().into(),
        start_time: UNIX_EPOCH + Duration::from_secs(1),
        end_time: UNIX_EPOCH + Duration::from_secs(2),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("plain").build(),
    }
}
