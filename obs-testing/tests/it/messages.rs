//! OTLP messages to send, made of the official types.

use flate2::Compression;
use flate2::write::GzEncoder;
use obs_testing::receiver::proto::collector::trace::v1::ExportTraceServiceRequest;
use obs_testing::receiver::proto::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use obs_testing::receiver::proto::resource::v1::Resource;
use obs_testing::receiver::proto::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::io::Write;

pub(crate) fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

pub(crate) fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![text("service.name", "shop")],
        ..Default::default()
    })
}

pub(crate) fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "obs-http".into(),
        version: "1.2.3".into(),
        ..Default::default()
    })
}

pub(crate) fn span(trace: u8, id: u8, parent: u8, name: &str) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 {
            Vec::new()
        } else {
            vec![parent; 8]
        },
        name: name.into(),
        kind: 2,
        start_time_unix_nano: 1_000 + u64::from(id),
        end_time_unix_nano: 2_000,
        ..Default::default()
    }
}

pub(crate) fn traces(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let spans = ScopeSpans {
        scope: scope(),
        spans,
        schema_url: "https://schema/scope".into(),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![spans],
            schema_url: "https://schema/resource".into(),
        }],
    }
}

/// An encoded export of one span.
pub(crate) fn one_span(name: &str) -> Vec<u8> {
    traces(vec![span(1, 1, 0, name)]).encode_to_vec()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
