//! A child of a process whose spans are being recorded: it hangs nowhere, and sends nothing of its parent's.

use crate::any::plain;
use crate::support::SOON;
use obs_core::Telemetry;
use obs_core::courier::{Capture, DropReason, Signal};
use obs_core::setup::environment::Environment;
use opentelemetry_sdk::trace::SpanProcessor;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[test]
fn a_forked_child_neither_hangs_nor_sends_and_counts_what_it_recorded() {
    let capture = Capture::new();
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_transport(capture.clone())
        .build()
        .expect("usable");
    let processor = telemetry.span_processor();
    let (mut read, mut write) = std::io::pipe().expect("a pipe");
    let over = AtomicBool::new(false);
    let child = thread::scope(|scope| {
        // More threads than stripes, all in the middle of something when the child begins.
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    processor.on_end(plain("parent"));
                }
            });
        }
        let child = match fork::fork().expect("a fork") {
            fork::Fork::Child => {
                for _ in 0..5_000 {
                    processor.on_end(plain("child"));
                }
                let flushed = processor.force_flush().is_err();
                let told = processor
                    .shutdown_with_timeout(Duration::from_millis(100))
                    .is_err();
                let dropped = telemetry.accounts().of(Signal::Traces).dropped;
                let all = dropped.by(DropReason::Forked) >= 5_000;
                let _ = write!(write, "{flushed} {told} {all}");
                // Nothing of the test's harness is the child's.
                std::process::abort();
            }
            fork::Fork::Parent(child) => child,
        };
        over.store(true, Ordering::Relaxed);
        child
    });
    drop(write);
    let (say, said) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = read.read_to_string(&mut text);
        let _ = say.send(text);
    });
    let said = said.recv_timeout(SOON).expect("the child came to its end");
    assert_eq!(
        said, "true true true",
        "flush and shutdown tell, and all are counted"
    );
    fork::waitpid(child).ok();
    telemetry.shutdown(SOON).expect("the parent delivers");
    let batches = capture.take();
    let spans = batches
        .iter()
        .filter(|batch| batch.signal == Signal::Traces);
    assert_eq!(
        spans.map(|batch| batch.items).sum::<u64>(),
        processor.counts().created
    );
}
