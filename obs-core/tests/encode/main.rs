//! What is encoded, held against decoders and parsers that are not ours.

mod batches;
mod exponential;
mod exposition;
mod logs;
mod metrics;
mod prometheus;
mod said;
mod script;
mod sources;
mod support;
mod traces;
mod tree;
