//! What is encoded, held against decoders and parsers that are not ours.

mod logs;
mod metrics;
mod said;
mod script;
mod support;
mod traces;
