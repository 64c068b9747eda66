//! Tables of a page of `docs` that a test writes, between two marks.

use std::path::PathBuf;

const END: &str = "<!-- endings end -->\n";

/// Compares, or with `OBS_WRITE` in the environment writes.
#[track_caller]
pub(crate) fn hold(page: &str, begin: &str, tables: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let is = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = is.split_once(begin).expect("a mark before the tables");
    let (_, after) = rest.split_once(END).expect("a mark after them");
    let should = format!("{before}{begin}{tables}{END}{after}");
    if is == should {
        return;
    }
    if std::env::var_os("OBS_WRITE").is_some() {
        return std::fs::write(path, should).expect("a page that can be written");
    }
    let mut lines = is.lines().zip(should.lines());
    let differs = lines.find(|(is, should)| is != should);
    panic!("the page is stale, OBS_WRITE=1 writes it: {differs:#?}");
}
