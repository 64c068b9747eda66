//! The same cases as `redaction.rs`, where a provider of the service's records the spans of operations: by the name of this
//! test (`support::over_sdk`).

#[path = "redaction/cases.rs"]
mod cases;
#[path = "support/support.rs"]
mod support;
