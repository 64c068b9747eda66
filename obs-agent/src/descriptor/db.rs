//! A question to a store of vectors: the conventions for databases, which have nothing of vectors.

use super::{ERROR, ERRORS, internal, open};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{self, db};
use obs_core::{Descriptor, Histogram, Label, Record, Scope};

pub(crate) const SYSTEM: usize = 0;
pub(crate) const COLLECTION: usize = 1;
pub(crate) const NAMESPACE: usize = 2;

/// Names that are stable are of the stable conventions' schema.
static SCOPE: Scope = super::scope(semconv::SCHEMA_URL);

static LABELS: [Label; 4] = [
    open(db::SYSTEM_NAME, 32),
    open(db::COLLECTION_NAME, 256),
    open(db::NAMESPACE, 128),
    ERROR,
];

/// A store of vectors is asked. `db.client` in settings, and each system is a method.
pub static DB_CLIENT: Descriptor = Descriptor {
    name: "db.client",
    span_kind: SpanKind::Client,
    labels: &LABELS,
    method: Some(SYSTEM),
    errors: ERRORS,
    duration: Some(Histogram {
        name: db::CLIENT_OPERATION_DURATION,
        unit: "s",
        description: "Duration of operations of databases.",
        bounds: db::BOUNDS,
    }),
    ..internal(&SCOPE, span_name)
};

/// What is asked, else where it is, else which system it is.
fn span_name(record: &Record<'_>, name: &mut String) {
    for label in [COLLECTION, NAMESPACE, SYSTEM] {
        record.write_label(label, name);
        if !name.is_empty() {
            return;
        }
    }
}
