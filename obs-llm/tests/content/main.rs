//! Prompts and answers: where they go, what is left out, and that nothing of them is anywhere unless it is asked for.

mod caps;
mod estimates;
mod hostile;
mod secrets;
mod support;
mod wires;
