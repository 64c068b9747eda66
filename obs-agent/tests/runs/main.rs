//! Runs and their handlers, through the public interface alone.

mod branches;
mod contained;
mod endings;
mod everywhere;
mod inputs;
mod kept;
mod operations;
mod order;
mod parents;
mod recorded;
mod streams;
mod wanted;
