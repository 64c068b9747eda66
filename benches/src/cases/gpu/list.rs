//! The cases, by name.

use super::super::{Case, added, held, lived, scaling};
use super::{
    call, call_slow, claim_tokens, contended_snapshot, gate_layer, gate_state, peers, ring_bytes,
    share, snapshot, sweep8, times,
};
use crate::bars::Unit;

const TIMES: &[Unit] = &[Unit::Ms, Unit::WorstMs];

pub(crate) static ALL: &[Case] = &[
    added(
        "gpu/snapshot",
        "the last sample of a device, eight words, copied",
        snapshot,
    ),
    added(
        "gpu/call",
        "a call of a model told of its device at its start, first output and end, kept; over the same untold",
        call,
    ),
    added("gpu/call-slow", "same, late: and why", call_slow),
    added(
        "gpu/claim-tokens",
        "tokens counted for a model and task",
        claim_tokens,
    ),
    added(
        "gpu/gate-state",
        "whether a device takes work, asked by a router",
        gate_state,
    ),
    added(
        "gpu/gate-layer",
        "the layer in front of a device that takes work, until the body ends",
        gate_layer,
    ),
    added(
        "gpu/sweep8",
        "what is read four times a second of eight H100 of the fake, its answers included",
        sweep8,
    ),
    held(
        "gpu/ring-bytes",
        "heap per watched device, of 16: ten minutes of samples, and all else",
        ring_bytes,
    ),
    lived(
        "gpu/cpu-share",
        "eight H100 of the fake watched as it ships, with health, attribution and context: all threads, the fake's answers included",
        &[Unit::Core, Unit::CoreOutside],
        share::ours,
    ),
    lived(
        "gpu/cpu-share-h100",
        "same, with the latencies of a real H100: what calls last is held by the budget; the fake sleeps most of it, where a driver works",
        &[Unit::Core, Unit::CoreOutside],
        share::real,
    ),
    lived(
        "gpu/xid-to-gate",
        "from the library's event to a gate found closed",
        TIMES,
        times::xid,
    ),
    lived(
        "gpu/hang-to-gate",
        "from a call's deadline to a gate found closed",
        TIMES,
        times::hang,
    ),
    scaling(
        "contention/gpu-snapshot",
        "the last sample of one device: 2 threads / 1",
        contended_snapshot,
    ),
    added(
        "peer/sample-mutex",
        "the same eight words in a `Mutex`, copied",
        peers::mutex,
    ),
    added("peer/sample-rwlock", "same, in an `RwLock`", peers::rwlock),
    added(
        "peer/sample-rwlock-arc",
        "same, of an `Arc` cloned out of an `RwLock`",
        peers::rwlock_arc,
    ),
    added(
        "peer/sample-arc-swap",
        "same, in arc-swap's `ArcSwap`, whose writer allocates",
        peers::arc_swap,
    ),
    scaling(
        "peer/sample-mutex-contention",
        "a `Mutex`: 2 threads / 1",
        peers::contended_mutex,
    ),
    scaling(
        "peer/sample-rwlock-contention",
        "an `RwLock`: 2 threads / 1",
        peers::contended_rwlock,
    ),
    scaling(
        "peer/sample-arc-swap-contention",
        "an `ArcSwap`: 2 threads / 1",
        peers::contended_arc_swap,
    ),
    added(
        "peer/nvml-wrapper-sweep8",
        "the same calls as `gpu/sweep8` by nvml-wrapper's safe API",
        peers::sweep8,
    ),
    lived(
        "peer/nvml-wrapper-poll8",
        "these alone, four times a second in one thread: no other tier, no events, nothing kept",
        &[Unit::Core],
        peers::poll8,
    ),
    lived(
        "peer/nvml-wrapper-wait8",
        "a thread for each device that waits for its events by nvml-wrapper's `EventSet`, and none comes: the fake's own share",
        &[Unit::Core],
        peers::wait8,
    ),
    lived(
        "peer/nvml-wrapper-xid",
        "from the library's event to a thread's flag, by nvml-wrapper's `EventSet`, a thread for each device",
        TIMES,
        peers::xid,
    ),
];
