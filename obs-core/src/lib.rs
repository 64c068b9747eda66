//! obs-core.
