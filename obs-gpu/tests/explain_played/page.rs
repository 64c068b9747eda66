//! The page that has the results.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

const PAGE: &str = "docs/gpu_calls.md";

/// Tests of one program write one after another.
static ONE: Mutex<()> = Mutex::new(());

/// A part of the page is this text. `OBS_WRITE=1` writes it.
#[track_caller]
pub(crate) fn is_up_to_date(part: &str, text: &str) {
    let _one = ONE.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
    let page = fs::read_to_string(&path).expect("the page");
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- /{part} -->\n"));
    let (before, rest) = page.split_once(&begin).expect("its beginning");
    let (is, after) = rest.split_once(&end).expect("its end");
    if is == text {
        return;
    }
    if std::env::var_os("OBS_WRITE").is_some() {
        let page = format!("{before}{begin}{text}{end}{after}");
        fs::write(&path, page).expect("written");
        return;
    }
    panic!("{PAGE} is stale; it is written by OBS_WRITE=1. It should have:\n{text}");
}
