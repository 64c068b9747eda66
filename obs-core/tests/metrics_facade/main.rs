//! What the macros of the `metrics` crate record: the same numbers over OTLP, on the page and at another recorder, within
//! bounds.
#![cfg(all(feature = "metrics", not(loom)))]

#[path = "../encode/exposition.rs"]
mod exposition;
#[path = "../support/support.rs"]
mod support;

mod allocations;
mod bounded;
mod forwarded;
mod life;
mod recorded;
mod refused;
mod shown;

use obs_core::metrics_facade::MetricsRecorder;
use support::Rig;

/// Runs `work` with a recorder of the rig's telemetry for this thread.
fn recording<T>(rig: &Rig, work: impl FnOnce() -> T) -> T {
    metrics::with_local_recorder(&MetricsRecorder::new(&rig.telemetry), work)
}

/// The page, as a strict parser reads it.
#[track_caller]
fn page(rig: &Rig) -> std::collections::BTreeMap<String, exposition::Family> {
    let page = rig.telemetry.prometheus();
    // Comments of ours are none of the format's families.
    let said: Vec<_> = { page.lines() }
        .filter(|line| !line.starts_with("# not shown"))
        .collect();
    exposition::parse(&(said.join("\n") + "\n")).unwrap_or_else(|wrong| panic!("{wrong}\n{page}"))
}
