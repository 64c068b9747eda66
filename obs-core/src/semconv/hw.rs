//! Hardware (v1.44.0, development).

names! {
    /// Which component: of a GPU its UUID.
    ID = "hw.id";
    /// What it is: `gpu`.
    TYPE = "hw.type";
    /// The state that a series of [`STATUS`] is about: `ok`, `degraded`, `predicted_failure`, `failed`.
    STATE = "hw.state";
}

/// Whether a component is in a state: 1 or 0, one series per state.
pub const STATUS: &str = "hw.status";
/// Errors of a component, by `error.type`.
pub const ERRORS: &str = "hw.errors";
