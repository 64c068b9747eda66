//! What others say, in our words: the table, and the layer of `tracing` that reads by it.

mod anything;
mod content;
mod hostile;
mod layer;
mod names;
mod nesting;
mod once;
mod recorded;
mod rules;
mod said;
mod table;
mod whose;
