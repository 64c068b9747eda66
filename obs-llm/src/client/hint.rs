//! What a request asks for, said beside it.

use std::sync::Arc;

/// The model that a request asks for, as an extension of the request: for those that fail before their body is sent, and for
/// bodies that cannot be read. What the body says, when it passes, counts more.
///
/// ```
/// use obs_llm::client::ModelHint;
///
/// let request = http::Request::post("https://api.openai.com/v1/chat/completions")
///     .extension(ModelHint::from("gpt-4o"))
///     .body(r#"{"model":"gpt-4o","messages":[]}"#)?;
/// # let _ = request;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelHint(Arc<str>);

impl ModelHint {
    /// The model's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for ModelHint {
    fn from(model: T) -> Self {
        Self(model.into())
    }
}
