//! What a kind of operation is: a static in the crate of its domain. This crate knows no domain.

use crate::attributes::Key;
use crate::event::Event;
use crate::label::Label;
use crate::level::StatsLevel;
use crate::record::Record;
use opentelemetry::trace::SpanKind;

/// A kind of operation: an HTTP exchange, an RPC, a tool call. Lives as a `static` in its domain's crate.
#[derive(Debug)]
pub struct Descriptor {
    /// Its name, for settings and messages: `http.server`.
    pub name: &'static str,
    /// The kind of its spans.
    pub span_kind: SpanKind,
    /// Who emits its telemetry.
    pub scope: &'static Scope,
    /// Its labels, at most eight: attributes of the span and of the metrics alike.
    pub labels: &'static [Label],
    /// Which label is its method (route, RPC method, tool), for levels and thresholds per method.
    pub method: Option<usize>,
    /// Values of `error.type` beyond the common ones, at most 90.
    pub errors: &'static [&'static str],
    /// Its duration, in seconds.
    pub duration: Option<Histogram>,
    /// Parts of its duration, in seconds.
    pub stages: &'static [Stage],
    /// Quantities of it: sizes, counts; at most four.
    pub measures: &'static [Measure],
    /// What is recorded by hand, as often as there is something to record.
    pub quantities: &'static [Quantity],
    /// How many of it are running.
    pub in_flight: Option<InFlight>,
    /// Writes the name of the span of one finished operation. Called in the background; where it panics, which is contained
    /// and counted, the span is named as the kind is.
    pub span_name: fn(&Record<'_>, &mut String),
}

/// Who emits: the instrumentation scope.
#[derive(Debug)]
pub struct Scope {
    /// The emitting crate.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The schema its names follow.
    pub schema_url: &'static str,
}

/// A histogram with explicit boundaries.
#[derive(Clone, Copy, Debug)]
pub struct Histogram {
    /// The metric's name.
    pub name: &'static str,
    /// Its unit in UCUM.
    pub unit: &'static str,
    /// What it says.
    pub description: &'static str,
    /// Upper bounds of all buckets but the last, ascending.
    pub bounds: &'static [f64],
}

/// The time between two events, as a histogram.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Where it is recorded; several stages may share one metric, told apart by `attribute`.
    pub histogram: Histogram,
    /// What tells it apart.
    pub attribute: Option<(Key, &'static str)>,
    /// Where it begins; [`Event::RPC_START`] is the operation's start.
    pub from: Event,
    /// Where it ends; [`Event::RPC_FINISH`] is the operation's end.
    pub to: Event,
    /// The level from which it is recorded.
    pub level: StatsLevel,
    /// Whether [`Kind::record_stage`](crate::Kind::record_stage) alone records it, each time it is over and before anybody knows
    /// how the operation ends. Else it is recorded at the end, by the events that were stamped.
    pub by_hand: bool,
}

/// A number that [`Kind::record_quantity`](crate::Kind::record_quantity) records under labels of the kind: tokens, money. It is always a metric.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    /// Where it is recorded; several quantities may share one metric, told apart by `attribute`. Without boundaries it is a
    /// counter.
    pub histogram: Histogram,
    /// What tells it apart.
    pub attribute: Option<(Key, &'static str)>,
}

/// A quantity of an operation: exported as an attribute of the span and, where asked for, as a histogram.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// The attribute's key.
    pub key: Key,
    /// The metric, recorded where [`Builder::with_measures`](crate::Builder::with_measures) asks for it.
    pub histogram: Histogram,
}

/// A gauge of running operations.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    /// The metric's name.
    pub name: &'static str,
    /// Its unit in UCUM.
    pub unit: &'static str,
    /// What it says.
    pub description: &'static str,
    /// Which labels it has, one bit each; they must be known at the start.
    pub labels: u8,
}

/// Boundaries of durations in the HTTP and RPC conventions, in seconds.
pub const DURATION_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Boundaries of body sizes, in bytes: powers of four from 64 B to 64 MiB.
pub const SIZE_BOUNDS: &[f64] = &[
    64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0,
    67108864.0,
];
