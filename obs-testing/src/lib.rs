//! obs-testing.
