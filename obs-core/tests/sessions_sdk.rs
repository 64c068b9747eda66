//! The same cases as `sessions.rs`, where a provider of the service's records the spans of operations: by the name of this
//! test (`support::over_sdk`).

#[path = "sessions/carried.rs"]
mod carried;
#[path = "sessions/cases.rs"]
mod cases;
#[path = "support/support.rs"]
mod support;
#[path = "sessions/users.rs"]
mod users;
