//! A question to a store of vectors: the conventions for databases, which have nothing of vectors.

use super::{ADDRESS, ERROR, ERRORS, PORT, internal, open};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{self, db};
use obs_core::{Descriptor, Histogram, Label, Record, Scope};

pub(crate) const SYSTEM: usize = 0;
pub(crate) const COLLECTION: usize = 1;
pub(crate) const NAMESPACE: usize = 2;
pub(crate) const OPERATION: usize = 3;
pub(crate) const SERVER: usize = 4;

/// Names that are stable are of the stable conventions' schema.
static SCOPE: Scope = super::scope(semconv::SCHEMA_URL);

static LABELS: [Label; 7] = [
    open(db::SYSTEM_NAME, 32),
    open(db::COLLECTION_NAME, 256),
    open(db::NAMESPACE, 128),
    // Few: words of the stores' interfaces.
    open(db::OPERATION_NAME, 64),
    ADDRESS,
    PORT,
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

/// `{operation} {target}`, where the target is what is asked, else where it is; of which there is neither, the system.
fn span_name(record: &Record<'_>, name: &mut String) {
    record.write_label(OPERATION, name);
    for label in [COLLECTION, NAMESPACE] {
        let before = name.len();
        super::append(record, label, name);
        if name.len() > before {
            break;
        }
    }
    if name.is_empty() {
        record.write_label(SYSTEM, name);
    }
}
