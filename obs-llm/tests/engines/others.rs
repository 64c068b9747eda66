//! TensorRT-LLM, TGI, Triton and mistral.rs, of which there are rows.

use crate::pages::{check_histogram, check_numbers, shown};
use obs_llm::engines::{MISTRALRS, TENSORRT_LLM, TGI, TRITON};

#[test]
fn tensorrt_llm() {
    let shown = shown("tensorrt_llm", &TENSORRT_LLM);
    let m = "model=nvidia/Llama-3.1-8B-Instruct-FP8";
    for (name, expect) in [
        ("obs.llm.engine.requests.running", "2"),
        ("obs.llm.engine.requests.waiting", "1"),
        ("obs.llm.engine.kv_cache.usage", "0.25"),
        ("obs.llm.engine.prefix_cache.hits", "128"),
        ("obs.llm.engine.input_tokens", "900"),
        ("obs.llm.engine.output_tokens", "250"),
    ] {
        assert_eq!(shown.numbers(name), [format!("{m} {expect}")], "{name}");
    }
    let finished = [
        format!("finish_reason=length,{m} 2"),
        format!("finish_reason=stop,{m} 6"),
    ];
    assert_eq!(shown.numbers("obs.llm.engine.requests.finished"), finished);
    for (name, expect) in [
        (
            "gen_ai.server.request.duration",
            (&[(0.3, 1), (2.0, 1), (120.0, 1)][..], 66.0),
        ),
        (
            "gen_ai.server.time_to_first_token",
            (&[(0.08, 1), (0.25, 1)], 0.1875),
        ),
        (
            "gen_ai.server.time_per_output_token",
            (&[(0.025, 1), (0.05, 1)], 0.046875),
        ),
        ("obs.llm.engine.queue.duration", (&[(0.3, 1)], 0.125)),
        ("obs.llm.engine.prefill.duration", (&[(0.1, 1)], 0.0625)),
        (
            "obs.llm.engine.decode.duration",
            (&[(0.8, 1), (2.5, 1)], 3.0),
        ),
    ] {
        check_histogram(&shown, name, expect);
    }
    assert!(
        !shown
            .names()
            .contains(&"obs.llm.engine.inter_token.duration")
    );
}

#[test]
fn tgi() {
    let shown = shown("tgi", &TGI);
    for (name, expect) in [
        ("obs.llm.engine.requests.running", " 8"),
        ("obs.llm.engine.requests.waiting", " 5"),
        ("obs.llm.engine.requests.finished", " 18"),
        ("obs.llm.engine.input_tokens", " 300"),
        ("obs.llm.engine.output_tokens", " 70"),
    ] {
        check_numbers(&shown, name, &[expect]);
    }
    let duration = &shown.histograms("gen_ai.server.request.duration")[0];
    assert_eq!(
        (duration.count, duration.sum, duration.bounds.len()),
        (2, 4.5, 35)
    );
    // As the page has it, to the last digit.
    assert_eq!(duration.bounds[2], 0.000_337_499_999_999_999_96);
    let queue = &shown.histograms("obs.llm.engine.queue.duration")[0];
    assert_eq!((queue.count, queue.sum), (2, 0.2509765625));
    // Its mean time per token has the prefill in it.
    for none in [
        "gen_ai.server.time_per_output_token",
        "gen_ai.server.time_to_first_token",
    ] {
        assert!(!shown.names().contains(&none), "{none}");
    }
}

#[test]
fn triton() {
    let shown = shown("triton", &TRITON);
    check_histogram(
        &shown,
        "gen_ai.server.time_to_first_token",
        (&[(0.1, 1), (0.5, 2), (f64::INFINITY, 1)], 8.5625),
    );
    for (name, expect) in [
        (
            "obs.llm.engine.requests.running",
            "index=1,model=tensorrt_llm 4",
        ),
        (
            "obs.llm.engine.requests.waiting",
            "index=1,model=ensemble 4",
        ),
        (
            "obs.llm.engine.kv_cache.usage",
            "index=1,model=tensorrt_llm 0.25",
        ),
    ] {
        check_numbers(&shown, name, &[expect]);
    }
    check_numbers(
        &shown,
        "obs.llm.engine.requests.finished",
        &[
            "finish_reason=error,index=1,model=ensemble 3",
            "index=1,model=ensemble 50",
        ],
    );
    assert!(!shown.names().contains(&"gen_ai.server.request.duration"));
}

#[test]
fn mistralrs() {
    let shown = shown("mistralrs", &MISTRALRS);
    for (name, expect) in [
        ("obs.llm.engine.requests.running", " 2"),
        ("obs.llm.engine.requests.waiting", " 1"),
        ("obs.llm.engine.requests.finished", " 9"),
        ("obs.llm.engine.prefix_cache.hits", " 96"),
        ("obs.llm.engine.input_tokens", " 640"),
        ("obs.llm.engine.output_tokens", " 320"),
    ] {
        check_numbers(&shown, name, &[expect]);
    }
    check_histogram(
        &shown,
        "gen_ai.server.time_to_first_token",
        (&[(0.08, 1), (0.25, 1)], 0.1875),
    );
    check_histogram(
        &shown,
        "obs.llm.engine.inter_token.duration",
        (&[(0.025, 1), (0.3, 1)], 0.265625),
    );
    assert_eq!(shown.histograms("gen_ai.server.request.duration").len(), 2);
    // A summary is no histogram, and two gauges are no part of one another.
    for none in [
        "obs.llm.engine.queue.duration",
        "obs.llm.engine.kv_cache.usage",
    ] {
        assert!(!shown.names().contains(&none), "{none}");
    }
}
