//! Client libraries with types of their own: an adapter for each that has a place for one, and what to do for any other.
//!
//! | library | what it has a place for | here |
//! |---|---|---|
//! | async-openai 0.43 | a tower service that sends its requests | `async_openai` (feature `async-openai`) |
//! | genai 0.7 | a sink for the frames of a stream | `genai` (feature `genai`): a client around theirs |
//! | rig 0.44 | a wire and a transport beneath each model | `rig` (feature `rig`): a layer around models, in agents too |
//! | any that sends through a client for HTTP of yours | layers around that client | [`client`](crate::client) |
//! | any other | nothing | `any` (feature `stream`): by hand, in a few lines |
//!
//! An adapter tells the same of a call as [`LlmClientLayer`](crate::LlmClientLayer) does, ends it in the same ways, and records what
//! is said under the same condition: that the [`Llm`](crate::Llm) asks for it. Several of them at once, or the layer around the
//! HTTP client beneath an adapter, make one call: within a call that is observed already, however deep, the others do nothing. That
//! holds for another model too, which a layer between asks on the way, a guard say (of embeddings for an inference by
//! [`Dialect::V1_41`](crate::Dialect) alone): what is to count apart stands outside of the call. What is served for the call in the
//! same process does.
//!
//! Two things are needed for that. What a layer between hands to a task of its own, as tower's `Buffer` does, is within the call no
//! more, unless it [is made part of it](obs_core::current::wrap) there. And all of them are of one [dialect](crate::Dialect): names of
//! the other tell another story, and who asks for both is told both.

#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub mod any;
#[cfg(feature = "async-openai")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-openai")))]
pub mod async_openai;
#[cfg(feature = "genai")]
#[cfg_attr(docsrs, doc(cfg(feature = "genai")))]
pub mod genai;
#[cfg(feature = "rig")]
#[cfg_attr(docsrs, doc(cfg(feature = "rig")))]
pub mod rig;

#[cfg(any(feature = "genai", feature = "rig"))]
mod framed;
#[cfg(any(feature = "genai", feature = "rig"))]
mod within;
