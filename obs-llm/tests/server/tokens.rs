//! Tokens: one by one, several at once, by the step, and what a server says of all of them.

use crate::support::{MODEL, Rig, near};
use obs_core::Outcome;
use obs_core::semconv::{gen_ai, obs};
use obs_llm::InferenceRequest;
use obs_llm::wire::RequestSink;
use obs_testing::AttrValue;

#[test]
fn all_that_a_step_advanced_have_its_moment() {
    let rig = Rig::new();
    let mut batch: Vec<InferenceRequest> = (0..3).map(|_| rig.request()).collect();
    rig.pass(10);
    let now = rig.server.now();
    for request in &mut batch {
        // The clock goes on between one and the next: none of them waits for the others.
        rig.pass(1);
        request.scheduled_at(now);
    }
    for _ in 0..3 {
        rig.pass(17);
        let done = rig.server.step(batch.len());
        for request in &mut batch {
            rig.pass(1);
            request.token_at(done);
        }
    }
    for request in batch {
        request.end(Outcome::ANSWERED);
    }
    near(rig.stage("queue").unwrap().sum, 3.0 * 0.010);
    near(rig.stage("prefill").unwrap().sum, 3.0 * 0.020);
    near(rig.stage("decode").unwrap().sum, 3.0 * 0.040);
    near(
        rig.point(gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN).sum,
        3.0 * 0.020,
    );
    let sizes = rig.point(obs::LLM_SERVER_BATCH_SIZE);
    assert_eq!((sizes.count, sizes.sum), (3, Some(9.0)));
}

#[test]
fn a_request_is_small_whatever_the_length_of_its_answer() {
    // All of it but the record, which is the operation's.
    let bytes = size_of::<InferenceRequest>();
    assert!(bytes <= 384, "{bytes} bytes");
}

#[test]
fn a_step_that_advanced_none_is_no_step() {
    let rig = Rig::new();
    let _ = rig.server.step(0);
    assert_eq!(rig.capture.count(obs::LLM_SERVER_BATCH_SIZE), 0);
    let _ = rig.server.step(1);
    assert_eq!(rig.capture.count(obs::LLM_SERVER_BATCH_SIZE), 1);
}

#[test]
fn tokens_that_were_guessed_ahead_come_at_once() {
    let rig = Rig::with(|builder| builder, |server| server.with_token_gaps(true));
    let mut request = rig.request();
    request.scheduled();
    rig.pass(20);
    request.tokens(1);
    rig.pass(30);
    request.tokens(3);
    request.tokens(0);
    request.end(Outcome::ANSWERED);
    assert_eq!(rig.total(obs::LLM_SERVER_OUTPUT_TOKENS), 4);
    near(rig.point(gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN).sum, 0.010);
    // One took the time, two came with it.
    let gaps = rig.point(obs::LLM_SERVER_TOKEN_GAP);
    assert_eq!(gaps.count, 3);
    near(gaps.sum, 0.030);
    assert_eq!(gaps.bucket_counts.first(), Some(&2));
}

#[test]
fn gaps_between_tokens_are_recorded_where_it_is_asked_for() {
    let count = |records| {
        let rig = Rig::with(|builder| builder, |server| server.with_token_gaps(records));
        let mut request = rig.request();
        rig.decode(&mut request, 5);
        drop(request);
        rig.capture.count(obs::LLM_SERVER_TOKEN_GAP)
    };
    assert_eq!((count(false), count(true)), (0, 4));
}

#[test]
fn a_long_answer_is_counted_while_it_is_written() {
    let rig = Rig::new();
    let mut request = rig.request();
    request.scheduled();
    for _ in 0..100 {
        request.token();
    }
    let counted = rig.total(obs::LLM_SERVER_OUTPUT_TOKENS);
    assert!((68..=100).contains(&counted), "{counted} of 100");
    request.end(Outcome::ANSWERED);
    assert_eq!(rig.total(obs::LLM_SERVER_OUTPUT_TOKENS), 100);
}

#[test]
fn the_time_per_token_of_several_answers_is_one_answers() {
    let rig = Rig::new();
    let mut request = rig.request();
    request.choice_count(4);
    request.scheduled();
    request.tokens(4);
    for _ in 0..9 {
        rig.pass(10);
        request.tokens(4);
    }
    request.end(Outcome::ANSWERED);
    near(rig.point(gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN).sum, 0.010);
    let record = rig.capture.record();
    assert_eq!(record.attr("gen_ai.request.choice.count"), Some(&4.into()));
    assert_eq!(record.attr("gen_ai.usage.output_tokens"), Some(&40.into()));
}

#[test]
fn answers_of_a_token_each_take_no_time_after_it() {
    let rig = Rig::new();
    let mut request = rig.request();
    request.choice_count(4);
    request.scheduled();
    rig.pass(10);
    request.tokens(2);
    rig.pass(10);
    request.tokens(2);
    request.end(Outcome::ANSWERED);
    assert_eq!(rig.stage("decode"), None);
    assert_eq!(rig.capture.count(gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN), 0);
    near(rig.point(gen_ai::SERVER_TIME_TO_FIRST_TOKEN).sum, 0.010);
}

