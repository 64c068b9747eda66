//! The exporter's side of the SDK: finished spans to OTLP bytes, as opentelemetry-otlp does it.

use std::sync::{Arc, Mutex};

use opentelemetry::trace::TracerProvider;
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{
        common::tonic::ResourceAttributesWithSchema,
        trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use prost::Message;

use super::{peers_recording::start_span, sdk::same};
use crate::harness::pair::Pair;

/// Spans in one request to the collector.
const BATCH: usize = 128;

/// `SpanData` to bytes, per span; the exporter owns its batch, so the copy made for each call is in both sides.
pub(crate) fn spans<const EVENTS: usize>() -> Pair {
    let batch = captured(EVENTS);
    let copied = batch.clone();
    let resource =
        ResourceAttributesWithSchema::from(&Resource::builder().with_service_name("bench").build());
    let sizes = Arc::new(Mutex::new((0_u64, 0_u64)));
    let seen = sizes.clone();
    Pair::new(
        move || drop(std::hint::black_box(copied.clone())),
        move || {
            let request = ExportTraceServiceRequest {
                resource_spans: group_spans_by_resource_and_scope(batch.clone(), &resource),
            };
            let bytes = std::hint::black_box(request.encode_to_vec());
            let mut sizes = sizes.lock().expect("one thread");
            if sizes.0 == 0 {
                sizes.1 = bytes.len() as u64;
            }
            sizes.0 += u64::from(bytes.len() as u64 == sizes.1) * BATCH as u64;
        },
    )
    .with_per_call(BATCH as u64)
    .with_burst(10)
    .with_account(move |calls| {
        let (spans, bytes) = *seen.lock().expect("one thread");
        same("spans encoded", spans, calls * BATCH as u64)?;
        Ok(format!(
            "{spans} spans, {} bytes each",
            bytes / BATCH as u64
        ))
    })
}

/// What a processor hands over for the span of `peers_recording`.
pub(super) fn captured(events: usize) -> Vec<SpanData> {
    #[derive(Debug)]
    struct Keep(Arc<Mutex<Vec<SpanData>>>);
    impl SpanExporter for Keep {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().expect("one thread").extend(batch);
            Ok(())
        }
    }
    let kept = Arc::new(Mutex::new(Vec::new()));
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(Keep(kept.clone()))
        .build();
    let tracer = provider.tracer("bench");
    for _ in 0..BATCH {
        drop(start_span(&tracer, events));
    }
    let spans = std::mem::take(&mut *kept.lock().expect("one thread"));
    assert!(
        spans.len() == BATCH
            && spans
                .iter()
                .all(|span| span.attributes.len() == 8 && span.events.len() == events)
    );
    spans
}
