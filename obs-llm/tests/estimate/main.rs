//! Tokens counted here, for calls whose provider told none.

mod estimator;
mod openai;
mod tokenizer;
