//! Client libraries with types of their own: an adapter for each that has a place for one, and what to do for any other.

#[cfg(feature = "async-openai")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-openai")))]
pub mod async_openai;
