//! The corpus of the fuzz targets, read by the properties.

use crate::properties;
use obs_core::propagation::traceparent;
use obs_core::propagation::tracestate;
use std::fs;
use std::path::Path;

#[track_caller]
fn replay(name: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    let mut inputs = 0;
    for file in fs::read_dir(&folder).expect("the corpus is committed") {
        check(&fs::read(file.expect("readable").path()).expect("readable"));
        inputs += 1;
    }
    assert!(inputs >= 20, "{inputs} inputs in {}", folder.display());
}

#[test]
fn traceparent() {
    replay("traceparent", |input| {
        properties::traceparent::check(traceparent::parse, input)
    });
}

#[test]
fn tracestate() {
    replay("tracestate", |input| {
        properties::tracestate::check(
            |headers, out| tracestate::combine(headers.iter().copied(), out),
            input,
        );
    });
}

#[test]
fn baggage() {
    replay("baggage", |input| {
        properties::baggage::check(properties::baggage::parse, input)
    });
}
