//! What all models of one layer share.

use crate::llm::Llm;
use crate::provider::Provider;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) llm: Llm,
    pub(super) provider: Option<Provider>,
    pub(super) server: Option<(String, Option<u16>)>,
    pub(super) deadline: Option<Duration>,
}
