//! What the tests of the engine share: a kind of operation, a telemetry of one's own, and what it exported.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod points;
pub mod spans;

use obs_core::otel::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId};
use obs_core::otel::{KeyValue, Value};
use obs_core::sampling::HeadSampler;
use obs_core::setup::environment::Environment;
use obs_core::{
    Builder, Clock, DURATION_BOUNDS, Descriptor, Histogram, InFlight, Key, Kind, Label, Labels,
    LogEvent, ManualClock, Measure, Operation, Outcome, Parent, Record, Records, SIZE_BOUNDS,
    Scope, Session, Stage, StatsLevel, Subscriber, Telemetry, Values,
};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub static SCOPE: Scope = Scope {
    name: "obs-core-tests",
    version: "1.2.3",
    schema_url: "https://example.invalid/schema",
};

pub const STEP: Key = Key::new(&"test.step");
pub const STATUS: Key = Key::new(&"test.status");
pub const CHUNKS: Key = Key::new(&"test.chunks");

/// Index of the label that is the method.
pub const METHOD: usize = 0;
pub const CODE: usize = 1;

/// The kind most tests use: a method, a status, an error; a duration, a stage, a measure, a gauge.
pub static WORK: Descriptor = Descriptor {
    name: "test.work",
    span_kind: SpanKind::Server,
    scope: &SCOPE,
    labels: &[
        Label {
            key: STEP,
            values: Values::Open { cap: 8 },
        },
        Label {
            key: STATUS,
            values: Values::Number,
        },
        Label {
            key: Key::new(&"error.type"),
            values: Values::Error,
        },
    ],
    method: Some(METHOD),
    errors: &["bad"],
    duration: Some(Histogram {
        name: "test.work.duration",
        unit: "s",
        description: "How long work takes.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[Stage {
        histogram: Histogram {
            name: "test.work.stage.duration",
            unit: "s",
            description: "How long a part of the work takes.",
            bounds: DURATION_BOUNDS,
        },
        attribute: Some((Key::new(&"test.stage"), "handle")),
        from: obs_core::Event::SERVER_HANDLE_START,
        to: obs_core::Event::SERVER_HANDLE_FINISH,
        level: StatsLevel::Detailed,
        by_hand: false,
    }],
    measures: &[Measure {
        key: CHUNKS,
        histogram: Histogram {
            name: "test.work.chunks",
            unit: "{chunk}",
            description: "How many chunks.",
            bounds: SIZE_BOUNDS,
        },
    }],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "test.work.active",
        unit: "{work}",
        description: "How much is running.",
        labels: 0b1,
    }),
    span_name: |record, into| {
        into.push_str("work");
        if let Some(step) = record.label_value(METHOD) {
            into.push(' ');
            into.push_str(&step.to_text());
        }
    },
};

/// The head decision of all new traces. The one place that names a sampler.
pub fn sampler(sampled: bool) -> HeadSampler {
    let roots = if sampled {
        HeadSampler::always_on()
    } else {
        HeadSampler::always_off()
    };
    roots.parent_based()
}

/// A builder that does not look at the environment of whoever runs the tests.
pub fn builder() -> Builder {
    Telemetry::builder().with_environment(Environment::from_fn(|_| None))
}

/// A telemetry in manual mode with a clock of its own.
#[derive(Clone)]
pub struct Rig {
    pub telemetry: Telemetry,
    pub clock: ManualClock,
    pub kind: &'static Kind,
    captured: Captured,
    spans: Option<spans::Spans>,
}

pub fn rig(sampled: bool) -> Rig {
    rig_with(sampled, |builder| builder)
}

#[track_caller]
pub fn rig_with(sampled: bool, set: impl FnOnce(Builder) -> Builder) -> Rig {
    let clock = ManualClock::new();
    let captured = Captured::default();
    let builder = builder()
        .manual()
        .with_clock(Clock::manual(&clock))
        .with_subscriber(captured.clone());
    let spans = over_sdk().then(spans::Spans::default);
    let builder = match &spans {
        Some(spans) => builder.with_recorder(spans.recorder(sampled)),
        None => builder.with_sampler(sampler(sampled)),
    };
    let telemetry = set(builder).build().expect("a usable configuration");
    Rig {
        telemetry,
        clock,
        kind: telemetry.kind(&WORK),
        captured,
        spans,
    }
}

/// Whether this test is one of those that go over the recorder of an SDK's provider: its name ends in `_sdk`.
pub fn over_sdk() -> bool {
    env!("CARGO_CRATE_NAME").ends_with("_sdk")
}

impl Rig {
    /// An operation named `step` under `parent`.
    pub fn start(&self, step: &str, parent: Parent<'_>) -> Operation {
        self.kind.start(self.labels(step), parent)
    }

    pub fn root(&self, step: &str) -> Operation {
        self.start(step, Parent::Root)
    }

    pub fn labels(&self, step: &str) -> Labels {
        Labels::NONE.with(METHOD, self.kind.label(METHOD, step))
    }

