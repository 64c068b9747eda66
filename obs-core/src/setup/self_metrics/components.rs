//! What the conventions call the parts of an SDK, with the numbers of ours: the collector is the processor of spans and log
//! records, and each destination's courier an exporter of each signal.

use super::{counter, instrument, level, mirror, show};
use crate::courier::{Accounts, Couriers, DropReason, Outlet, Peer, Signal};
use crate::descriptor::DURATION_BOUNDS;
use crate::engine::Engine;
use crate::engine::instruments::{
    BoundCounter, BoundHistogram, BoundUpDownCounter, ValueHistogram,
};
use crate::engine::metric_set::Shape;
use crate::label::{Label, Values};
use crate::semconv::{http, network, otel};
use crate::setup::books::Ledgers;

const TYPE: Label = label(otel::COMPONENT_TYPE);
const NAME: Label = label(otel::COMPONENT_NAME);
const ERROR: Label = label(http::ERROR_TYPE);
const ADDRESS: Label = label(network::SERVER_ADDRESS);
const PORT: Label = Label {
    key: network::SERVER_PORT,
    values: Values::Number,
};

/// There are as many values as destinations, or reasons.
const fn label(key: crate::attributes::Key) -> Label {
    Label {
        key,
        values: Values::Open { cap: 1_024 },
    }
}

const PROCESSOR: &[Label] = &[TYPE, NAME];
const PROCESSED: &[Label] = &[TYPE, NAME, ERROR];
const EXPORTER: &[Label] = &[TYPE, NAME, ADDRESS, PORT];
const EXPORTED: &[Label] = &[TYPE, NAME, ADDRESS, PORT, ERROR];

/// It is none of the conventions' kinds, and then it is called as in the language.
const COLLECTOR: [&str; 2] = ["obs_core::Collector", "obs_core::Collector/0"];
const READER: [&str; 2] = ["periodic_metric_reader", "periodic_metric_reader/0"];

/// What the conventions have the processor of a queue say, and our reasons.
const REFUSED: [(DropReason, &str); 4] = [
    (DropReason::RingFull, "queue_full"),
    (DropReason::LogQueueFull, "queue_full"),
    (DropReason::AfterShutdown, "already_shutdown"),
    (DropReason::KeepTruncated, "keep_truncated"),
];

pub(super) struct Components {
    span_capacity: BoundUpDownCounter,
    log_created: BoundCounter,
    spans: Processor,
    logs: Processor,
    exporters: Vec<[Exporter; Signal::ALL.len()]>,
}

struct Processor {
    signal: Signal,
    size: BoundUpDownCounter,
    processed: BoundCounter,
    refused: [(DropReason, BoundCounter); REFUSED.len()],
}

/// One destination's for one signal.
struct Exporter {
    inflight: BoundUpDownCounter,
    exported: BoundCounter,
    failed: [BoundCounter; DropReason::ALL.len()],
}

impl Components {
    pub(super) fn new(engine: &'static Engine, couriers: &Couriers) -> Self {
        let capacity = level(
            engine,
            (otel::PROCESSOR_SPAN_QUEUE_CAPACITY, "{span}"),
            "How many spans may wait for the collector, by the threads that record now.",
            PROCESSOR,
        );
        let created = counter(
            engine,
            (otel::LOG_CREATED, "{log_record}"),
            "Log records that were emitted, past flood control.",
            &[],
        );
        Self {
            span_capacity: capacity.bind(&COLLECTOR),
            log_created: created.bind(&[]),
            spans: Processor::new(engine, Signal::Traces),
            logs: Processor::new(engine, Signal::Logs),
            exporters: couriers
                .iter()
                .map(|outlet| {
                    watch(engine, outlet);
                    Signal::ALL.map(|signal| Exporter::new(engine, outlet, signal))
                })
                .collect(),
        }
    }

    pub(super) fn mirror(&self, engine: &Engine, ledgers: &Ledgers) {
        let logs = ledgers.front(Signal::Logs);
        if logs.wanted {
            mirror(&[self.log_created], [logs.created()]);
        }
        let spans = ledgers.front(Signal::Traces);
        if spans.wanted && spans.created() > 0 {
            self.span_capacity.mirror(engine.ring_capacity() as i64);
        }
        self.spans.mirror(ledgers);
        self.logs.mirror(ledgers);
        for (exporters, accounts) in self.exporters.iter().zip(ledgers.accounts()) {
            for (exporter, signal) in exporters.iter().zip(Signal::ALL) {
                let faults = ledgers.front(signal).passed.faults;
                exporter.mirror(accounts, signal, faults);
            }
        }
    }
}

