//! Sessions and budgets, by calls of models as obs-llm records them, and tools and agents as anybody may.

mod budgets;
mod endings;
mod ends;
mod model;
mod odd;
mod of_runs;
mod runs;
mod sums;
mod support;
mod threads;