    pub fn advance_ms(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Collects, and gives the names of what was exported, sorted, with why it was kept: `a`, `b (error)`, `c (slow,
    /// partial)`.
    pub fn exported(&self) -> Vec<String> {
        let mut names: Vec<_> = self.spans().iter().map(Span::brief).collect();
        names.sort();
        names
    }

    /// Collects, and gives what was exported since the last call.
    pub fn spans(&self) -> Vec<Span> {
        self.telemetry
            .collect(Duration::from_secs(5))
            .expect("manual collection has no deadline");
        let records = self.captured.take_spans();
        match &self.spans {
            Some(spans) => spans.of(records),
            None => records,
        }
    }

    /// The one span exported since the last call.
    #[track_caller]
    pub fn span(&self) -> Span {
        let mut spans = self.spans();
        assert_eq!(spans.len(), 1, "one span expected in {spans:#?}");
        spans.remove(0)
    }

    pub fn events(&self) -> Vec<LogEvent> {
        self.telemetry
            .collect(Duration::from_secs(5))
            .expect("manual collection has no deadline");
        self.captured.take_events()
    }

    /// What must hold when all operations are over: nothing waits, nothing is counted as running.
    #[track_caller]
    pub fn assert_at_rest(&self) {
        assert_eq!(self.telemetry.counts().parked_bytes, 0, "parked bytes");
        assert_eq!(
            points::in_flight(&self.telemetry),
            0,
            "operations in flight"
        );
    }
}

/// What a finished operation said, owned.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent: Option<SpanId>,
    pub remote: bool,
    pub flags: TraceFlags,
    pub state: String,
    pub kind: SpanKind,
    pub start: u64,
    pub end: u64,
    pub outcome: Outcome,
    pub status: Status,
    pub reason: Option<&'static str>,
    pub attributes: Vec<(String, Value)>,
    pub dropped_attributes: u32,
    pub events: Vec<(String, u64, Vec<KeyValue>)>,
    pub dropped_events: u32,
    pub links: Vec<(SpanContext, Vec<KeyValue>)>,
    pub dropped_links: u32,
    pub session: Option<Session>,
    pub level: StatsLevel,
}

impl Span {
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        let mut found = self.attributes.iter().filter(|(known, _)| known == key);
        let value = found.next().map(|(_, value)| value);
        assert!(found.next().is_none(), "{key} occurs twice");
        value
    }

    pub fn is_partial(&self) -> bool {
        self.attribute("obs.trace.partial") == Some(&Value::Bool(true))
    }

    pub fn step(&self) -> &str {
        self.name.strip_prefix("work ").unwrap_or(&self.name)
    }

    fn brief(&self) -> String {
        let mut text = self.step().to_owned();
        if let Some(reason) = self.reason {
            text += &format!(" ({reason}");
            text += if self.is_partial() { ", partial)" } else { ")" };
        }
        text
    }
}

/// Takes down what it is given.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    spans: Arc<Mutex<Vec<Span>>>,
    events: Arc<Mutex<Vec<LogEvent>>>,
}

impl Captured {
    pub fn take_spans(&self) -> Vec<Span> {
        std::mem::take(&mut locked(&self.spans))
    }

    pub fn take_events(&self) -> Vec<LogEvent> {
        std::mem::take(&mut locked(&self.events))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this")
}

impl Subscriber for Captured {
    fn on_records(&mut self, records: Records<'_>) {
        locked(&self.spans).extend(records.iter().map(|record| Span::of(&record)));
    }

    fn on_log_events(&mut self, events: &[LogEvent]) {
        locked(&self.events).extend_from_slice(events);
    }
}

impl Span {
    pub fn of(record: &Record<'_>) -> Self {
        let mut attributes = Vec::new();
        record.visit_attributes(&mut |key, value| {
            attributes.push((key.to_owned(), value.to_value()));
        });
        let mut events = Vec::new();
        record.visit_events(&mut |event| {
            events.push((
                event.name.to_owned(),
                event.unix_nanos,
                event.attributes.to_vec(),
            ));
        });
        Self {
            name: record.name(),
            trace_id: record.trace_id(),
            span_id: record.span_id(),
            parent: record.parent_span_id(),
            remote: record.parent_is_remote(),
            flags: record.trace_flags(),
            state: record.trace_state().to_owned(),
            kind: record.span_kind(),
            start: record.start_unix_nanos(),
            end: record.end_unix_nanos(),
            outcome: record.outcome(),
            status: record.status(),
            reason: record.keep_reason(),
            attributes,
            dropped_attributes: record.dropped_attributes(),
            events,
            dropped_events: record.dropped_events(),
            links: record
                .links()
                .map(|link| (link.context.clone(), link.attributes.to_vec()))
                .collect(),
            dropped_links: record.dropped_links(),
            session: record.session().cloned(),
            level: record.level(),
        }
    }
}
