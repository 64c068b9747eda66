//! What a call is charged by, and who knows the price or counts the tokens.

use crate::usage::Usage;
use std::fmt::Debug;
use std::sync::Arc;

/// What one call is charged by. It borrows all of it: it is made where a call ends, and nothing of it is kept.
///
/// ```
/// use obs_llm::{Bill, Tokens, Usage};
///
/// let usage = Usage::new().with(Tokens::Input, 1_000).with(Tokens::Output, 200);
/// let bill = Bill::new("openai", "chat", &usage)
///     .with_request_model(Some("gpt-4o"))
///     .with_response_model(Some("gpt-4o-2024-08-06"));
/// assert!(!bill.batch);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Bill<'a> {
    /// `gen_ai.provider.name`: who serves.
    pub provider: &'a str,
    /// `gen_ai.operation.name`: `chat`, `embeddings`, and so on.
    pub operation: &'a str,
    /// The model that was asked for.
    pub request_model: Option<&'a str>,
    /// The model that answered, as it says itself.
    pub response_model: Option<&'a str>,
    /// The tier that served, as the provider names it: `default`, `priority`, `flex`, `batch`, `standard`. That of the answer,
    /// where it tells one, since a request that asks for a better tier does not always get it; else that of the request.
    pub service_tier: Option<&'a str>,
    /// The host that served, for prices that depend on where that is.
    pub server_address: Option<&'a str>,
    /// The tokens, as the provider told them.
    pub usage: &'a Usage,
    /// The call is one of a batch, which providers sell at another price.
    pub batch: bool,
    /// When it was made, in seconds since the Unix epoch, for prices that depend on the hour; unknown means the dearer hours.
    pub unix_seconds: Option<u64>,
}

impl<'a> Bill<'a> {
    /// For a call of this provider, with these tokens and no model.
    pub const fn new(provider: &'a str, operation: &'a str, usage: &'a Usage) -> Self {
        Self {
            provider,
            operation,
            request_model: None,
            response_model: None,
            service_tier: None,
            server_address: None,
            usage,
            batch: false,
            unix_seconds: None,
        }
    }

    /// With the model that was asked for.
    #[must_use]
    pub const fn with_request_model(mut self, model: Option<&'a str>) -> Self {
        self.request_model = model;
        self
    }

    /// With the model that answered.
    #[must_use]
    pub const fn with_response_model(mut self, model: Option<&'a str>) -> Self {
        self.response_model = model;
        self
    }

    /// With the tier that served.
    #[must_use]
    pub const fn with_service_tier(mut self, tier: Option<&'a str>) -> Self {
        self.service_tier = tier;
        self
    }

    /// With the host that served.
    #[must_use]
    pub const fn with_server_address(mut self, host: Option<&'a str>) -> Self {
        self.server_address = host;
        self
    }

    /// As one of a batch, or not.
    #[must_use]
    pub const fn with_batch(mut self, batch: bool) -> Self {
        self.batch = batch;
        self
    }

    /// With the time at which it was made, in seconds since the Unix epoch.
    #[must_use]
    pub const fn with_unix_seconds(mut self, seconds: Option<u64>) -> Self {
        self.unix_seconds = seconds;
        self
    }
}

/// Who knows what a call costs. Asked once, where the call ends: it has microseconds, and may neither block nor panic.
pub trait Price: Send + Sync + Debug {
    /// What it costs, in US dollars; `None` if that is not known, which is not zero.
    fn price(&self, bill: &Bill<'_>) -> Option<f64>;
}

/// Who counts the tokens of a text here, where the provider told none. What is counted so is an estimate: no provider says how
/// it renders a conversation, and none is charged by a stranger's count.
pub trait CountTokens: Send + Sync + Debug {
    /// How many tokens this text is for this model; `None` if the model's tokens are not known, which is not zero.
    fn count(&self, model: &str, text: &str) -> Option<u64>;
}

impl<P: Price + ?Sized> Price for Arc<P> {
    fn price(&self, bill: &Bill<'_>) -> Option<f64> {
        (**self).price(bill)
    }
}

impl<C: CountTokens + ?Sized> CountTokens for Arc<C> {
    fn count(&self, model: &str, text: &str) -> Option<u64> {
        (**self).count(model, text)
    }
}
