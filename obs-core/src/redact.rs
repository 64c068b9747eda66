//! What keeps secrets out of what is exported.

#[doc(hidden)]
pub mod names;
