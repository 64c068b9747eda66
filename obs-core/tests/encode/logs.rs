//! Random events through the public API: what the oracle decodes is what was emitted.

use crate::support::*;
use obs_core::encode::{BODY_LIMIT, encode_logs};
use obs_core::otel::KeyValue;
use obs_core::{Body, Labels, LogEvent, Parent, Severity};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValueList, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn body() -> impl Strategy<Value = Body> {
    use proptest::collection::vec;
    let leaf = prop_oneof![
        Just(Body::Empty),
        any::<bool>().prop_map(Body::Bool),
        any::<i64>().prop_map(Body::I64),
        any::<f64>().prop_map(Body::F64),
        "\\PC{0,40}".prop_map(Body::Text),
        (100..20_000_usize).prop_map(|len| Body::Text("prompt ".repeat(len / 7))),
        vec(any::<u8>(), 0..20).prop_map(Body::Bytes),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Body::List),
            vec(("\\PC{0,8}", inner), 0..6).prop_map(Body::Map),
        ]
    })
}

fn wire_body(body: &Body) -> AnyValue {
    use any_value::Value as Any;
    let value = match body {
        Body::Empty => None,
        Body::Bool(value) => Some(Any::BoolValue(*value)),
        Body::I64(value) => Some(Any::IntValue(*value)),
        Body::F64(value) => Some(Any::DoubleValue(*value)),
        Body::Text(text) => Some(Any::StringValue(text.clone())),
        Body::Bytes(bytes) => Some(Any::BytesValue(bytes.clone())),
        Body::List(list) => Some(Any::ArrayValue(
            opentelemetry_proto::tonic::common::v1::ArrayValue {
                values: list.iter().map(wire_body).collect(),
            },
        )),
        Body::Map(map) => Some(Any::KvlistValue(KeyValueList {
            values: map
                .iter()
                .map(
                    |(key, value)| opentelemetry_proto::tonic::common::v1::KeyValue {
                        key: key.clone(),
                        value: Some(wire_body(value)),
                        ..Default::default()
                    },
                )
                .collect(),
        })),
        other => panic!("a body the tests do not know: {other:?}"),
    };
    AnyValue { value }
}

fn records(request: &ExportLogsServiceRequest) -> Vec<LogRecord> {
    assert_eq!(request.resource_logs.len(), 1);
    let of_resource = &request.resource_logs[0];
    assert_eq!(of_resource.schema_url, RESOURCE_SCHEMA);
    assert_eq!(of_resource.scope_logs.len(), 1);
    let of_scope = &of_resource.scope_logs[0];
    assert_eq!(of_scope.schema_url, SCOPE.schema_url);
    let scope = of_scope.scope.as_ref().expect("a scope");
    assert_eq!((&*scope.name, &*scope.version), (SCOPE.name, SCOPE.version));
    of_scope.log_records.clone()
}

fn encode(events: &[LogEvent], limit: usize) -> Vec<(Vec<u8>, u64)> {
    let mut bodies = Vec::new();
    encode_logs(&resource(), &SCOPE, events, limit, &mut |body, items| {
        bodies.push((body.to_vec(), items));
    });
    bodies
}

#[test]
fn what_was_emitted_is_what_is_decoded() {
    let bench = Bench::new(|builder| builder, |_| ());
    let severities = prop::sample::select(vec![
        Severity::Trace,
        Severity::Debug,
        Severity::Info,
        Severity::Warn,
        Severity::Error,
        Severity::Fatal,
    ]);
    let strategy = (body(), severities, "\\PC{0,20}", any::<bool>());
    let run = |(body, severity, attribute, inside): (Body, Severity, String, bool)| {
        let mut operation = bench
            .telemetry
            .kind(&INTERNAL)
            .start(Labels::NONE, Parent::Root);
        let ids = operation.active().expect("recording").trace_parent();
        let emit = || {
            let event = LogEvent::new("test.event", body.clone())
                .with_severity(severity)
                .with_attribute(KeyValue::new("note", attribute.clone()));
            bench.telemetry.emit(event);
        };
        if inside {
            operation.scope(emit);
        } else {
            emit();
        }
        let at = bench.unix_nanos();
        bench.advance(1_000);
        let events = bench.collect().events;
        prop_assert_eq!(events.len(), 1);
        let bodies = encode(&events, BODY_LIMIT);
        prop_assert_eq!(bodies.len(), 1);
        prop_assert_eq!(bodies[0].1, 1);
        let decoded = records(&decode(&bodies[0].0));
        prop_assert_eq!(decoded.len(), 1);
        let record = &decoded[0];
        prop_assert_eq!(&record.event_name, "test.event");
        prop_assert_eq!(
            (record.time_unix_nano, record.observed_time_unix_nano),
            (at, at)
        );
        prop_assert_eq!(record.severity_number, i32::from(severity.number()));
        prop_assert_eq!(&record.severity_text, severity.text());
        let expected = (body != Body::Empty).then(|| wire_body(&body));
        prop_assert_eq!(format!("{:?}", record.body), format!("{expected:?}"));
        prop_assert_eq!(record.attributes.len(), 1);
        prop_assert_eq!(
            attributes(&record.attributes).remove("note"),
            Some(wire(&attribute.into()))
        );
        let (trace, span, flags) = if inside {
            (
                ids.trace_id.to_bytes().to_vec(),
                ids.span_id.to_bytes().to_vec(),
                u32::from(ids.flags.to_u8()),
            )
        } else {
            (Vec::new(), Vec::new(), 0)
        };
        prop_assert_eq!(
            (&record.trace_id, &record.span_id, record.flags),
            (&trace, &span, flags)
        );
        Ok(())
    };
    TestRunner::new(Config::with_cases(256))
        .run(&strategy, run)
        .unwrap();
}

