//! What redactors see and what becomes of it, where this crate records the spans.

#[path = "redaction/cases.rs"]
mod cases;
#[path = "redaction/halves.rs"]
mod halves;
#[path = "redaction/kept.rs"]
mod kept;
#[path = "support/support.rs"]
mod support;
#[path = "redaction/texts.rs"]
mod texts;
#[path = "redaction/within.rs"]
mod within;
