//! vLLM, SGLang, Dynamo, xLLM and llama.cpp: what their pages become.

use crate::server::Server;
use crate::{Rig, Shown, corpus};
use obs_core::LabelValue;
use obs_core::metrics::HistogramPoint;
use obs_llm::engines::{
    DYNAMO, DYNAMO_COMPONENT, LLAMACPP, Mapping, SGLANG, ScrapeTarget, VLLM, XLLM,
};

pub(crate) const CREATED: u64 = 1_764_000_000_000_000_000;

/// What a page of the corpus becomes. Nothing of it is out of the ordinary.
#[track_caller]
pub(crate) fn shown(name: &str, mapping: &Mapping) -> Shown {
    let server = Server::page(corpus(name));
    let shown = Rig::of(&server, mapping).scrape();
    assert_eq!(shown.number("obs.llm.engine.up"), 1.0);
    assert_eq!((shown.errors(), shown.anomalies()), (vec![], vec![]));
    shown
}

/// Upper limits of the buckets that a histogram has, with how many values are in each that has any; and the sum. The last
/// one's limit is infinite.
pub(crate) fn filled(point: &HistogramPoint) -> (Vec<(f64, u64)>, f64) {
    let limits = point.bounds.iter().copied().chain([f64::INFINITY]);
    let filled = limits.zip(point.buckets.iter().copied());
    (filled.filter(|(_, count)| *count > 0).collect(), point.sum)
}

#[track_caller]
pub(crate) fn check_histogram(shown: &Shown, name: &str, expect: (&[(f64, u64)], f64)) {
    let points = shown.histograms(name);
    assert_eq!(points.len(), 1, "{name}: {points:?}");
    let (buckets, sum) = filled(&points[0]);
    assert_eq!((&buckets[..], sum), expect, "{name}");
}

#[track_caller]
pub(crate) fn check_numbers(shown: &Shown, name: &str, expect: &[&str]) {
    assert_eq!(shown.numbers(name), expect, "{name}");
}

/// Of a histogram the point of one of several engines behind a page.
fn of_index(shown: &Shown, name: &str, index: &str) -> HistogramPoint {
    let is = |point: &&HistogramPoint| {
        let index = LabelValue::Text(index.into());
        let mut attributes = point.attributes.iter();
        attributes.any(|(key, value)| key == "obs.llm.engine.index" && *value == index)
    };
    let points = shown.histograms(name);
    points
        .iter()
        .find(is)
        .expect("a point of that engine")
        .clone()
}

#[test]
fn vllm() {
    let shown = shown("vllm", &VLLM);
    let m = "model=Qwen/Qwen3-8B";
    let both = |first: &str, second: &str| {
        [
            format!("index=0,{m} {first}"),
            format!("index=1,{m} {second}"),
        ]
    };
    for (name, first, second) in [
        ("obs.llm.engine.requests.running", "3", "1"),
        ("obs.llm.engine.requests.waiting", "2", "0"),
        ("obs.llm.engine.kv_cache.usage", "0.375", "0.125"),
        ("obs.llm.engine.prefix_cache.queries", "4096", "1024"),
        ("obs.llm.engine.prefix_cache.hits", "3072", "0"),
        ("obs.llm.engine.preemptions", "2", "0"),
        ("obs.llm.engine.input_tokens", "5000", "1200"),
        ("obs.llm.engine.output_tokens", "700", "90"),
    ] {
        assert_eq!(shown.numbers(name), both(first, second), "{name}");
    }
    check_numbers(
        &shown,
        "obs.llm.engine.requests.finished",
        &[
            "finish_reason=abort,index=0,model=Qwen/Qwen3-8B 1",
            "finish_reason=length,index=0,model=Qwen/Qwen3-8B 2",
            "finish_reason=stop,index=0,model=Qwen/Qwen3-8B 4",
            "finish_reason=stop,index=1,model=Qwen/Qwen3-8B 1",
        ],
    );
    // Values that were observed: 0.0625, 0.125, 0.5 and 31.25 seconds.
    let first = of_index(&shown, "gen_ai.server.time_to_first_token", "0");
    assert_eq!(
        filled(&first),
        (vec![(0.08, 1), (0.25, 1), (0.5, 1), (40.0, 1)], 31.9375)
    );
    // Limits as vLLM has them, up to those that the convention does not have.
    assert_eq!(first.bounds.len(), 22);
    assert_eq!(first.bounds[16..], [20.0, 40.0, 80.0, 160.0, 640.0, 2560.0]);
    // Since when they count is what the page says, which is before the telemetry began.
    assert_eq!(first.start_unix_nanos, CREATED);
    assert!(first.unix_nanos > first.start_unix_nanos);
    // One value per request here, one per token there.
    let per_request = of_index(&shown, "gen_ai.server.time_per_output_token", "0");
    assert_eq!(
        filled(&per_request),
        (vec![(0.025, 1), (0.05, 1)], 0.046875)
    );
    let per_token = of_index(&shown, "obs.llm.engine.inter_token.duration", "0");
    assert_eq!(filled(&per_token), (vec![(0.025, 6), (0.3, 1)], 0.34375));
    for (name, expect) in [
        (
            "gen_ai.server.request.duration",
            (vec![(0.3, 1), (2.0, 1), (120.0, 1)], 66.0),
        ),
        (
            "obs.llm.engine.queue.duration",
            (vec![(0.3, 2), (40.0, 1)], 30.875),
        ),
        (
            "obs.llm.engine.prefill.duration",
            (vec![(0.3, 1), (0.5, 1)], 0.4375),
        ),
        (
            "obs.llm.engine.decode.duration",
            (vec![(0.8, 1), (50.0, 1)], 41.25),
        ),
    ] {
        assert_eq!(filled(&of_index(&shown, name, "0")), expect, "{name}");
    }
}

