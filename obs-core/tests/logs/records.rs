//! What becomes of an event in the telemetry: a log record of OpenTelemetry's model.

use crate::rig::{Logs, attribute, body};
use obs_core::encode::{BODY_LIMIT, ResourceBytes, encode_logs};
use obs_core::otel::{Array, Value};
use obs_core::{Body, Outcome, Scope, Session, Severity};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;

#[test]
fn a_record_has_the_message_as_its_body_and_typed_attributes() {
    let logs = Logs::new();
    logs.rig.advance_ms(5);
    let record = logs.record_of(|| {
        tracing::warn!(target: "shop", items = 3_u64, below = -1, ratio = 0.5, full = true, who = "ada", kind = ?Some(1), "added {}", "tea");
    });
    assert_eq!(body(&record), "added tea");
    assert_eq!((record.severity, record.name), (Severity::Warn, ""));
    assert_eq!(record.unix_nanos, 1_767_225_600_005_000_000);
    assert_eq!(record.scope.map(|scope| scope.name), Some("shop"));
    let is = |key, value: Value| assert_eq!(attribute(&record, key), Some(&value), "{key}");
    is("items", 3.into());
    is("below", (-1).into());
    is("ratio", 0.5.into());
    is("full", true.into());
    is("who", "ada".into());
    is("kind", "Some(1)".into());
    assert_eq!(record.attributes.len(), 6);
    assert_eq!(
        (record.trace_id, record.span_id, record.trace_flags),
        (None, None, 0)
    );
}

#[test]
fn severities_are_those_of_the_log_model() {
    let logs = Logs::new();
    logs.run(|| {
        tracing::trace!("x");
        tracing::debug!("x");
        tracing::info!("x");
        tracing::warn!("x");
        tracing::error!("x");
    });
    let numbers: Vec<_> = logs
        .records()
        .iter()
        .map(|record| record.severity.number())
        .collect();
    assert_eq!(numbers, [1, 5, 9, 13, 17]);
}

#[test]
fn a_record_is_of_its_operation_and_session() {
    let logs = Logs::new();
    let mut operation = logs.rig.root("w");
    let ids = {
        let mut active = operation.active().expect("recording");
        active.set_session(Session::new("s-1").with_user("ada"));
        active.trace_parent()
    };
    let record = logs.record_of(|| operation.scope(|| tracing::info!("inside")));
    assert_eq!(
        (record.trace_id, record.span_id),
        (Some(ids.trace_id), Some(ids.span_id))
    );
    assert_eq!(record.trace_flags, ids.flags.to_u8());
    let bytes = encoded(&[record]);
    let attributes = &bytes.resource_logs[0].scope_logs[0].log_records[0].attributes;
    let keys: Vec<_> = attributes.iter().map(|own| own.key.as_str()).collect();
    assert_eq!(keys, ["session.id", "user.id"]);
    operation.end(Outcome::ANSWERED);
}

#[test]
fn an_error_has_the_name_of_the_conventions_too() {
    let logs = Logs::new();
    let cause = std::io::Error::other(std::fmt::Error);
    let record = logs.record_of(|| {
        tracing::error!(
            error = &cause as &(dyn std::error::Error + 'static),
            "failed"
        );
    });
    assert_eq!(
        attribute(&record, "exception.message"),
        Some(&cause.to_string().into())
    );
    assert_eq!(attribute(&record, "error"), Some(&cause.to_string().into()));
    let nested = Nested(cause);
    let record = logs.record_of(|| {
        tracing::error!(
            error = &nested as &(dyn std::error::Error + 'static),
            "failed"
        );
    });
    let sources = Value::Array(Array::String(vec![nested.0.to_string().into()]));
    assert_eq!(attribute(&record, "error.sources"), Some(&sources));
}

#[derive(Debug)]
struct Nested(std::io::Error);

impl std::fmt::Display for Nested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Nested {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_event_with_a_name_of_its_own_keeps_it() {
    let logs = Logs::new();
    let record = logs.record_of(|| tracing::info!(name: "user.created", id = 7));
    assert_eq!(record.name, "user.created");
    assert_eq!(record.body, Body::Empty);
}

#[test]
fn inner_spans_come_before_outer_ones_and_the_events_own_before_all() {
    let logs = Logs::with(|layer| layer.with_span_fields(true));
    let record = logs.record_of(|| {
        tracing::info_span!("outer", a = 1, b = 1, c = 1).in_scope(|| {
            tracing::info_span!("inner", b = 2, c = 2).in_scope(|| tracing::info!(c = 3, "deep"));
        });
    });
    let value = |key| attribute(&record, key).cloned();
    assert_eq!(
        (value("a"), value("b"), value("c")),
        (Some(1.into()), Some(2.into()), Some(3.into()))
    );
    assert_eq!(record.attributes.len(), 3);
}

#[test]
fn either_way_out_can_be_closed() {
    let logs = Logs::with(|layer| layer.without_records());
    logs.run(|| tracing::info!("x"));
    assert_eq!((logs.records().len(), logs.written.lines().len()), (0, 1));
    let logs = Logs::with(|layer| layer.without_lines());
    logs.run(|| tracing::info!("x"));
    assert_eq!((logs.records().len(), logs.written.lines().len()), (1, 0));
}

static DEFAULT: Scope = Scope {
    name: "default",
    version: "1",
    schema_url: "",
};

fn encoded(events: &[obs_core::LogEvent]) -> ExportLogsServiceRequest {
    let mut requests = Vec::new();
    let resource = ResourceBytes::new([], None);
    encode_logs(&resource, &DEFAULT, events, BODY_LIMIT, &mut |bytes, _| {
        requests.push(ExportLogsServiceRequest::decode(bytes).expect("a request"));
    });
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[test]
fn targets_are_scopes_on_the_wire() {
    let logs = Logs::new();
    logs.run(|| {
        tracing::info!(target: "one", "1");
        tracing::info!(target: "two", "2");
        tracing::info!(target: "one", "3");
    });
    let request = encoded(&logs.records());
    let scopes: Vec<_> = request.resource_logs[0]
        .scope_logs
        .iter()
        .map(|logs| {
            (
                logs.scope.as_ref().expect("a scope").name.clone(),
                logs.log_records.len(),
            )
        })
        .collect();
    assert_eq!(scopes, [("one".to_owned(), 2), ("two".to_owned(), 1)]);
}

#[test]
fn fields_that_share_a_name_do_not_make_a_key_twice() {
    let record = Logs::new().record_of(|| {
        let error = std::io::Error::other("broken");
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::info!(
            a = 1,
            b = 2,
            a = "again",
            error,
            "exception.message" = "own"
        );
    });
    let mut keys: Vec<_> = record.attributes.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(attribute(&record, "a"), Some(&"again".into()));
    assert_eq!(attribute(&record, "exception.message"), Some(&"own".into()));
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b", "error", "exception.message"]);
}
