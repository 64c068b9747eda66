//! What a telemetry says of itself when things go wrong, and of what it keeps late.

use crate::driver::{PATIENCE, telemetry};
use crate::seen::FROM_SDK;
use crate::table::KINDS;
use obs_core::courier::{Capture, Sent, Settings, SpoolSettings};
use obs_core::sampling::HeadSampler;
use obs_core::semconv::gen_ai::OPERATION_NAME;
use obs_core::{
    Delivery, Descriptor, KeepPolicy, LabelId, Labels, Operation, Outcome, Parent, RaiseRule,
    Session, Telemetry, Values,
};
use obs_http::{HTTP_CALL, SERVICE_ERROR};
use obs_testing::Receiver;
use opentelemetry::trace::{SpanKind, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) fn run(receiver: &Receiver) {
    let mut keep = KeepPolicy::default();
    keep.parked_children = 1;
    let telemetry = telemetry(receiver, |builder| {
        builder
            .with_sampler(HeadSampler::ratio(0.0).expect("a share"))
            .with_keep(keep)
            .with_raise(RaiseRule::default())
            .with_max_series(2)
    });
    for descriptor in KINDS {
        late(&telemetry, descriptor);
    }
    telemetry.flush(PATIENCE).expect("delivered");
    let refused = telemetry.kind(&HTTP_CALL).start(Labels::NONE, Parent::Root);
    refused.end(Outcome::failed(SERVICE_ERROR));
    receiver.fail_next(1, 400, None);
    telemetry.flush(PATIENCE).expect_err("refused");
    telemetry.flush(PATIENCE).expect("delivered");
    from_sdk(&telemetry);
    telemetry.flush(PATIENCE).expect("delivered");
    let lost = telemetry
        .shutdown(PATIENCE)
        .expect_err("it says what was lost");
    assert!(lost.to_string().contains("rejected"), "{lost}");
    spooled(receiver);
}

/// A span of a provider of the service's, on our way.
fn from_sdk(telemetry: &Telemetry) {
    let provider = SdkTracerProvider::builder()
        .with_span_processor(telemetry.span_processor())
        .build();
    drop(provider.tracer("docs").start(FROM_SDK));
}

/// A destination that takes nothing, beside the one that is told what lies on disk for it.
fn spooled(receiver: &Receiver) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("obs-docs-spool-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let spool = SpoolSettings::at(&directory).with_patience(Duration::ZERO);
    let down = Capture::new().with_answer(|_| Sent::retry("down"));
    let down = Delivery::through(down).with_settings(Settings::default().with_spool(spool));
    let telemetry = telemetry(receiver, |builder| builder.with_delivery(down));
    // The second tells what the first has left on disk.
    for _ in 0..2 {
        let one = telemetry.kind(&HTTP_CALL).start(Labels::NONE, Parent::Root);
        one.end(Outcome::ANSWERED);
        let late = telemetry.flush(Duration::from_millis(200));
        late.expect_err("one of two takes nothing");
    }
    telemetry
        .shutdown(PATIENCE)
        .expect("what is on disk is not lost");
    std::fs::remove_dir_all(directory).expect("it was there");
}

/// A trace that is kept because its root fails, without the children that had no room to wait for it.
fn late(telemetry: &Telemetry, descriptor: &'static Descriptor) {
    let kind = telemetry.kind(descriptor);
    let method = descriptor.method.expect("it has methods");
    let error = match descriptor.name.split('.').next() {
        Some("rpc") => obs_rpc::SERVICE_ERROR,
        Some("llm") if descriptor.span_kind == SpanKind::Server => obs_llm::server::MODEL_ERROR,
        Some("llm") => obs_llm::SERVICE_ERROR,
        _ => SERVICE_ERROR,
    };
    let name = descriptor.name;
    // Of a model, and of what agents ask, something is asked.
    let is_asked = ["llm.", "agent.", "mcp."]
        .iter()
        .any(|of| name.starts_with(of));
    let is_closed = |label: usize| matches!(descriptor.labels[label].values, Values::Closed(_));
    let labels = match name {
        "db.client" => Labels::NONE.with(method, kind.label(method, "qdrant")),
        _ if is_asked && is_closed(0) => Labels::NONE.with(0, LabelId::closed(0)),
        _ => Labels::NONE,
    };
    let operation = ["invoke_agent", "invoke_workflow", "plan", "execute_tool"];
    let operation = operation
        .into_iter()
        .find(|operation| name.strip_prefix("agent.") == Some(*operation));
    let say = |of: &mut Operation| {
        if let Some(operation) = operation {
            of.set(OPERATION_NAME, operation);
        }
    };
    let mut root = kind.start(labels, Parent::Root);
    say(&mut root);
    let handle = root.handle().expect("it is observed");
    for route in ["/a", "/b", "/c"] {
        let method = Some((method, route)).filter(|_| !(is_asked && is_closed(method)));
        let mut child = kind.start_with(labels, method, Parent::Operation(&handle));
        say(&mut child);
        child.end(Outcome::ANSWERED);
    }
    if let Some(mut root) = root.active() {
        root.set_session(Session::new("session").with_user("user"));
        root.record_exception("shop::Gone", "the shelf is gone", Some("at a"));
    }
    // The children wait for their root meanwhile.
    telemetry.flush(PATIENCE).expect("delivered");
    root.end(Outcome::failed(error));
}
