//! stub
/// stub
pub fn with_threshold(_text: &str, _th: Option<u64>, _into: &mut String) {}
