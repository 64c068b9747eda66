//! Every name this crate's families emit, by group. Each group states the version of the conventions it follows; names
//! of ours, where no standard exists, begin with `obs.` and stand in [`obs`].

/// The schema of the stable groups below.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

macro_rules! names {
    ($($(#[$doc:meta])* $konst:ident = $name:literal;)*) => {
        $($(#[$doc])* pub const $konst: crate::attributes::Key = crate::attributes::Key::new(&$name);)*
        /// All attribute names of the group.
        pub const ALL: &[crate::attributes::Key] = &[$($konst),*];
    };
}

pub mod code;
pub mod container;
pub mod db;
pub mod dialects;
pub mod exception;
pub mod gen_ai;
pub mod http;
pub mod hw;
pub mod mcp;
pub mod network;
pub mod obs;
pub mod otel;
pub mod process;
pub mod resource;
pub mod rpc;
pub mod session;
pub mod stability;
pub mod system;
pub mod user;

pub use stability::{Stability, stability};
