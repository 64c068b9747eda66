//! Tokens counted here, where the provider told none.

use super::LlmCall;
use crate::content::Finished;
use crate::descriptor::{MODEL, PROVIDER, RESPONSE_MODEL};
use crate::estimate::ChatOverhead;
use crate::provider::Provider;
use crate::usage::{Tokens, Usage};
use obs_core::semconv::obs;
use obs_core::{End, Outcome};

impl LlmCall {
    /// Counts what was seen, if that is asked for and the provider told nothing of it.
    pub(super) fn estimate(&mut self, said: Option<&Finished>, outcome: Outcome) {
        let estimator = self.rare.as_mut().and_then(|rare| rare.estimator.take());
        let Some(mut estimator) = estimator else {
            return;
        };
        // What was refused, or never got there, used nothing. What was left before its first chunk may have been read.
        let is_left = matches!(outcome.end(), End::Cancelled | End::TimedOut);
        if outcome.is_error() && !is_left && self.pace.counted() == 0 {
            return;
        }
        let told = |tokens| self.usage.get(tokens).is_some();
        let (input, output) = (told(Tokens::Input), told(Tokens::Output));
        let (shared, kind) = (self.shared, self.kind);
        let (Some(counter), false) = (&shared.settings.estimates, input && output) else {
            return;
        };
        let Some(mut active) = self.operation.active() else {
            return;
        };
        // Of a model under a name of the user's the answer knows the right one.
        let models = [RESPONSE_MODEL, MODEL].map(|label| active.label_value(label));
        let provider = active.label_value(PROVIDER);
        let is_openai = provider.is_some_and(|provider| {
            let name = provider.to_text();
            let known = [Provider::OPENAI, Provider::AZURE_AI_OPENAI];
            known.iter().any(|known| known.as_str() == name)
        });
        let overhead = match is_openai {
            true => ChatOverhead::OPENAI,
            false => ChatOverhead::NONE,
        };
        let mut usage = Usage::new();
        for model in models.iter().flatten() {
            let model = model.to_text();
            let estimate = kind.contain(None, || estimator.count(&model, counter));
            let Some(estimate) = estimate else { continue };
            if !output {
                usage = estimate.usage();
            }
            let counted = said.filter(|_| !input).and_then(|said| {
                kind.contain(None, || said.input_tokens(&model, overhead, counter))
            });
            if let Some(counted) = counted {
                usage.set(Tokens::Input, counted);
            }
            break;
        }
        if usage.is_empty() {
            return;
        }
        active.set(obs::LLM_USAGE_ESTIMATED, true);
        for (tokens, key) in [
            (Tokens::Input, obs::LLM_ESTIMATED_INPUT_TOKENS),
            (Tokens::Output, obs::LLM_ESTIMATED_OUTPUT_TOKENS),
        ] {
            if let Some(count) = usage.get(tokens) {
                active.set(key, i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        if shared.settings.counts_estimates {
            self.usage.update(&usage);
        }
    }
}
