//! Set-up, waiting and shutdown: deadlines that are kept, results that are true, settings that say what became of them.

#[path = "../support/support.rs"]
mod support;

mod deadlines;
mod inert;
mod observables;
mod waiting;
