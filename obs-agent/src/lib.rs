//! What an agent does, told to whoever wants to know: which node ran, why a tool was called, what each turn cost.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapters;
mod component;
mod contain;
pub mod current;
pub mod descriptor;
mod failure;
mod handler;
mod handlers;
pub mod input;
#[cfg(feature = "normalise")]
#[cfg_attr(docsrs, doc(cfg(feature = "normalise")))]
pub mod normalise;
mod observer;
pub mod output;
mod run;
pub mod session;
#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub mod stream;
mod text;

pub use component::Component;
pub use failure::{RunEnd, RunError};
pub use handler::{Handler, InputTap, State, Timings};
pub use handlers::{Handlers, InputTaps, Run, append_global};
pub use input::Input;
pub use observer::AgentObserver;
pub use output::{Item, Output};
pub use run::{RunId, RunInfo, RunParent, RunRef, Starting};
#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub use stream::{ObservedInput, ObservedStream, Tap};
pub use text::Text;

pub use obs_core;
pub use obs_llm;
