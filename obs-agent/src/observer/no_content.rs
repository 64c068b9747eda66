//! Without the feature `content` nothing of what is said is looked at.

use super::Shared;
use crate::input::{Input, ModelInput};
use crate::output::{ModelChunk, ModelOutput, Output};
use obs_core::{Active, Telemetry};
use obs_llm::{Llm, LlmCall};

pub(super) struct Contents;

impl Contents {
    pub(super) const fn new(_: &Telemetry, _: &Llm) -> Self {
        Self
    }
}

impl Shared {
    pub(super) fn tell_input(&self, _: &mut Active<'_>, _: &Input<'_>) {
        let Contents = &self.contents;
    }

    pub(super) fn tell_output(&self, _: &mut Active<'_>, _: &Output<'_>) {}
}

pub(super) const fn asked(_: &mut LlmCall, _: &ModelInput<'_>) {}

pub(super) const fn answered(_: &mut LlmCall, _: &ModelOutput<'_>) {}

pub(super) const fn piece(_: &mut LlmCall, _: &ModelChunk<'_>) {}
