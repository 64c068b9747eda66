//! The handler that emits: what each run becomes, however it ends.

mod cardinality;
mod components;
mod conventions;
mod endings;
mod lookups;
mod mcp;
mod once;
mod parents;
mod several;
mod support;
