//! Our client's layer around what would send: each level, dropped and kept, and as it ships. The trace context is written
//! into each request but where the case says otherwise: its header is one allocation that nobody can spare.

use obs_core::{StatsLevel, Telemetry};
use obs_http::HttpClientLayer;
use obs_http::client::Injection;
use tower_layer::Layer;

use super::flat::{CLIENT_DURATION, Expect, Flat};
use super::http::{Kept, builder};
use crate::harness::{
    pair::Pair,
    service::{Handler, Requests, pair_of},
};

/// Switched off at run time: requests pass as they are.
pub(crate) fn disabled() -> Pair {
    let flat = Flat::build(builder(StatsLevel::Disabled, Kept::All));
    let pair = priced(&flat.telemetry, Injection::everywhere());
    flat.hold(pair, Expect::default())
}

/// Base: metrics and a record, dropped at its end.
pub(crate) fn base() -> Pair {
    at(StatsLevel::Base, Kept::None, Injection::everywhere())
}

/// The same, to a host that is not told of the trace.
pub(crate) fn base_outside() -> Pair {
    at(StatsLevel::Base, Kept::None, Injection::inside())
}

/// Base: the record goes on to the collector.
pub(crate) fn kept() -> Pair {
    at(StatsLevel::Base, Kept::All, Injection::everywhere())
}

/// Detailed: six moments, four of them between the ends.
pub(crate) fn detailed() -> Pair {
    at(StatsLevel::Detailed, Kept::All, Injection::everywhere())
}

/// As it ships, but for the host that is named: kept, our span in the context.
pub(crate) fn default() -> Pair {
    let flat = Flat::build(Telemetry::builder());
    let pair = priced(&flat.telemetry, Injection::everywhere());
    hold(&flat, pair, Kept::All, 2)
}

fn at(level: StatsLevel, kept: Kept, injection: Injection) -> Pair {
    let flat = Flat::build(builder(level, kept));
    let pair = priced(&flat.telemetry, injection);
    let stamps = if level == StatsLevel::Detailed { 6 } else { 2 };
    hold(&flat, pair, kept, stamps)
}

fn hold(flat: &Flat, pair: Pair, kept: Kept, stamps: usize) -> Pair {
    flat.hold(
        pair,
        Expect {
            points: Some(CLIENT_DURATION),
            records: u64::from(kept == Kept::All),
            stamps,
        },
    )
}

fn priced(telemetry: &Telemetry, injection: Injection) -> Pair {
    let handler = Handler::default();
    let layer = HttpClientLayer::new(telemetry).with_injection(injection);
    pair_of(&Requests::outgoing(), handler, layer.layer(handler))
}
