//! Another exporter's page.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[derive(Clone)]
pub(super) struct Joined {
    pub(super) name: &'static str,
    render: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Joined {
    pub(super) fn new(
        name: &'static str,
        render: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            render: Arc::new(render),
        }
    }

    /// Its page of now: an empty one where its exporter panics, which is no reason for a scrape to fail.
    pub(super) fn render(&self) -> String {
        catch_unwind(AssertUnwindSafe(|| (self.render)())).unwrap_or_default()
    }
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Joined").field(&self.name).finish()
    }
}
