//! Who is told of operations in sessions, and what a session carries.

#[path = "sessions/carried.rs"]
mod carried;
#[path = "sessions/cases.rs"]
mod cases;
#[path = "support/support.rs"]
mod support;
#[path = "sessions/users.rs"]
mod users;
