//! Pages whose programs are run and whose tables are held against what arrives.
//!
//! The programs of the pages are this crate's binaries. Its tests run each as a process of its own, send it the same few
//! requests, and hold the page against what it printed, exported and showed.

pub mod page;
pub mod program;
