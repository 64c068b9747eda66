//! Another exporter's page.

use obs_core::Telemetry;
use std::fmt;
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

    /// Its page of now: an empty one where its exporter panics, which is counted and no reason for a scrape to fail.
    pub(super) fn render(&self, telemetry: &Telemetry) -> String {
        telemetry.contain(String::new(), || (self.render)())
    }
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Joined").field(&self.name).finish()
    }
}
