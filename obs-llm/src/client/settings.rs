//! What a layer is told.

use crate::descriptor::LlmOperation;
use crate::llm::Shared;
use crate::provider::Provider;
use crate::wire::{Recognised, Wire, of_path};
use http::Uri;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) provider: Option<Provider>,
    pub(crate) wire: Option<(Wire, LlmOperation)>,
    pub(crate) address: Option<(Box<str>, Option<u16>)>,
    pub(crate) deadline: Option<Duration>,
}

/// The settings of one layer, for as long as the program runs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) llm: &'static Shared,
    pub(crate) told: Told,
}

/// What is known of a request before its body passes.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) wire: Wire,
    pub(crate) operation: LlmOperation,
    pub(crate) by_path: Option<Recognised<'a>>,
}

impl Settings {
    /// Whether a request asks a model for something, and what: its path says it, else the setting.
    pub(crate) fn recognise<'a>(&self, uri: &'a Uri) -> Option<Known<'a>> {
        let by_path = of_path(uri.path(), uri.query());
        if let Some(by_path) = by_path {
            let operation = LlmOperation::named(by_path.operation)?;
            return Some(Known {
                wire: by_path.wire,
                operation,
                by_path: Some(by_path),
            });
        }
        let (wire, operation) = self.told.wire?;
        Some(Known {
            wire,
            operation,
            by_path: None,
        })
    }
}
