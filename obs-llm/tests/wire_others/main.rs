//! The wires of Anthropic, Gemini, Ollama and Bedrock.

mod amazon;
mod corpus;
mod hostile;
mod oracle;
mod told;
