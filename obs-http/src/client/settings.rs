//! What a client's layer was told, as plain data behind one reference.

use super::injection::Injection;
use crate::exchange::settings::Common;
use crate::head::RequestHead;
use obs_core::propagation::Propagator;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) common: Common,
    pub(crate) propagator: &'static Propagator,
    pub(crate) injection: Injection,
    pub(crate) template: Option<Arc<TemplateRule>>,
    pub(crate) addresses: bool,
    pub(crate) user_agent: bool,
    pub(crate) scheme: bool,
    pub(crate) connections: bool,
}

pub(crate) type TemplateRule = dyn for<'a> Fn(RequestHead<'a>) -> Option<&'a str> + Send + Sync;

impl Deref for Settings {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl DerefMut for Settings {
    fn deref_mut(&mut self) -> &mut Common {
        &mut self.common
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("common", &self.common)
            .field("injection", &self.injection)
            .finish_non_exhaustive()
    }
}
