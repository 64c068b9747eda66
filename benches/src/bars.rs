//! The numbers to hold, and nothing else: one line per case and unit.
//!
//! Instructions and allocations are the gates, because they repeat on any machine; time gates only from 10 T up.

use std::fmt;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Instructions per operation.
    Instr,
    /// Time per operation in raw reads of the cycle counter.
    T,
    /// Nanoseconds per operation.
    Ns,
    /// Heap allocations per operation.
    Allocs,
    /// Bytes per operation, or per operation in flight.
    Bytes,
    /// A ratio of two rates.
    X,
    /// The upper end of an interval, over what is allowed.
    Share,
    /// Percent of one core.
    Core,
    /// Of that what passed in calls of somebody else's library.
    CoreOutside,
    /// Milliseconds, the median.
    Ms,
    /// The same, the worst.
    WorstMs,
}

impl Unit {
    /// How figures name it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Instr => "instr",
            Self::T => "T",
            Self::Ns => "ns",
            Self::Allocs => "allocs",
            Self::Bytes => "bytes",
            Self::X => "x",
            Self::Share => "share",
            Self::Core => "core-%",
            Self::CoreOutside => "core-%-outside",
            Self::Ms => "ms",
            Self::WorstMs => "worst-ms",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A limit on one figure of one case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    case: &'static str,
    unit: Unit,
    limit: f64,
}

impl Bar {
    /// The bar of that figure; peers have none.
    pub(crate) fn of(case: &str, unit: Unit) -> Option<&'static Self> {
        BARS.iter().find(|bar| bar.case == case && bar.unit == unit)
    }

    pub(crate) fn limit(&self) -> f64 {
        self.limit
    }

    /// Rates are to be reached, everything else not to be passed.
    pub(crate) fn holds(&self, measured: f64) -> bool {
        match self.unit {
            Unit::X => measured >= self.limit,
            // Half of the last digit printed: a bar of 0 allocations is not broken by a pool that grew once in a run.
            Unit::Allocs => measured <= self.limit + 0.005,
            Unit::Instr
            | Unit::T
            | Unit::Ns
            | Unit::Bytes
            | Unit::Share
            | Unit::Core
            | Unit::CoreOutside
            | Unit::Ms
            | Unit::WorstMs => measured <= self.limit,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.unit == Unit::X { "≥ " } else { "≤ " })?;
        self.limit.fmt(f)
    }
}

const fn bar(case: &'static str, unit: Unit, limit: f64) -> Bar {
    Bar { case, unit, limit }
}

/// A limit on a figure that is so many times the least of others, measured in the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    pub(crate) case: &'static str,
    pub(crate) unit: Unit,
    pub(crate) times: f64,
    pub(crate) others: &'static [&'static str],
}

impl Compared {
    /// How many times it is; `None` where one of the figures is missing.
    pub(crate) fn measured(&self, figure: impl Fn(&str, Unit) -> Option<f64>) -> Option<f64> {
        let mut least = f64::INFINITY;
        for other in self.others {
            least = least.min(figure(other, self.unit)?);
        }
        Some(figure(self.case, self.unit)? / least)
    }

    /// What it is held against, in words.
    pub(crate) fn against(&self) -> String {
        self.others.join(" or ")
    }
}

/// Whether a bar on something that is counted needs this case.
pub(crate) fn ask_for(case: &str) -> bool {
    let counted = |unit| matches!(unit, Unit::Instr | Unit::Allocs | Unit::Bytes);
    let mut compared = COMPARED.iter();
    BARS.iter().any(|bar| bar.case == case && counted(bar.unit))
        || compared.any(|bar| bar.case == case || bar.others.contains(&case))
}

const fn times(
    case: &'static str,
    unit: Unit,
    times: f64,
    others: &'static [&'static str],
) -> Compared {
    Compared {
        case,
        unit,
        times,
        others,
    }
}