#[test]
fn an_older_vllm_says_the_same_by_other_names() {
    let page = corpus("vllm")
        .replace(
            "vllm:inter_token_latency_seconds",
            "vllm:time_per_output_token_seconds",
        )
        .replace("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
        .replace("vllm:prefix_cache_", "vllm:gpu_prefix_cache_")
        .replace(
            "vllm:request_time_per_output_token_seconds",
            "vllm:something_else",
        );
    let server = Server::page(page);
    let older = Rig::of(&server, &VLLM).scrape();
    let per_token = of_index(&older, "obs.llm.engine.inter_token.duration", "0");
    assert_eq!(filled(&per_token), (vec![(0.025, 6), (0.3, 1)], 0.34375));
    // What is per token is no time of requests, whatever it was called.
    assert!(
        older
            .histograms("gen_ai.server.time_per_output_token")
            .is_empty()
    );
    let newer = shown("vllm", &VLLM);
    for name in [
        "obs.llm.engine.kv_cache.usage",
        "obs.llm.engine.prefix_cache.queries",
        "obs.llm.engine.prefix_cache.hits",
    ] {
        assert_eq!(older.numbers(name), newer.numbers(name));
    }
}

#[test]
fn sglang() {
    let shown = shown("sglang", &SGLANG);
    let m = "model=meta-llama/Llama-3.1-8B-Instruct";
    // Two ranks said the same of the same requests.
    for (name, expect) in [
        ("obs.llm.engine.requests.running", "5"),
        ("obs.llm.engine.requests.waiting", "7"),
        ("obs.llm.engine.kv_cache.usage", "0.4375"),
        ("obs.llm.engine.preemptions", "3"),
        // Streamed or not, from the device or the host.
        ("obs.llm.engine.input_tokens", "2000"),
        ("obs.llm.engine.output_tokens", "300"),
        ("obs.llm.engine.prefix_cache.hits", "500"),
    ] {
        assert_eq!(shown.numbers(name), [format!("{m} {expect}")], "{name}");
    }
    let finished = [format!("finish_reason=abort,{m} 2"), format!("{m} 13")];
    assert_eq!(shown.numbers("obs.llm.engine.requests.finished"), finished);
    check_histogram(
        &shown,
        "gen_ai.server.time_to_first_token",
        (&[(0.1, 1), (0.4, 1), (0.6, 1), (20.0, 1)], 16.8125),
    );
    check_histogram(
        &shown,
        "gen_ai.server.request.duration",
        (&[(0.8, 1), (2.0, 1), (40.0, 1)], 34.25),
    );
    check_histogram(
        &shown,
        "obs.llm.engine.inter_token.duration",
        (&[(0.008, 4), (0.4, 1)], 0.28125),
    );
    check_histogram(
        &shown,
        "obs.llm.engine.queue.duration",
        (&[(0.1, 1), (0.5, 1), (15.0, 1)], 12.9375),
    );
    check_histogram(
        &shown,
        "obs.llm.engine.prefill.duration",
        (&[(0.1, 1), (1.0, 1)], 0.5625),
    );
    // A mean of tokens is no mean of requests, and a rate is no count.
    for none in [
        "gen_ai.server.time_per_output_token",
        "obs.llm.engine.decode.duration",
        "obs.llm.engine.prefix_cache.queries",
    ] {
        assert!(!shown.names().contains(&none), "{none}");
    }
}

#[test]
fn an_older_sglang_has_one_pool() {
    let page = corpus("sglang").replace("sglang:full_token_usage", "sglang:something_else");
    let server = Server::page(page);
    let shown = Rig::of(&server, &SGLANG).scrape();
    check_numbers(
        &shown,
        "obs.llm.engine.kv_cache.usage",
        &["model=meta-llama/Llama-3.1-8B-Instruct 0.5"],
    );
}

#[test]
fn sglang_with_priorities_counts_nothing_twice() {
    let all = "sglang:num_queue_reqs{model_name=\"m\",priority=\"\",tp_rank=\"0\"} 7\n";
    let each = "sglang:num_queue_reqs{model_name=\"m\",priority=\"1\",tp_rank=\"0\"} 4\n\
                sglang:num_queue_reqs{model_name=\"m\",priority=\"2\",tp_rank=\"0\"} 3\n";
    let server = Server::page(format!("{all}{each}"));
    let shown = Rig::of(&server, &SGLANG).scrape();
    check_numbers(&shown, "obs.llm.engine.requests.waiting", &["model=m 7"]);
}

#[test]
fn dynamo() {
    let shown = shown("dynamo", &DYNAMO);
    for (name, expect) in [
        ("obs.llm.engine.requests.running", "model=qwen3-32b 5"),
        ("obs.llm.engine.requests.waiting", "model=qwen3-32b 3"),
        // Sums of histograms.
        ("obs.llm.engine.input_tokens", "model=qwen3-32b 5000"),
        ("obs.llm.engine.prefix_cache.hits", "model=qwen3-32b 512"),
        ("obs.llm.engine.output_tokens", "model=qwen3-32b 345"),
    ] {
        check_numbers(&shown, name, &[expect]);
    }
    check_numbers(
        &shown,
        "obs.llm.engine.requests.finished",
        &[
            "finish_reason=error,model=qwen3-32b 2",
            "finish_reason=success,model=qwen3-32b 34",
        ],
    );
    check_histogram(
        &shown,
        "gen_ai.server.request.duration",
        (&[(1.0, 1), (4.8, 1), (110.0, 1)], 73.5),
    );
    let first = &shown.histograms("gen_ai.server.time_to_first_token")[0];
    assert_eq!((first.count, first.sum), (3, 1.8125));
    assert_eq!((first.bounds[0], first.bounds[1]), (0.0, 0.001));
    let inter = &shown.histograms("obs.llm.engine.inter_token.duration")[0];
    assert_eq!((inter.count, inter.sum), (3, 0.265625));
    assert!(
        shown
            .histograms("gen_ai.server.time_per_output_token")
            .is_empty()
    );
}

#[test]
fn a_component_of_dynamo_and_the_engine_in_it_are_read_from_one_page() {
    let server = Server::page(corpus("dynamo_component"));
    let rig = Rig::of(&server, &DYNAMO_COMPONENT);
    rig.add(ScrapeTarget::new(&server.url(), &VLLM).expect("usable"));
    let shown = rig.scrape();
    // Of its endpoints the one that generates.
    check_histogram(
        &shown,
        "gen_ai.server.request.duration",
        (&[(0.25, 1), (2.5, 1)], 2.25),
    );
    let engine = |attributes: &[(std::borrow::Cow<'static, str>, LabelValue)]| {
        let mut of = attributes.iter().filter(|(key, _)| key == "obs.llm.engine");
        of.next().expect("an engine").1.to_text().into_owned()
    };
    let points = shown.number_points("obs.llm.engine.requests.running");
    let mut running: Vec<_> = { points.iter() }
        .map(|point| (engine(&point.attributes), point.value.as_f64()))
        .collect();
    running.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        running,
        [
            ("dynamo_component".to_owned(), 2.0),
            ("vllm".to_owned(), 2.0)
        ]
    );
    check_numbers(
        &shown,
        "obs.llm.engine.kv_cache.usage",
        &["index=0,model=qwen3-32b 0.5"],
    );
    check_numbers(
        &shown,
        "obs.llm.engine.output_tokens",
        &["index=0,model=qwen3-32b 77"],
    );
}

#[test]
fn xllm_has_quantiles_and_no_histogram_is_made_of_them() {
    let shown = shown("xllm", &XLLM);
    for (name, expect) in [
        ("obs.llm.engine.requests.running", " 4"),
        ("obs.llm.engine.requests.waiting", " 6"),
        ("obs.llm.engine.kv_cache.usage", " 0.625"),
        ("obs.llm.engine.prefix_cache.hits", " 640"),
        ("obs.llm.engine.input_tokens", " 2048"),
        ("obs.llm.engine.output_tokens", " 512"),
    ] {
        check_numbers(&shown, name, &[expect]);
    }
    check_numbers(
        &shown,
        "obs.llm.engine.requests.finished",
        &[
            "finish_reason=cancelled 3",
            "finish_reason=deadline_exceeded 2",
            "finish_reason=invalid_argument 1",
            "finish_reason=ok 41",
            "finish_reason=resource_exhausted 0",
            "finish_reason=unavailable 0",
            "finish_reason=unknown 0",
        ],
    );
    check_numbers(
        &shown,
        "obs.llm.engine.time_to_first_token.quantile",
        &[
            "quantile=0.8 0.125",
            "quantile=0.9 0.25",
            "quantile=0.99 0.5",
            "quantile=0.999 0.75",
        ],
    );
    check_numbers(
        &shown,
        "obs.llm.engine.inter_token.quantile",
        &[
            "quantile=0.8 0.016",
            "quantile=0.9 0.032",
            "quantile=0.99 0.064",
            "quantile=0.999 0.128",
        ],
    );
    check_numbers(
        &shown,
        "obs.llm.engine.request.quantile",
        &[
            "quantile=0.8 2",
            "quantile=0.9 4",
            "quantile=0.99 8",
            "quantile=0.999 16",
        ],
    );
    for none in [
        "gen_ai.server.request.duration",
        "gen_ai.server.time_to_first_token",
        "gen_ai.server.time_per_output_token",
        "obs.llm.engine.inter_token.duration",
        "obs.llm.engine.preemptions",
    ] {
        assert!(!shown.names().contains(&none), "{none}");
    }
}

/// A page of the real server, after three requests of 20 tokens each.
#[test]
fn llamacpp_says_nothing_of_single_requests() {
    let server = Server::page(corpus("llamacpp"));
    let rig = Rig::new();
    let target = ScrapeTarget::new(&server.url(), &LLAMACPP).expect("usable");
    rig.add(target.with_model("tiny"));
    let shown = rig.scrape();
    assert_eq!(
        shown.names(),
        [
            "obs.llm.engine.input_tokens",
            "obs.llm.engine.output_tokens",
            "obs.llm.engine.prefix_cache.hits",
            "obs.llm.engine.requests.running",
            "obs.llm.engine.requests.waiting",
        ]
    );
    // The page does not say the model, so it is the one that was meant.
    check_numbers(&shown, "obs.llm.engine.output_tokens", &["model=tiny 60"]);
    check_numbers(&shown, "obs.llm.engine.input_tokens", &["model=tiny 23"]);
    check_numbers(
        &shown,
        "obs.llm.engine.prefix_cache.hits",
        &["model=tiny 40"],
    );
    check_numbers(&shown, "obs.llm.engine.requests.running", &["model=tiny 0"]);
}
