//! Under which names what was when is told.

use obs_core::Key;
use obs_core::semconv::obs;

/// Of one moment.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) utilization: Key,
    pub(super) memory: Key,
    pub(super) power: Key,
    pub(super) clock: Key,
    pub(super) throttle: Key,
    pub(super) health: Key,
    pub(super) age: Key,
}

pub(super) const AT_START: Names = Names {
    utilization: obs::GPU_START_UTILIZATION,
    memory: obs::GPU_START_MEMORY,
    power: obs::GPU_START_POWER,
    clock: obs::GPU_START_CLOCK,
    throttle: obs::GPU_START_THROTTLE,
    health: obs::GPU_START_HEALTH,
    age: obs::GPU_START_SAMPLE_AGE,
};

pub(super) const AT_FIRST_OUTPUT: Names = Names {
    utilization: obs::GPU_FIRST_OUTPUT_UTILIZATION,
    memory: obs::GPU_FIRST_OUTPUT_MEMORY,
    power: obs::GPU_FIRST_OUTPUT_POWER,
    clock: obs::GPU_FIRST_OUTPUT_CLOCK,
    throttle: obs::GPU_FIRST_OUTPUT_THROTTLE,
    health: obs::GPU_FIRST_OUTPUT_HEALTH,
    age: obs::GPU_FIRST_OUTPUT_SAMPLE_AGE,
};

pub(super) const AT_END: Names = Names {
    utilization: obs::GPU_END_UTILIZATION,
    memory: obs::GPU_END_MEMORY,
    power: obs::GPU_END_POWER,
    clock: obs::GPU_END_CLOCK,
    throttle: obs::GPU_END_THROTTLE,
    health: obs::GPU_END_HEALTH,
    age: obs::GPU_END_SAMPLE_AGE,
};

/// Of a slow part.
#[derive(Clone, Copy)]
pub(super) struct Slow {
    pub(super) cause: Key,
    pub(super) evidence: Key,
}

pub(super) const SLOW_FIRST_OUTPUT: Slow = Slow {
    cause: obs::GPU_SLOW_FIRST_OUTPUT_CAUSE,
    evidence: obs::GPU_SLOW_FIRST_OUTPUT_EVIDENCE,
};

pub(super) const SLOW_OUTPUT: Slow = Slow {
    cause: obs::GPU_SLOW_OUTPUT_CAUSE,
    evidence: obs::GPU_SLOW_OUTPUT_EVIDENCE,
};
