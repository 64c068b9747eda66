//! The same cases as `nesting.rs`, where a provider of the service's records the spans of operations: by the name of this
//! test (`support::over_sdk`).

#[path = "nesting/cases.rs"]
mod cases;
#[path = "nesting/node.rs"]
mod node;
#[path = "support/support.rs"]
mod support;