#[test]
fn one_that_is_put_back_waits_again_and_its_stages_go_on() {
    let rig = Rig::new();
    let mut request = rig.request();
    rig.pass(10);
    rig.decode(&mut request, 2);
    request.preempted();
    assert_eq!((rig.active(), rig.waiting()), (1, 1));
    rig.pass(100);
    request.scheduled();
    assert_eq!((rig.active(), rig.waiting()), (1, 0));
    // It reads all of it again, what it wrote included: no new input.
    request.prefilled(9);
    rig.pass(10);
    request.token();
    request.preempted();
    request.scheduled();
    request.end(Outcome::ANSWERED);
    let queue = rig.stage("queue").unwrap();
    assert_eq!(queue.count, 1);
    near(queue.sum, 0.010);
    near(rig.stage("decode").unwrap().sum, 0.120);
    assert_eq!(rig.total(obs::LLM_SERVER_PREEMPTIONS_METRIC), 2);
    assert_eq!(rig.total(obs::LLM_SERVER_INPUT_TOKENS), 7);
    let record = rig.capture.record();
    assert_eq!(record.attr("obs.llm.server.preemptions"), Some(&2.into()));
    near(
        record
            .attr("obs.llm.server.token_gap.max")
            .and_then(AttrValue::as_f64),
        0.110,
    );
    assert_eq!(rig.anomalies("out_of_order"), 0);
}

#[test]
fn a_prompt_that_is_read_again_from_its_beginning_is_read_once() {
    let rig = Rig::new();
    let mut request = rig.request();
    request.scheduled();
    request.cached(10);
    request.prefilled(30);
    request.preempted();
    request.scheduled();
    // What it has in the cache now are its own 32.
    request.cached(32);
    request.prefilled(68);
    assert_eq!(rig.total(obs::LLM_SERVER_INPUT_TOKENS), 100);
    assert_eq!(rig.total(obs::LLM_SERVER_CACHED_TOKENS), 10);
    request.token();
    request.end(Outcome::ANSWERED);
    let record = rig.capture.record();
    let count = |key| record.attr(key).and_then(AttrValue::as_i64);
    assert_eq!(count("gen_ai.usage.input_tokens"), Some(100));
    assert_eq!(count("gen_ai.usage.cache_read.input_tokens"), Some(10));
}

#[test]
fn one_that_is_put_back_before_its_first_token_waited_once() {
    let rig = Rig::new();
    let mut request = rig.request();
    rig.pass(10);
    request.scheduled();
    rig.pass(5);
    request.preempted();
    rig.pass(50);
    request.scheduled();
    rig.pass(5);
    request.token();
    request.end(Outcome::ANSWERED);
    near(rig.stage("queue").unwrap().sum, 0.010);
    near(rig.stage("prefill").unwrap().sum, 0.060);
    near(rig.point(gen_ai::SERVER_TIME_TO_FIRST_TOKEN).sum, 0.070);
}

#[test]
fn a_token_takes_what_was_put_back_out_of_the_queue() {
    let rig = Rig::new();
    let mut request = rig.request();
    rig.decode(&mut request, 2);
    request.preempted();
    rig.pass(10);
    request.token();
    assert_eq!((rig.active(), rig.waiting()), (1, 0));
    request.end(Outcome::ANSWERED);
    assert_eq!((rig.active(), rig.waiting()), (0, 0));
    assert_eq!(rig.total(obs::LLM_SERVER_OUTPUT_TOKENS), 3);
}

#[test]
fn moments_in_the_wrong_order_are_no_time() {
    let rig = Rig::with(|builder| builder, |server| server.with_token_gaps(true));
    let before = rig.server.now();
    rig.pass(50);
    let mut request = rig.request();
    request.scheduled_at(before);
    rig.pass(10);
    request.token();
    request.token_at(before);
    rig.pass(10);
    request.token();
    request.end(Outcome::ANSWERED);
    near(rig.stage("queue").unwrap().sum, 0.0);
    near(rig.stage("decode").unwrap().sum, 0.010);
    let gaps = rig.point(obs::LLM_SERVER_TOKEN_GAP);
    assert_eq!(gaps.count, 2);
    near(gaps.sum, 0.010);
}

#[test]
fn a_life_told_in_no_order_is_an_anomaly_and_changes_nothing() {
    let rig = Rig::new();
    let mut request = rig.request();
    request.preempted();
    assert_eq!((rig.waiting(), rig.anomalies("out_of_order")), (1, 1));
    rig.decode(&mut request, 2);
    request.scheduled();
    assert_eq!((rig.waiting(), rig.anomalies("out_of_order")), (0, 2));
    request.end(Outcome::ANSWERED);
    assert_eq!(rig.stage("queue").map(|point| point.count), Some(1));
    assert_eq!(rig.total(obs::LLM_SERVER_PREEMPTIONS_METRIC), 0);
}

#[test]
fn a_server_says_its_limits_and_how_full_its_cache_is() {
    let rig = Rig::with(|builder| builder, |server| server.with_slots(4));
    let whose = [
        ("gen_ai.provider.name", "acme".into()),
        ("gen_ai.response.model", MODEL.into()),
    ];
    let gauge = |name| {
        let points = rig.capture.points();
        points.gauge(name, &whose).map(|point| point.as_f64())
    };
    rig.server.kv_cache_usage(0.0);
    assert_eq!(gauge(obs::LLM_SERVER_SLOTS), Some(4.0));
    assert_eq!(gauge(obs::LLM_SERVER_KV_CACHE_USAGE), Some(0.0));
    rig.server.kv_cache_usage(0.75);
    for none in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        rig.server.kv_cache_usage(none);
        assert_eq!(gauge(obs::LLM_SERVER_KV_CACHE_USAGE), Some(0.75), "{none}");
    }
    assert_eq!(rig.anomalies("out_of_range"), 4);
    rig.server.kv_cache_usage(1.0);
    assert_eq!(gauge(obs::LLM_SERVER_KV_CACHE_USAGE), Some(1.0));
}
