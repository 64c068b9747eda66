//! Nothing but its test: `tests/beside.rs`.
