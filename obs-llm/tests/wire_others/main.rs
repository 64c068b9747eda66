//! The formats of Anthropic, Gemini, Ollama and Bedrock.

mod amazon;
mod corpus;
mod hostile;
mod oracle;
#[path = "../wire/properties.rs"]
mod properties;
