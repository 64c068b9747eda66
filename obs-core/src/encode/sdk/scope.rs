//! Instrumentation scopes as the bytes that stand around their items.

use crate::encode::protobuf::Buffer;
use opentelemetry::InstrumentationScope;

mod field {
    /// Of `Scope…`.
    pub(super) const SCOPE: u8 = 1;
    pub(super) const SCHEMA_URL: u8 = 3;
    /// Of `InstrumentationScope`.
    pub(super) const NAME: u8 = 1;
    pub(super) const VERSION: u8 = 2;
    pub(super) const ATTRIBUTES: u8 = 3;
}

/// A scope under its own name, or, as a log record's, under that of the record's target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) scope: &'a InstrumentationScope,
    pub(crate) target: Option<&'a str>,
}

/// A scope, and what it is written as.
#[derive(Debug)]
pub(crate) struct ScopeBytes {
    scope: InstrumentationScope,
    target: Option<Box<str>>,
    /// The `scope` field of `ScopeSpans`, `ScopeMetrics` and `ScopeLogs`.
    pub(super) head: Box<[u8]>,
    /// Their `schema_url` field.
    pub(super) tail: Box<[u8]>,
}

impl ScopeBytes {
    pub(crate) fn new(of: Named<'_>) -> Self {
        let scope = of.scope;
        let mut head = Buffer::default();
        head.nested::<1>(field::SCOPE, |into| {
            into.text(field::NAME, of.target.unwrap_or_else(|| scope.name()));
            into.text(field::VERSION, scope.version().unwrap_or_default());
            for attribute in scope.attributes() {
                into.key_value(field::ATTRIBUTES, attribute);
            }
        });
        let mut tail = Buffer::default();
        tail.text(field::SCHEMA_URL, scope.schema_url().unwrap_or_default());
        Self {
            scope: scope.clone(),
            target: of.target.map(Into::into),
            head: head.as_slice().into(),
            tail: tail.as_slice().into(),
        }
    }

    /// Whether it is this one. The attributes of one scope come in one order: scopes are made once and cloned.
    pub(crate) fn is(&self, of: Named<'_>) -> bool {
        let (mine, theirs) = (&self.scope, of.scope);
        self.target.as_deref() == of.target
            && mine.name() == theirs.name()
            && mine.version() == theirs.version()
            && mine.schema_url() == theirs.schema_url()
            && mine.attributes().eq(theirs.attributes())
    }

    /// Whether both are written alike, and their items may stand together.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || (&self.head, &self.tail) == (&other.head, &other.tail)
    }

    /// What it adds to a body.
    pub(crate) fn weight(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}
