//! Everything that can be measured, by name.

use crate::bars::Unit;
use crate::harness::lived::{Length, Lived, Told};
use crate::harness::{Measured, in_flight::InFlight, pair::Pair, scaling::Scaling};

pub(crate) mod agent;
mod client;
mod encode;
mod facade;
mod flat;
pub(crate) mod gpu;
mod histogram;
mod http;
mod in_flight;
mod inside;
mod list;
pub(crate) mod llm;
mod logs;
mod loopback;
mod outage;
mod peers_client;
mod peers_encode;
mod peers_layers;
mod peers_logs;
mod peers_recording;
mod recorder;
pub(crate) mod rpc;
mod scaling;
mod sdk;
mod sdk_signals;
#[cfg(feature = "span")]
mod span;

/// A named measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What it is, for the table.
    pub(crate) about: &'static str,
    pub(crate) measured: Measured,
}

impl Case {
    /// Whether it is measured without a clock.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self.measured, Measured::Added(_) | Measured::Held(_))
    }
}

const fn added(name: &'static str, about: &'static str, build: fn() -> Pair) -> Case {
    Case {
        name,
        about,
        measured: Measured::Added(build),
    }
}

const fn scaling(name: &'static str, about: &'static str, build: fn() -> Scaling) -> Case {
    Case {
        name,
        about,
        measured: Measured::Scaling(build),
    }
}

const fn latency(name: &'static str, about: &'static str, build: fn() -> Pair) -> Case {
    Case {
        name,
        about,
        measured: Measured::Latency(build),
    }
}

const fn held(name: &'static str, about: &'static str, build: fn() -> InFlight) -> Case {
    Case {
        name,
        about,
        measured: Measured::Held(build),
    }
}

const fn lived(
    name: &'static str,
    about: &'static str,
    figures: &'static [Unit],
    live: fn(Length, &mut Told) -> Result<String, String>,
) -> Case {
    Case {
        name,
        about,
        measured: Measured::Lived(Lived { figures, live }),
    }
}

/// All cases, in the order of the table.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let calls = rpc::ALL.iter().chain(llm::ALL);
    let layers = list::ALL.iter().chain(calls).chain(gpu::ALL);
    layers.chain(agent::ALL)
}

/// The case of that name.
pub(crate) fn named(name: &str) -> Option<&'static Case> {
    all().find(|case| case.name == name)
}

/// What calls of models cost.
pub(crate) fn is_of_llm(case: &Case) -> bool {
    llm::ALL.iter().any(|known| known.name == case.name)
}

/// What runs of agents cost.
pub(crate) fn is_of_agent(case: &Case) -> bool {
    agent::ALL.iter().any(|known| known.name == case.name) || case.name == "http/base-dropped"
}

/// What watching GPUs costs.
pub(crate) fn is_of_gpu(case: &Case) -> bool {
    gpu::ALL.iter().any(|known| known.name == case.name)
}

/// What calls of gRPC cost, and what that is held against.
pub(crate) fn is_of_rpc(case: &Case) -> bool {
    rpc::ALL.iter().any(|known| known.name == case.name)
        || ["http/base-dropped", "client/base"].contains(&case.name)
}
