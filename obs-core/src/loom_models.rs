//! Models of everything that shares atomics: each runs the crate's own types through all interleavings of a few threads
//! (`.ci/loom`). What is hot uses relaxed loads and stores, so nothing but these models shows that it adds up.
//!
//! Each model stays small on purpose: the number of interleavings grows with the number of steps, and a model that does
//! not finish shows nothing.

mod families;
mod levels;
mod rings;
mod shards;
mod shared;
