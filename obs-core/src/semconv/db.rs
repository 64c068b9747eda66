//! Databases (v1.44.0): nothing here emits them, a redactor looks for them.

/// The statement, stable.
pub(crate) const QUERY_TEXT: &str = "db.query.text";
/// What it was called until 1.24.
pub(crate) const STATEMENT: &str = "db.statement";
