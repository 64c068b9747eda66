//! The recorder of a server of models, driven by hand on a clock that stands still until it is moved.

mod chance;
mod endings;
mod kinds;
mod labels;
mod life;
mod slow;
mod support;
mod threads;
mod tokens;