#[test]
fn events_beyond_the_limit_go_on_in_the_next_body() {
    let events: Vec<_> = (0..100)
        .map(|index| LogEvent::new("test.event", Body::I64(index)))
        .collect();
    for limit in [0, 300, 500, 2_000] {
        let bodies = encode(&events, limit);
        assert!(bodies.len() > 1);
        let mut found = Vec::new();
        for (body, items) in &bodies {
            assert!(body.len() <= limit || *items == 1);
            let decoded = records(&decode(body));
            assert_eq!(decoded.len() as u64, *items);
            found.extend(decoded.into_iter().map(|record| record.body));
        }
        let expected: Vec<_> = (0..100)
            .map(|index| Some(wire_body(&Body::I64(index))))
            .collect();
        assert_eq!(found, expected);
    }
}

/// As a conversation is: a list of maps under a key of its own.
#[test]
fn a_structured_attribute_is_decoded_as_what_it_is() {
    let part = Body::Map(vec![("content".into(), Body::Text("hi".into()))]);
    let said = Body::List(vec![part, Body::I64(7)]);
    let event = LogEvent::new("test.event", Body::Empty)
        .with_structured(obs_core::Key::new(&"said"), said.clone());
    let bodies = encode(&[event], BODY_LIMIT);
    let record = records(&decode(&bodies[0].0)).remove(0);
    assert_eq!(record.attributes.len(), 1);
    assert_eq!(record.attributes[0].key, "said");
    assert_eq!(record.attributes[0].value, Some(wire_body(&said)));
}

/// Decoders stop at a depth of 100 messages; whoever sends a deeper body would lose the whole batch.
#[test]
fn a_body_nested_too_deeply_for_decoders_is_cut_and_says_so() {
    let mut body = Body::Text("core".into());
    for level in 0..200 {
        body = if level % 2 == 0 {
            Body::List(vec![body])
        } else {
            Body::Map(vec![("in".into(), body)])
        };
    }
    let bodies = encode(&[LogEvent::new("test.event", body)], BODY_LIMIT);
    let decoded = records(&decode(&bodies[0].0));
    let shown = format!("{:?}", decoded[0].body);
    assert!(
        shown.contains("nested too deeply") && !shown.contains("core"),
        "{shown}"
    );
}

/// Attributes of the one event that `emit` makes inside an operation with a session, polled here or in its handle's scope.
#[track_caller]
fn check_session(in_scope: bool, make: impl Fn() -> LogEvent, expect: &[(&str, &str)]) {
    let bench = Bench::new(|builder| builder, |_| ());
    let kind = bench.telemetry.kind(&INTERNAL);
    let mut operation = kind.start(Labels::NONE, Parent::Root);
    let session = obs_core::Session::new("s-1").with_user("u-1");
    operation.active().expect("recording").set_session(session);
    let event = if in_scope {
        operation.handle().expect("recording").in_scope(make)
    } else {
        operation.scope(make)
    };
    let [(bytes, 1)] = &encode(&[event], BODY_LIMIT)[..] else {
        panic!("one body expected");
    };
    let attributes: Vec<_> = records(&decode(bytes))[0]
        .attributes
        .iter()
        .map(
            |pair| match pair.value.as_ref().and_then(|value| value.value.clone()) {
                Some(any_value::Value::StringValue(text)) => (pair.key.clone(), text),
                other => panic!("{other:?}"),
            },
        )
        .collect();
    let expect: Vec<_> = expect
        .iter()
        .map(|(key, id)| (key.to_string(), id.to_string()))
        .collect();
    assert_eq!(attributes, expect);
}

#[test]
fn an_event_carries_the_session_of_the_operation_it_is_of() {
    let new = || LogEvent::new("test.event", Body::Empty);
    let both = [("session.id", "s-1"), ("user.id", "u-1")];
    check_session(false, new, &both);
    check_session(true, new, &both);
    let own = || new().with_attribute(KeyValue::new("user.id", "own"));
    check_session(false, own, &[("user.id", "own"), ("session.id", "s-1")]);
    let of_another = || {
        let text = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        new().of(obs_core::propagation::traceparent::parse(text).expect("a parent"))
    };
    check_session(false, of_another, &[]);
}
