//! Frameworks of agents: an adapter for each that has a place for one, and what to do for any other.
//!
//! | framework | what it has a place for | here |
//! |---|---|---|
//! | rig 0.44 | hooks of a run, handlers of its bus | `rig` (feature `rig`) |
//! | a loop by hand over async-openai or genai | nothing above the call of the model | by hand, below |
//! | any other | – | by hand, below |

#[cfg(feature = "rig")]
#[cfg_attr(docsrs, doc(cfg(feature = "rig")))]
pub mod rig;