/// What is held against others of the same run.
#[rustfmt::skip]
pub(crate) static COMPARED: &[Compared] = &[
    times("rpc/layer-base-server", Unit::Instr, 1.5, &["http/base-dropped"]),
    // It writes a `traceparent`, as that one does.
    times("rpc/layer-base-client", Unit::Instr, 1.5, &["client/base"]),
    times("rpc/layer-detailed-server", Unit::Instr, 2.0, &["rpc/layer-base-server"]),
    times("rpc/layer-detailed-client", Unit::Instr, 2.0, &["rpc/layer-base-client"]),
    times("rpc/unary-detailed", Unit::Instr, 2.0, &["rpc/unary-base"]),
    // Kept, as theirs are.
    times("rpc/unary-base-kept", Unit::Instr, 0.2, &["peer/tonic-tracing-opentelemetry", "peer/tower-otel-grpc"]),
    times("rpc/unary-base-kept", Unit::Allocs, 0.2, &["peer/tonic-tracing-opentelemetry", "peer/tower-otel-grpc"]),
];

#[rustfmt::skip]
static BARS: &[Bar] = &[
    bar("http/noop", Unit::Instr, 170.0),
    bar("http/noop", Unit::Allocs, 0.0),
    bar("http/disabled", Unit::Instr, 170.0),
    bar("http/disabled", Unit::Allocs, 0.0),
    bar("http/base-dropped", Unit::Instr, 790.0),
    bar("http/base-dropped", Unit::T, 10.0),
    bar("http/base-dropped", Unit::Allocs, 0.0),
    bar("http/base-dropped-traceparent", Unit::Instr, 1_130.0),
    bar("http/base-dropped-traceparent", Unit::T, 12.5),
    bar("http/base-dropped-traceparent", Unit::Allocs, 0.0),
    bar("http/base-kept", Unit::Instr, 890.0),
    bar("http/base-kept", Unit::T, 12.5),
    bar("http/base-kept", Unit::Allocs, 0.0),
    bar("http/base-kept-traceparent", Unit::Instr, 1_230.0),
    bar("http/base-kept-traceparent", Unit::T, 14.0),
    bar("http/base-kept-traceparent", Unit::Allocs, 0.0),
    bar("http/detailed-dropped", Unit::Instr, 900.0),
    bar("http/detailed-dropped", Unit::T, 22.0),
    bar("http/detailed-dropped", Unit::Allocs, 0.0),
    bar("http/detailed-dropped-traceparent", Unit::Instr, 1_240.0),
    bar("http/detailed-dropped-traceparent", Unit::T, 24.0),
    bar("http/detailed-dropped-traceparent", Unit::Allocs, 0.0),
    bar("http/detailed-kept", Unit::Instr, 1_010.0),
    bar("http/detailed-kept", Unit::T, 24.0),
    bar("http/detailed-kept", Unit::Allocs, 0.0),
    bar("http/detailed-kept-traceparent", Unit::Instr, 1_350.0),
    bar("http/detailed-kept-traceparent", Unit::T, 26.0),
    bar("http/detailed-kept-traceparent", Unit::Allocs, 0.0),
    // Twelve real headers, the context attached with our own span behind it, four polls.
    // Set by measuring it; the aim is 2,000.
    bar("http/default", Unit::Instr, 4_600.0),
    bar("http/default", Unit::Allocs, 2.0),
    // Ids only, over the same layer without it: 450 for making and attaching it once, 220 for each further time; an
    // exchange attaches it in the call, one poll and one frame.
    bar("http/context-attached", Unit::Instr, 890.0),
    bar("http/context-attached", Unit::Allocs, 1.0),
    bar("http/context-span", Unit::Allocs, 2.0),
    bar("client/disabled", Unit::Instr, 170.0),
    bar("client/disabled", Unit::Allocs, 0.0),
    // What is written into the request: the value of `traceparent`, and the header map growing from four to five.
    bar("client/base", Unit::Allocs, 2.0),
    bar("client/base-outside", Unit::Allocs, 0.0),
    bar("client/kept", Unit::Allocs, 2.0),
    bar("client/detailed", Unit::Allocs, 2.0),
    // And two for the context with our span in it.
    bar("client/default", Unit::Allocs, 4.0),
    bar("child/parked-dropped", Unit::Instr, 630.0),
    bar("child/parked-dropped", Unit::Allocs, 0.0),
    bar("child/parked-dropped-further", Unit::Instr, 480.0),
    bar("child/parked-dropped-further", Unit::Allocs, 0.0),
    bar("attr/static", Unit::Instr, 25.0),
    bar("attr/static", Unit::Allocs, 0.0),
    bar("attr/dynamic", Unit::Instr, 125.0),
    bar("attr/dynamic", Unit::Allocs, 0.0),
    bar("stream/chunk", Unit::Instr, 30.0),
    bar("stream/chunk", Unit::Allocs, 0.0),
    bar("stream/chunk-current", Unit::Instr, 140.0),
    bar("stream/chunk-current", Unit::Allocs, 0.0),
    bar("histogram/bound", Unit::Allocs, 0.0),
    bar("histogram/bound-exponential", Unit::Allocs, 0.0),
    bar("encode/span8", Unit::Instr, 2_500.0),
    bar("encode/span8", Unit::Allocs, 0.0),
    bar("encode/span8-events13", Unit::Instr, 4_500.0),
    bar("encode/span8-events13", Unit::Allocs, 0.0),
    bar("logs/json-line", Unit::Allocs, 0.0),
    bar("logs/json-line-ids", Unit::Allocs, 0.0),
    bar("facade/counter", Unit::Allocs, 0.0),
    bar("facade/histogram", Unit::Allocs, 0.0),
    bar("contention/facade-counter", Unit::X, 1.95),
    bar("contention/facade-histogram", Unit::X, 1.95),
    bar("contention/histogram", Unit::X, 1.95),
    bar("contention/histogram-exponential", Unit::X, 1.95),
    bar("contention/http", Unit::X, 1.95),
    bar("inflight/bytes", Unit::Bytes, 640.0),
    bar("gpu/snapshot", Unit::Instr, 60.0),
    bar("gpu/snapshot", Unit::Allocs, 0.0),
    bar("gpu/call", Unit::Allocs, 0.0),
    bar("gpu/claim-tokens", Unit::Allocs, 0.0),
    bar("gpu/gate-state", Unit::Allocs, 0.0),
    bar("gpu/gate-layer", Unit::Allocs, 0.0),
    // Of the library's script, which answers at once, its share and all.
    bar("gpu/cpu-share", Unit::Core, 0.5),
    // What the budget allows, and a tenth of it for what is dear and comes once or twice a minute.
    bar("gpu/cpu-share-h100", Unit::CoreOutside, 0.55),
    bar("gpu/sweep8", Unit::Allocs, 0.0),
    // 2,400 samples of 64 bytes are 153,600; for all else that there is of a device, what its readings cost among it, set by
    // measuring it.
    bar("gpu/ring-bytes", Unit::Bytes, 168_000.0),
    bar("gpu/xid-to-gate", Unit::Ms, 10.0),
    // Beyond the deadline.
    bar("gpu/hang-to-gate", Unit::Ms, 10.0),
    bar("contention/gpu-snapshot", Unit::X, 1.95),
    bar("rpc/unary-disabled", Unit::Allocs, 0.0),
    // 1.5 times the HTTP layer's bar.
    bar("rpc/layer-base-client", Unit::Instr, 1_185.0),
    bar("rpc/layer-base-server", Unit::Instr, 1_185.0),
    bar("rpc/message-base-client", Unit::Instr, 150.0),
    bar("rpc/message-base-server", Unit::Instr, 150.0),
    // Twice that where it passes both.
    bar("rpc/message-base", Unit::Instr, 300.0),
    bar("rpc/message-detailed", Unit::Instr, 300.0),
    bar("rpc/message-base-sent", Unit::Instr, 300.0),
    // The upper end of the difference, over the larger of 1 % and 2 µs.
    bar("rpc/socket-difference", Unit::Share, 1.0),
    bar("contention/rpc", Unit::X, 1.95),
    // What is measured and 5 % more: the aim is 300, and ADR 25 says what is in between.
    bar("llm/chunk200", Unit::Instr, 435.0),
    bar("llm/chunk200-anthropic", Unit::Instr, 605.0),
    bar("llm/chunk200-gemini", Unit::Instr, 1_500.0),
    bar("llm/chunk200-ollama", Unit::Instr, 760.0),
    bar("llm/chunk-openai", Unit::Instr, 660.0),
    bar("llm/chunk-vllm", Unit::Instr, 1_300.0),
    bar("llm/chunk-gemini", Unit::Instr, 2_250.0),
    // What the call itself allocates, over its 500 chunks.
    bar("llm/chunk200", Unit::Allocs, 0.015),
    bar("llm/chunk200-anthropic", Unit::Allocs, 0.015),
    bar("llm/chunk200-gemini", Unit::Allocs, 0.015),
    bar("llm/chunk200-ollama", Unit::Allocs, 0.015),
    // DESIGN's: 60 of a chunk, a KiB of a stream.
    bar("llm/gap", Unit::Instr, 60.0),
    bar("llm/gap", Unit::Allocs, 0.0),
    bar("llm/call", Unit::Instr, 20_900.0),
    bar("llm/call", Unit::Allocs, 6.0),
    bar("llm/streams", Unit::Instr, 1_150.0),
    bar("llm/server-token", Unit::Instr, 60.0),
    bar("llm/server-token", Unit::Allocs, 0.0),
    bar("llm/stream-state", Unit::Bytes, 1_024.0),
    bar("contention/llm", Unit::X, 1.95),
    // Half as much again as `http/base-dropped` in the same run: 1,844.
    bar("agent/run", Unit::Instr, 2_766.0),
    bar("agent/run", Unit::Allocs, 2.0),
    // Of each handler; the rest of a piece's way is paid once.
    bar("agent/stream-item-further", Unit::Instr, 60.0),
    bar("agent/stream-item-empty", Unit::Allocs, 0.0),
    // The stream's own, over its 500 pieces.
    bar("agent/stream-item-default", Unit::Allocs, 0.03),
    bar("agent/budget-check", Unit::Allocs, 0.0),
    bar("agent/ledger-bytes", Unit::Bytes, 1_400.0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_reached_and_a_cost_not_passed() {
        let rate = Bar::of("contention/histogram", Unit::X).expect("listed");
        assert!(rate.holds(1.95) && !rate.holds(1.94));
        let cost = Bar::of("http/disabled", Unit::Instr).expect("listed");
        assert!(cost.holds(170.0) && !cost.holds(170.5));
        assert!(Bar::of("http/disabled", Unit::Ns).is_none());
    }

    #[test]
    fn no_figure_has_two_bars_and_no_peer_has_one() {
        for (at, bar) in BARS.iter().enumerate() {
            assert!(!bar.case.starts_with("peer/"), "{}", bar.case);
            assert!(
                !BARS[at + 1..]
                    .iter()
                    .any(|other| (other.case, other.unit) == (bar.case, bar.unit)),
                "{} {}",
                bar.case,
                bar.unit
            );
        }
    }

    #[test]
    fn a_multiple_is_of_the_least_of_the_others_and_needs_all_of_them() {
        let figures = |name: &str, _| match name {
            "a" => Some(30.0),
            "b" => Some(100.0),
            "c" => Some(60.0),
            _ => None,
        };
        let of = |others| times("a", Unit::Instr, 0.6, others).measured(figures);
        assert_eq!(of(&["b", "c"]), Some(0.5));
        assert_eq!(of(&["b", "d"]), None);
    }

    #[test]
    fn time_gates_only_from_ten_reads_up() {
        assert!(
            BARS.iter()
                .all(|bar| bar.unit != Unit::T || bar.limit >= 10.0)
        );
    }
}
