//! What a client's layer was told.

use crate::call::settings::Common;
use crate::head::without_brackets;
use http::Uri;
use obs_core::Labels;
use obs_core::propagation::hosts::is_inside;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) common: Common,
    /// Whether the trace context is written. Attempts do, and not the call around them; unless it was said, not to hosts
    /// outside.
    pub(crate) injects: Option<bool>,
    /// Whom the channel asks, where requests do not say it.
    pub(crate) server: Option<(Arc<str>, Option<u16>)>,
    /// The same as it is recorded: found once, where the settings are leaked.
    pub(crate) labels: Labels,
    /// Whether it may be somebody else's.
    pub(crate) is_foreign: bool,
}

impl Settings {
    /// Whether a request to there carries the trace on.
    #[inline]
    pub(crate) fn injects_to(&self, uri: &Uri) -> bool {
        self.injects.unwrap_or_else(|| match uri.host() {
            Some(host) => is_inside(without_brackets(host)),
            None => !self.is_foreign,
        })
    }
}
