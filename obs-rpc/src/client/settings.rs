//! What a client's layer was told.

use crate::call::settings::Common;
use obs_core::Labels;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) common: Common,
    /// Whether the trace context is written. Attempts do, and not the call around them.
    pub(crate) injects: bool,
    /// Whom the channel asks, where requests do not say it.
    pub(crate) server: Option<(Arc<str>, Option<u16>)>,
    /// The same as it is recorded: found once, where the settings are leaked.
    pub(crate) labels: Labels,
}

impl Settings {
    pub(crate) fn filter(&self, head: crate::CallHead<'_>) -> bool {
        self.common
            .filter
            .as_ref()
            .is_none_or(|filter| filter(head))
    }
}
