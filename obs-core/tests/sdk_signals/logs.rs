//! The oracle for log records: what `opentelemetry-proto` makes of the same `SdkLogRecord`.

use crate::any::{any_value, scope, text, time};
use crate::support::{SOON, decoded, manual, of, theirs};
use obs_core::courier::{Capture, Signal};
use obs_core::otel::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider, Severity};
use obs_core::otel::trace::TraceFlags;
use obs_core::otel::{Context, InstrumentationScope};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
use opentelemetry_proto::tonic::common::v1::{AnyValue as WireAny, KeyValue as WirePair};
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_sdk::logs::{LogBatch, LogProcessor, SdkLogRecord, SdkLoggerProvider};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::SystemTime;

/// What a record is made of: only a logger makes one.
#[derive(Clone, Debug)]
struct Recipe {
    times: (Option<SystemTime>, SystemTime),
    severity: Option<Severity>,
    severity_text: Option<&'static str>,
    event_name: Option<&'static str>,
    target: Option<String>,
    body: Option<AnyValue>,
    attributes: Vec<(String, AnyValue)>,
    context: Option<(u128, u64, Option<u8>)>,
}

impl Recipe {
    fn record(self) -> SdkLogRecord {
        let logger = SdkLoggerProvider::builder().build().logger("");
        let mut record = logger.create_log_record();
        if let Some(time) = self.times.0 {
            record.set_timestamp(time);
        }
        record.set_observed_timestamp(self.times.1);
        if let Some(severity) = self.severity {
            record.set_severity_number(severity);
        }
        if let Some(text) = self.severity_text {
            record.set_severity_text(text);
        }
        if let Some(name) = self.event_name {
            record.set_event_name(name);
        }
        if let Some(target) = self.target {
            record.set_target(target);
        }
        if let Some(body) = self.body {
            record.set_body(body);
        }
        record.add_attributes(self.attributes);
        if let Some((trace, span, flags)) = self.context {
            let flags = flags.map(TraceFlags::new);
            record.set_trace_context(trace.into(), span.into(), flags);
        }
        record
    }
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let severity = prop_oneof![
        Just(Severity::Trace),
        Just(Severity::Debug3),
        Just(Severity::Info),
        Just(Severity::Warn2),
        Just(Severity::Fatal4),
    ];
    let names = (
        option::of(prop_oneof![Just("INFO"), Just("")]),
        option::of(prop_oneof![Just("order.settled"), Just("")]),
        option::of(prop_oneof!["[ab]", text()]),
    );
    (
        (option::of(time()), time()),
        option::of(severity),
        names,
        option::of(any_value()),
        vec((text(), any_value()), 0..8),
        option::of((any::<u128>(), any::<u64>(), option::of(any::<u8>()))),
    )
        .prop_map(
            |(times, severity, names, body, attributes, context)| Recipe {
                times,
                severity,
                severity_text: names.0,
                event_name: names.1,
                target: names.2,
                body,
                attributes,
                context,
            },
        )
}

/// Neither scopes nor the entries of a map have an order, and long records are more than one request.
fn normal(requests: Vec<ResourceLogs>) -> Vec<ResourceLogs> {
    let mut all: Vec<ResourceLogs> = Vec::new();
    for mut request in requests {
        let known = { all.iter_mut() }.find(|known| {
            (&known.resource, &known.schema_url) == (&request.resource, &request.schema_url)
        });
        let Some(known) = known else {
            all.push(request);
            continue;
        };
        for mut scope in request.scope_logs.drain(..) {
            let same = { known.scope_logs.iter_mut() }
                .find(|same| (&same.scope, &same.schema_url) == (&scope.scope, &scope.schema_url));
            match same {
                Some(same) => same.log_records.append(&mut scope.log_records),
                None => known.scope_logs.push(scope),
            }
        }
    }
    for resource in &mut all {
        for record in resource
            .scope_logs
            .iter_mut()
            .flat_map(|scope| &mut scope.log_records)
        {
            record.body.iter_mut().for_each(sort);
            record
                .attributes
                .iter_mut()
                .flat_map(|pair| &mut pair.value)
                .for_each(sort);
        }
        resource
            .scope_logs
            .sort_by_key(|scope| format!("{:?}", (&scope.scope, &scope.schema_url)));
    }
    all
}

fn sort(value: &mut WireAny) {
    match &mut value.value {
        Some(Wire::ArrayValue(list)) => list.values.iter_mut().for_each(sort),
        Some(Wire::KvlistValue(map)) => {
            let inner = |pair: &mut WirePair| pair.value.iter_mut().for_each(sort);
            map.values.iter_mut().for_each(inner);
            map.values.sort_by(|a, b| a.key.cmp(&b.key));
        }
        _ => {}
    }
}

fn exported(records: &mut [(SdkLogRecord, InstrumentationScope)]) -> Vec<ResourceLogs> {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let mut processor = telemetry.log_processor();
    processor.set_resource(&theirs());
    let before = records.to_vec();
    for (record, scope) in &mut *records {
        processor.emit(record, scope);
    }
    assert_eq!(before, records, "what comes after sees the same");
    telemetry.flush(SOON).expect("taken");
    let batches = of(Signal::Logs, capture.take());
    assert_eq!(
        batches.iter().map(|batch| batch.items).sum::<u64>(),
        records.len() as u64
    );
    batches
        .iter()
        .flat_map(|batch| decoded::<ExportLogsServiceRequest>(batch).resource_logs)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn log_records_are_what_the_official_conversion_makes_of_them(
        recipes in vec((recipe(), scope()), 1..5)
    ) {
        let mut records: Vec<_> = recipes
            .into_iter()
            .map(|(recipe, scope)| (recipe.record(), scope))
            .collect();
        let exported = exported(&mut records);
        let lent: Vec<_> = records.iter().map(|(record, scope)| (record, scope)).collect();
        let resource = ResourceAttributesWithSchema::from(&theirs());
        let official = group_logs_by_resource_and_scope(&LogBatch::new(&lent), &resource);
        prop_assert_eq!(normal(exported), normal(official));
    }
}

#[test]
fn a_body_without_a_bottom_is_cut_off_where_decoders_stop() {
    let mut body = AnyValue::Int(1);
    for _ in 0..200 {
        body = AnyValue::ListAny(Box::new(vec![body]));
    }
    let recipe = Recipe {
        times: (None, SystemTime::UNIX_EPOCH),
        severity: None,
        severity_text: None,
        event_name: None,
        target: None,
        body: Some(body),
        attributes: Vec::new(),
        context: None,
    };
    let scope = InstrumentationScope::builder("deep").build();
    let logs = exported(&mut [(recipe.record(), scope)]);
    let text = format!("{:?}", logs[0].scope_logs[0].log_records[0].body);
    assert!(text.contains("nested too deeply"), "{text}");
}

#[test]
fn nothing_is_taken_in_a_suppressed_context_and_everything_after_it() {
    let capture = Capture::new();
    let telemetry = manual(&capture);
    let processor = telemetry.log_processor();
    let loggers = SdkLoggerProvider::builder()
        .with_log_processor(processor.clone())
        .build();
    let logger = loggers.logger("quiet");
    let mut record = logger.create_log_record();
    let scope = InstrumentationScope::builder("direct").build();
    let guard = Context::enter_telemetry_suppressed_scope();
    logger.emit(logger.create_log_record());
    processor.emit(&mut record, &scope);
    drop(guard);
    assert_eq!(processor.counts().created, 0);
    logger.emit(logger.create_log_record());
    processor.emit(&mut record, &scope);
    assert_eq!(processor.counts().created, 2);
}
