//! The handler that emits: what each run becomes, however it ends.

mod components;
mod support;
