//! Everything that is done to a service, by name.

use super::Case;

mod clocks;
mod endings;
mod flood;
mod forked;
mod loops;
mod outage;
mod panics;
mod peers;
mod preload;
mod secrets;
mod shutdown;
mod spool;

pub(crate) use forked::parent as forks;
pub(crate) use loops::application as loops_of;
pub(crate) use peers::peer;

macro_rules! cases {
    ($($name:literal $run:path,)*) => {
        &[$(Case { name: $name, run: $run }),*]
    };
}

/// All cases, in the order of the table.
pub(super) static ALL: &[Case] = cases! {
    "R1/refused" outage::refused,
    "R1/grpc-refused" outage::grpc_refused,
    "R1/answers-429" outage::answers_429,
    "R1/answers-503" outage::answers_503,
    "R1/answers-400" outage::answers_400,
    "R1/resets" outage::resets,
    "R1/partial" outage::partial,
    "R1/latency" outage::latency_refused,
    "R1/instructions" outage::instructions_refused,
    "R2/below" spool::below,
    "R2/above" spool::above,
    "R3" spool::killed,
    "R4" spool::disks,
    "R5/hangs" outage::hangs,
    "R5/drips" outage::drips,
    "R5/grpc-hangs" outage::grpc_hangs,
    "R5/latency" outage::latency_hangs,
    "R5/instructions" outage::instructions_hangs,
    "R6" shutdown::dead,
    "R8" endings::dropped,
    "R9" panics::panics,
    "R10" flood::flood,
    "R11/http" loops::http,
    "R11/grpc" loops::grpc,
    "R12" forked::forks,
    "R13" secrets::corpus_of_secrets,
    "R14/steps" clocks::steps,
    "R14/suspend" clocks::stops,
    "sdk/refused" peers::refused,
    "sdk/hangs" peers::hangs,
    "sdk/memory" peers::memory,
};
