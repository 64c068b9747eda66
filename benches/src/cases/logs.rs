//! Lines of the log: an event with five fields, written to nowhere.

use std::{
    hint::black_box,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use obs_core::{
    Descriptor, Labels, Parent, Scope, StatsLevel, Telemetry,
    logs::{Flood, LogLayer},
    otel::trace::SpanKind,
};
use tracing_subscriber::layer::SubscriberExt;

use super::{
    http::{Kept, builder},
    sdk::same,
};
use crate::harness::pair::Pair;

/// Where lines go: they are counted, by their line feeds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nowhere(Arc<AtomicU64>);

impl Nowhere {
    /// Holds a pair to one line of JSON per call.
    pub(crate) fn hold(&self, pair: Pair) -> Pair {
        let lines = self.0.clone();
        pair.with_account(move |calls| {
            let lines = lines.load(Ordering::Relaxed);
            same("lines", lines, calls)?;
            Ok(format!("{lines} lines"))
        })
    }
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.last() == Some(&b'\n') {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        black_box(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The event that every case logs.
pub(crate) fn log() {
    tracing::info!(
        items = black_box(3_u64),
        balance = black_box(-7_i64),
        full = black_box(true),
        user = black_box("ada"),
        path = %black_box("/v1/models/llama-3-8b"),
        "cart filled"
    );
}

pub(crate) fn line() -> Pair {
    let lines = installed(&Telemetry::noop());
    lines.hold(Pair::new(|| {}, log))
}

pub(crate) fn line_with_ids() -> Pair {
    let telemetry = builder(StatsLevel::Base, Kept::None)
        .build()
        .expect("the settings are valid");
    let lines = installed(&telemetry);
    let mut operation = telemetry.kind(&WORK).start(Labels::NONE, Parent::Root);
    lines.hold(Pair::new(|| {}, move || operation.scope(log)))
}

fn installed(telemetry: &Telemetry) -> Nowhere {
    let lines = Nowhere::default();
    let into = lines.clone();
    let layer = LogLayer::new(telemetry)
        .with_lines(move || into.clone())
        .without_records()
        .with_flood(Flood::new(u32::MAX - 1, std::time::Duration::from_secs(1)));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("the first in this process");
    lines
}

static WORK: Descriptor = Descriptor {
    name: "bench.work",
    span_kind: SpanKind::Internal,
    scope: &Scope {
        name: "obs-benches",
        version: "",
        schema_url: "",
    },
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("work"),
};
