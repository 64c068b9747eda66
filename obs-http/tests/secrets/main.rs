//! A corpus of secrets (`corpus.tsv`), none of which comes out: in exported bytes, on the metrics page, in log lines, diagnostics,
//! in the files of a spool, or in what public types print.
//!
//! In two parts. What the suite records by itself needs nothing for that (`recorded.rs`). What the service says itself, in
//! attributes, events and logs, is exported as it was said; there it takes a redactor (`said.rs`), and the same run without
//! one shows that the scanner finds what is there.

mod corpus;
mod receiver;
mod recorded;
mod said;
mod spool;
mod world;
