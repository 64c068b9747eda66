//! The wires of Anthropic, Gemini, Ollama and Bedrock.

mod amazon;
mod corpus;

mod told;
