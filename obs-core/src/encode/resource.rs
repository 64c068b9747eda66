//! Who is speaking, encoded once.

use super::protobuf::Buffer;
use opentelemetry::{Key, Value};
use std::sync::Arc;

/// A resource as the bytes that every request begins with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ResourceBytes {
    /// The `resource` field of `ResourceSpans`, `ResourceMetrics` and `ResourceLogs`.
    pub(crate) head: Arc<[u8]>,
    /// Their `schema_url` field.
    pub(crate) tail: Arc<[u8]>,
}

impl ResourceBytes {
    /// Encodes the attributes of a resource and the schema that their names follow.
    pub fn new<'a>(
        attributes: impl IntoIterator<Item = (&'a Key, &'a Value)>,
        schema_url: Option<&str>,
    ) -> Self {
        const RESOURCE: u8 = 1;
        const ATTRIBUTES: u8 = 1;
        const SCHEMA_URL: u8 = 3;
        let mut head = Buffer::default();
        head.nested::<2>(RESOURCE, |resource| {
            for (key, value) in attributes {
                resource.pair(ATTRIBUTES, key.as_str(), value);
            }
        });
        let mut tail = Buffer::default();
        tail.text(SCHEMA_URL, schema_url.unwrap_or_default());
        Self {
            head: head.as_slice().into(),
            tail: tail.as_slice().into(),
        }
    }

    /// Fields of somebody else's `Resource…`, as they are.
    #[cfg(feature = "http-client")]
    pub(crate) fn raw(fields: &[u8]) -> Self {
        Self {
            head: fields.into(),
            tail: Arc::default(),
        }
    }

    /// What it adds to each body.
    #[cfg(feature = "sdk")]
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}
