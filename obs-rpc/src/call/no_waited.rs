//! In the place of the connector's: nobody knows of its connections.

use super::flow::Flow;
use http::Extensions;
use obs_core::Active;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Waited;

impl Waited {
    pub(crate) const fn new(_: &Active<'_>) -> Self {
        Self
    }

    pub(crate) const fn sent(&self) {}

    pub(crate) const fn never_sent(&self) {}

    pub(crate) const fn tell(&self, _: &mut Active<'_>, _: bool) {}
}

#[inline(always)]
pub(crate) const fn announce(_: &Arc<Flow>, _: &mut Extensions) {}
