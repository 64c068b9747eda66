//! What the user's spans hold while nobody takes them: the bytes that were allowed, however large the spans are.
//!
//! A binary of its own: it counts the live heap of the whole process.
#![cfg(feature = "sdk")]

use obs_core::courier::{Capture, Sent, Settings};
use obs_core::otel::KeyValue;
use obs_core::otel::trace::{Tracer, TracerProvider};
use obs_core::setup::environment::Environment;
use obs_core::{Delivery, Telemetry};
use opentelemetry_sdk::trace::SdkTracerProvider;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::thread;
use std::time::Duration;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn live_heap() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// With the SDK's own processor and exporter 5,000 spans with an attribute of 256 KiB were 931 MB.
#[test]
fn five_thousand_spans_of_any_size_hold_no_more_than_the_queue_is_allowed() {
    const ROOM: usize = 16 << 20;
    const THREADS: usize = 4;
    for attribute in [1 << 10, 16 << 10, 256 << 10] {
        let dead = Capture::new().with_answer(|_| Sent::retry("nobody listens"));
        let settings = Settings::default().with_capacity_bytes(ROOM);
        let telemetry = Telemetry::builder()
            .with_environment(Environment::default())
            .with_delivery(Delivery::through(dead).with_settings(settings))
            .build()
            .expect("usable");
        let processor = telemetry.span_processor();
        let tracers = SdkTracerProvider::builder()
            .with_span_processor(processor.clone())
            .build();
        let before = live_heap();
        let most = thread::scope(|scope| {
            let record = || {
                let tracer = tracers.tracer("memory");
                let mut most = 0;
                for _ in 0..5_000 / THREADS {
                    let text = KeyValue::new("prompt", "x".repeat(attribute));
                    drop(
                        tracer
                            .span_builder("call")
                            .with_attributes([text])
                            .start(&tracer),
                    );
                    most = most.max(live_heap());
                }
                most
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(record)).collect();
            let most = threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"));
            most.max().unwrap_or_default()
        });
        // What one span takes while it is made, encoded, and made a body of, on each thread; and stripes with their spares.
        let in_hand = THREADS * 6 * attribute + 16 * (256 << 10);
        let held = most.saturating_sub(before);
        assert!(
            held <= ROOM + ROOM / 20 + in_hand,
            "attribute {attribute}: held {held} of {ROOM}, {in_hand} in hand"
        );
        let counts = processor.counts();
        assert_eq!((counts.created, counts.dropped()), (5_000, 0));
        assert!(tracers.shutdown_with_timeout(Duration::ZERO).is_err());
        assert!(telemetry.shutdown(Duration::ZERO).is_err());
    }
}
