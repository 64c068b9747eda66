//! obs-http.
