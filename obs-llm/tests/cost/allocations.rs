//! Pricing a call allocates nothing.

use crate::support::{prices, usage};
use obs_llm::{Bill, Price, Tokens};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: it forwards to the system's allocator and counts in a thread-local without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of `dealloc`, and all memory is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_call_is_priced_without_allocating_however_it_is_found() {
    let prices = prices();
    let usage = usage(&[
        (Tokens::Input, 1_000),
        (Tokens::Output, 100),
        (Tokens::CacheRead, 10),
    ]);
    let models = [
        ("openai", "vega-2", true),
        ("azure.ai.openai", "VEGA-2-2099-01-01", true),
        ("aws.bedrock", "us.verse.stanza-4-20260101-v1:0", true),
        ("gcp.gen_ai", "models/castor-2-001", true),
        ("abyss", "abyss-v9", true),
        ("openai", "nobody-2026-01-01", false),
        ("nobody", "\u{e9}tude", false),
    ];
    let price = |(provider, model, known): (&str, &str, bool)| {
        let bill = Bill::new(provider, "chat", &usage)
            .with_response_model(Some(model))
            .with_service_tier(Some("priority"))
            .with_unix_seconds(Some(1_795_392_000));
        assert_eq!(prices.price(&bill).is_some(), known, "{model}");
    };
    models.into_iter().for_each(price);
    let before = COUNT.get();
    for _ in 0..100 {
        models.into_iter().for_each(price);
    }
    assert_eq!(COUNT.get() - before, 0);
}
