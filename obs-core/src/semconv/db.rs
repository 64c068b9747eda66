//! Databases (v1.44.0, stable): what a question to a store of vectors is told by.

names! {
    /// Which database: `postgresql`, `qdrant`.
    SYSTEM_NAME = "db.system.name";
    /// The collection or table.
    COLLECTION_NAME = "db.collection.name";
    /// The database's name.
    NAMESPACE = "db.namespace";
    /// What it is asked to do, in its own word.
    OPERATION_NAME = "db.operation.name";
}

/// Duration of an operation of a database as its client has it, in seconds.
pub const CLIENT_OPERATION_DURATION: &str = "db.client.operation.duration";

/// Boundaries of these, in seconds.
pub const BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// The statement, stable. Nothing here emits it, a redactor looks for it.
pub(crate) const QUERY_TEXT: &str = "db.query.text";
/// What it was called until 1.24.
pub(crate) const STATEMENT: &str = "db.statement";
