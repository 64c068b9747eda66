//! Runs and their handlers, through the public interface alone.

mod endings;
mod order;
mod parents;
mod recorded;
mod streams;
