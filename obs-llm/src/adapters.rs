//! Client libraries with types of their own: an adapter for each that has a place for one, and what to do for any other.

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