impl Processor {
    fn new(engine: &'static Engine, signal: Signal) -> Self {
        let (size, processed, unit) = match signal {
            Signal::Logs => (
                otel::PROCESSOR_LOG_QUEUE_SIZE,
                otel::PROCESSOR_LOG_PROCESSED,
                "{log_record}",
            ),
            _ => (
                otel::PROCESSOR_SPAN_QUEUE_SIZE,
                otel::PROCESSOR_SPAN_PROCESSED,
                "{span}",
            ),
        };
        let size = level(
            engine,
            (size, unit),
            "What waits for the collector.",
            PROCESSOR,
        );
        let processed = counter(
            engine,
            (processed, unit),
            "What the collector handed on, and what there was no room for, by reason.",
            PROCESSED,
        );
        let [kind, name] = COLLECTOR;
        Self {
            signal,
            size: size.bind(&COLLECTOR),
            processed: processed.bind(&[kind, name, ""]),
            refused: REFUSED.map(|(reason, error)| (reason, processed.bind(&[kind, name, error]))),
        }
    }

    fn mirror(&self, ledgers: &Ledgers) {
        let front = ledgers.front(self.signal);
        if !front.wanted || front.created() == 0 {
            return;
        }
        self.size.mirror(front.queued as i64);
        mirror(&[self.processed], [front.passed.taken]);
        for (reason, refused) in &self.refused {
            mirror(&[*refused], [front.dropped.by(*reason)]);
        }
    }
}

impl Exporter {
    fn new(engine: &'static Engine, outlet: &Outlet, signal: Signal) -> Self {
        let (inflight, exported, unit) = match signal {
            Signal::Traces => (
                otel::EXPORTER_SPAN_INFLIGHT,
                otel::EXPORTER_SPAN_EXPORTED,
                "{span}",
            ),
            Signal::Metrics => (
                otel::EXPORTER_METRIC_DATA_POINT_INFLIGHT,
                otel::EXPORTER_METRIC_DATA_POINT_EXPORTED,
                "{data_point}",
            ),
            Signal::Logs => (
                otel::EXPORTER_LOG_INFLIGHT,
                otel::EXPORTER_LOG_EXPORTED,
                "{log_record}",
            ),
        };
        let inflight = level(
            engine,
            (inflight, unit),
            "What waits for a destination: queued, being sent, or to be tried again.",
            EXPORTER,
        );
        let exported = counter(
            engine,
            (exported, unit),
            "What a destination took, and what was given up, by reason.",
            EXPORTED,
        );
        let about = About::of(outlet, signal);
        let [kind, name, address, port] = about.labels();
        let bind = |error| exported.bind(&[kind, name, address, port, error]);
        Self {
            inflight: inflight.bind(&[kind, name, address, port]),
            exported: bind(""),
            failed: DropReason::ALL.map(|reason| bind(reason.as_str())),
        }
    }

    /// `faults`: what could not be encoded is missing at every destination.
    fn mirror(&self, accounts: &Accounts, signal: Signal, faults: u64) {
        let account = accounts.of(signal);
        if account.accepted > 0 {
            self.inflight.mirror(account.pending as i64);
        }
        mirror(&[self.exported], [account.delivered]);
        let mut dropped = account.dropped;
        if account.accepted > 0 {
            dropped.add(DropReason::Fault, faults);
        }
        show(&self.failed, &dropped);
    }
}

/// What [`EXPORTER`] reads for one signal of a destination.
struct About<'a> {
    peer: &'a Peer,
    name: String,
}

impl<'a> About<'a> {
    fn of(outlet: &'a Outlet, signal: Signal) -> Self {
        let peer = &outlet.peers[signal.index()];
        let name = format!("{}/{}", peer.component, outlet.name);
        Self { peer, name }
    }

    fn labels(&self) -> [&str; EXPORTER.len()] {
        let peer = self.peer;
        [peer.component, &self.name, &peer.address, &peer.port]
    }
}

/// How long batches take, at each destination. Recorded by whoever sends: the courier's own thread.
fn watch(engine: &'static Engine, outlet: &Outlet) {
    let about = instrument(
        otel::EXPORTER_OPERATION_DURATION,
        "s",
        "How long batches took from the first attempt to the destination's answer.",
        EXPORTED,
    );
    let bounds = DURATION_BOUNDS.into();
    let histogram = ValueHistogram(engine.instrument(&about, Shape::Values { bounds }));
    let bound = Signal::ALL.map(|signal| {
        let about = About::of(outlet, signal);
        let [kind, name, address, port] = about.labels();
        let rejected = DropReason::Rejected.as_str();
        [rejected, ""].map(|error| histogram.bind(&[kind, name, address, port, error]))
    });
    outlet
        .courier
        .set_watch(Box::new(move |signal, took, whole| {
            let of_signal = bound.get(signal.index());
            if let Some(histogram) = of_signal.and_then(|both| both.get(usize::from(whole))) {
                histogram.record(took.as_secs_f64());
            }
        }));
}

/// How long collections take.
pub(super) fn collection(engine: &'static Engine) -> BoundHistogram {
    let about = instrument(
        otel::METRIC_READER_COLLECTION_DURATION,
        "s",
        "How long collections of metrics for the destinations took.",
        PROCESSOR,
    );
    let bounds = DURATION_BOUNDS.into();
    ValueHistogram(engine.instrument(&about, Shape::Values { bounds })).bind(&READER)
}
