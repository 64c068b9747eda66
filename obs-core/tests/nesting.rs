//! Who is whose child, where this crate records the spans.

#[path = "nesting/cases.rs"]
mod cases;
#[path = "nesting/node.rs"]
mod node;
#[path = "support/support.rs"]
mod support;
