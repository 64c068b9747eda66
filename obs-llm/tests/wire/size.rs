//! What a scanner costs while it waits.

use obs_llm::wire::ResponseScanner;

#[test]
fn a_scanner_is_small() {
    let size = size_of::<ResponseScanner>();
    assert!(size <= 320, "{size} bytes");
}
