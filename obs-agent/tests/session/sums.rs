//! What is added up, and what is not.

use crate::support::*;
use obs_agent::session::Ledger;
use obs_core::otel::trace::SpanKind;
use obs_core::redact::UserIds;
use obs_core::sampling::HeadSampler;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{ErrorType, KeepPolicy, Outcome, Parent, Session};
use obs_llm::wire::{Content, RequestSink, ResponseSink};
use obs_llm::{Dialect, LlmOperation, ModelServer, Provider, Tokens, Usage};
use obs_testing::Capture;

/// A call that is one of a kind, by its number: some tell nothing, some are of a model without a price.
fn one_of_many(number: u64) -> (Usage, bool) {
    let usage = match number % 5 {
        0 => Usage::new(),
        _ => usage(1_000 + number, 10 * number)
            .with(Tokens::CacheRead, number)
            .with(Tokens::CacheWrite, 2 * number)
            .with(Tokens::Reasoning, 3 * number),
    };
    (usage, number.is_multiple_of(7))
}

#[track_caller]
fn check_sums(dialect: Dialect, sampler: HeadSampler) {
    let mut keep = KeepPolicy::default();
    keep.late = false;
    let capture = Capture::builder().with_sampler(sampler).with_keep(keep);
    let mut rig = Rig::with(capture, Ledger::builder());
    rig.llm = rig.llm.clone().with_dialect(dialect);
    let (mut input, mut output, mut pico) = (0, 0, 0);
    let [mut untold, mut unpriced] = [0, 0];
    let mut parts = [0; 3];
    for number in 0..300 {
        let (usage, is_unpriced) = one_of_many(number);
        let mut call = rig.call(LlmOperation::Chat, Session::new("s-1"));
        if is_unpriced {
            call.model(UNPRICED);
        }
        call.usage(&usage);
        call.end();
        let told = |of| usage.get(of).unwrap_or_default();
        input += told(Tokens::Input);
        output += told(Tokens::Output);
        let kinds = [Tokens::CacheRead, Tokens::CacheWrite, Tokens::Reasoning];
        for (sum, of) in parts.iter_mut().zip(kinds) {
            *sum += told(of);
        }
        match (usage.is_empty(), is_unpriced) {
            (true, _) => untold += 1,
            (false, true) => unpriced += 1,
            (false, false) => {
                pico += told(Tokens::Input) * 1_000_000 + told(Tokens::Output) * 10_000_000;
            }
        }
        // At once.
        let summary = rig.ledger.summary("s-1").expect("it is there");
        assert_eq!(summary.inference_calls, number + 1);
        assert_eq!(
            (summary.input_tokens, summary.output_tokens),
            (input, output)
        );
    }
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(summary.total_tokens(), input + output);
    let told = [
        summary.cache_read_tokens,
        summary.cache_write_tokens,
        summary.reasoning_tokens,
    ];
    assert_eq!(told, parts);
    assert_eq!(summary.calls_without_usage, untold);
    assert_eq!(summary.unpriced_calls, unpriced);
    assert_eq!(summary.cost_usd, Some(pico as f64 / 1e12));
    assert_eq!(summary.failed_calls(), 0);
}

#[test]
fn a_session_is_the_sum_of_its_calls_whatever_is_sampled_in_both_dialects() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        check_sums(dialect, HeadSampler::always_on());
        check_sums(dialect, HeadSampler::ratio(0.01).expect("a share"));
        check_sums(dialect, HeadSampler::always_off());
    }
}

#[test]
fn without_a_price_nothing_is_free() {
    let rig = Rig::new();
    let mut call = rig.call(LlmOperation::Chat, Session::new("s-1"));
    call.model(UNPRICED);
    call.usage(&usage(10, 5));
    call.end();
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!((summary.cost_usd, summary.unpriced_calls), (None, 1));
    let text = summary.to_string();
    assert!(text.contains("unknown, 1 calls without a price"), "{text}");
}

#[test]
fn what_an_agent_says_of_its_calls_is_not_counted_again() {
    let rig = Rig::new();
    let mut agent = rig.start_agent("s-1");
    agent.scope(|| rig.chat("s-1", &usage(100, 20)));
    agent.set(gen_ai::USAGE_INPUT_TOKENS, 100_i64);
    agent.set(gen_ai::USAGE_OUTPUT_TOKENS, 20_i64);
    agent.set(obs::LLM_COST_USD, 0.5);
    agent.set(gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK, 3.0);
    agent.end(Outcome::ANSWERED);
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!((summary.input_tokens, summary.output_tokens), (100, 20));
    let cost = summary.cost_usd.expect("there is a price");
    assert!((cost - 0.0003).abs() < 1e-12, "{cost}");
    assert_eq!(summary.time_to_first_chunk, None);
    assert_eq!((summary.turns, summary.inference_calls), (1, 1));
}

#[test]
fn an_agent_that_another_one_calls_has_no_turn_of_its_own() {
    let rig = Rig::new();
    let mut outer = rig.start_agent("s-1");
    set_depth(&mut outer, 0);
    outer.scope(|| {
        let mut inner = rig.start_agent("s-1");
        set_depth(&mut inner, 2);
        inner.end(Outcome::failed(ErrorType::OTHER));
    });
    outer.end(Outcome::ANSWERED);
    drop(rig.start_agent("s-1"));
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!((summary.turns, summary.failed_turns), (2, 1));
    assert_eq!(summary.failed_calls(), 0);
}

#[test]
fn tokens_of_vectors_stand_apart_and_their_cost_does_not() {
    let rig = Rig::new();
    rig.chat("s-1", &usage(1_000, 0));
    let mut call = rig.call(LlmOperation::Embeddings, Session::new("s-1"));
    call.usage(&Usage::new().with(Tokens::Input, 500));
    call.end();
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(summary.input_tokens, 1_000);
    assert_eq!(summary.embeddings_input_tokens, 500);
    let calls = (summary.inference_calls, summary.embeddings_calls);
    assert_eq!(calls, (1, 1));
    let cost = summary.cost_usd.expect("there is a price");
    assert!((cost - 0.0015).abs() < 1e-12, "{cost}");
}

#[test]
fn each_sort_of_inference_is_one() {
    let rig = Rig::new();
    let sorts = [
        LlmOperation::Chat,
        LlmOperation::GenerateContent,
        LlmOperation::TextCompletion,
    ];
    for sort in sorts {
        rig.call(sort, Session::new("s-1")).end();
    }
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(summary.inference_calls, 3);
}

#[test]
fn what_is_served_is_counted_by_whoever_asked() {
    // Of the second there is a span of a server around it.
    for kind in [SpanKind::Server, SpanKind::Internal] {
        let rig = Rig::new();
        let server = ModelServer::new(rig.telemetry(), Provider::OPENAI, "gpt-x");
        let server = server.with_span_kind(kind);
        let mut request = server.request(LlmOperation::Chat, Parent::Root);
        request.set_session(Session::new("s-1"));
        drop(request);
        assert_eq!(rig.capture.records().len(), 1);
        assert_eq!(rig.ledger.sessions().len(), 0);
    }
}

#[test]
fn tools_are_told_by_name_up_to_their_number() {
    let rig = Rig::with(Capture::builder(), Ledger::builder().with_max_tools(3));
    for (name, ms, fails) in [
        ("search", 100, false),
        ("search", 300, true),
        ("mail", 50, false),
        ("clock", 7, false),
        ("shell", 8, true),
        ("search", 200, false),
    ] {
        let tool = rig.start_tool("s-1", name);
        rig.advance(ms * MS);
        tool.end(match fails {
            true => Outcome::failed(ErrorType::OTHER),
            false => Outcome::ANSWERED,
        });
    }
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!((summary.tool_calls, summary.failed_tool_calls), (6, 2));
    let told: Vec<_> = { summary.tools.iter() }
        .map(|tool| {
            let total = tool.total.as_millis();
            (
                &*tool.name,
                tool.calls,
                tool.failed_calls,
                total,
                tool.max.as_millis(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("search", 3, 1, 600, 300),
            ("mail", 1, 0, 50, 50),
            ("_OTHER", 2, 1, 15, 8),
        ]
    );
    let search = &summary.tools[0];
    assert_eq!(search.mean().as_millis(), 200);
    let p50 = search.p50.as_secs_f64();
    assert!((p50 / 0.2 - 1.0).abs() < 0.19, "{p50}");
    assert!(search.p95 <= search.max);
}

#[test]
fn times_to_the_first_chunk_have_quantiles() {
    let rig = Rig::new();
    for ms in 1..=100 {
        let mut call = rig.call(LlmOperation::Chat, Session::new("s-1"));
        call.stream(true);
        rig.advance(ms * 10 * MS);
        call.content(Content::Text);
        rig.advance(5 * MS);
        call.content(Content::Text);
        call.end();
    }
    // An answer in one piece has none.
    rig.chat("s-1", &usage(1, 1));
    let summary = rig.ledger.summary("s-1").expect("it is there");
    let first = summary.time_to_first_chunk.expect("of streams");
    assert_eq!(first.count, 100);
    for (got, exact) in [(first.p50, 0.5), (first.p95, 0.95), (first.max, 1.0)] {
        let off = (got.as_secs_f64() / exact - 1.0).abs();
        assert!(off < 0.091, "{got:?} for {exact}");
    }
}

#[test]
fn times_are_from_the_first_start_to_the_last_end() {
    let rig = Rig::new();
    rig.advance(1_000 * MS);
    let slow = rig.start_tool("s-1", "slow");
    rig.advance(10 * MS);
    rig.chat("s-1", &usage(1, 1));
    rig.advance(90 * MS);
    // Whatever becomes of the wall clock.
    let wall = rig.telemetry().unix_nanos_at([rig.telemetry().now()])[0];
    slow.end(Outcome::ANSWERED);
    rig.advance(500 * MS);
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(summary.wall_time, 100 * MS);
    assert_eq!(summary.last_seen_unix_nanos, wall);
    assert_eq!(summary.first_seen_unix_nanos, wall - 100_000_000);
}

#[test]
fn a_session_is_found_by_its_id_and_else_by_its_conversation() {
    let rig = Rig::new();
    let both = Session::new("s-1")
        .with_conversation("c-1")
        .with_user("u-1");
    rig.call(LlmOperation::Chat, both).end();
    let only = Session::default().with_conversation("c-2");
    rig.call(LlmOperation::Chat, only).end();
    // By an attribute, as the request names it.
    let mut named = rig.call(LlmOperation::Chat, Session::default().with_user("u-3"));
    named.conversation("c-3");
    named.end();
    // Of nobody.
    rig.call(LlmOperation::Chat, Session::default().with_user("u-4"))
        .end();
    rig.call(LlmOperation::Chat, Session::new("")).end();

    let both = rig.ledger.summary("s-1").expect("by its id");
    assert_eq!(both.session_id.as_deref(), Some("s-1"));
    assert_eq!(both.conversation_id.as_deref(), Some("c-1"));
    assert_eq!(both.user_id.as_deref(), Some("u-1"));
    assert_eq!(rig.ledger.summary("c-1"), None);
    for (id, user) in [("c-2", None), ("c-3", Some("u-3"))] {
        let only = rig.ledger.summary(id).expect("by its conversation");
        assert_eq!((&*only.id, &only.session_id), (id, &None));
        assert_eq!(only.conversation_id.as_deref(), Some(id));
        assert_eq!(only.user_id.as_deref(), user);
    }
    assert_eq!(rig.ledger.sessions().len(), 3);
}

#[test]
fn a_conversation_of_a_request_beats_that_of_its_session_and_is_on_its_span_once() {
    let rig = Rig::new();
    let session = Session::new("s-1").with_conversation("of the agent");
    let mut call = rig.call(LlmOperation::Chat, session);
    call.conversation("of the provider");
    call.end();
    let record = rig.capture.record();
    let ids: Vec<_> = { record.attributes.iter() }
        .filter(|(key, _)| key == "gen_ai.conversation.id")
        .map(|(_, value)| value.clone())
        .collect();
    assert_eq!(ids, ["of the provider".into()]);
    assert_eq!(record.text("session.id"), Some("s-1"));
}

#[test]
fn a_session_whose_id_is_too_long_is_found_by_it_all_the_same() {
    let rig = Rig::new();
    let id = "é".repeat(5_000);
    rig.chat(&id, &usage(1, 2));
    rig.chat(&id, &usage(1, 2));
    let summary = rig.ledger.summary(&id).expect("by the whole");
    assert_eq!(summary.inference_calls, 2);
    assert!(summary.id.len() < 300, "{}", summary.id.len());
    assert!(rig.ledger.summary(&summary.id).is_some(), "as it is told");
    assert!(rig.ledger.close(&id).is_some());
    let told = &rig.told()[0].0;
    assert_eq!(**told, *summary.id);
    let record = &rig.capture.records()[0];
    assert_eq!(record.text("session.id"), Some(&**told), "as on its spans");
    let budget = rig.ledger.budget(
        &id,
        obs_agent::session::Limits::new().with_inference_calls(1),
    );
    rig.chat(&id, &usage(1, 2));
    assert!(budget.check().is_err());
}

#[test]
fn ids_are_in_no_metric() {
    let rig = Rig::new();
    let session = Session::new("secret-s")
        .with_conversation("secret-c")
        .with_user("secret-u");
    rig.call(LlmOperation::Chat, session).end();
    rig.start_tool("secret-s", "search").end(Outcome::ANSWERED);
    let page = rig.telemetry().prometheus();
    for line in ["obs_agent_sessions 1", "gen_ai_client_operation_duration"] {
        assert!(page.contains(line), "{page}");
    }
    assert!(!page.contains("secret"), "{page}");
}

#[test]
fn a_user_is_told_as_the_telemetry_shows_users() {
    let users = [
        (UserIds::kept(), Some("ann")),
        (UserIds::dropped(), None),
        // HMAC-SHA-256 of "ann", by Python's `hmac`.
        (
            UserIds::hashed([1; 32]),
            Some("hmac-sha256:d6b4fe4fb5a556eadede70c66740f387"),
        ),
    ];
    for (users, expect) in users {
        let capture = Capture::builder().with(|builder| builder.with_user_ids(users));
        let rig = Rig::with(capture, Ledger::builder());
        let session = Session::new("s-1").with_user("ann");
        rig.call(LlmOperation::Chat, session).end();
        let summary = rig.ledger.close("s-1").expect("it is there");
        assert_eq!(summary.user_id.as_deref(), expect);
        let event = &rig.summaries()[0];
        let session = event.session.as_ref().expect("it is of one");
        assert_eq!(session.user_id.as_deref(), expect);
    }
}

#[test]
fn of_two_telemetries_each_has_its_own() {
    let (one, other) = (Rig::new(), Rig::new());
    let mut agent = one.start_agent("s-1");
    // Its session goes along to a call that another telemetry records.
    agent.scope(|| {
        let mut call = other.llm.call(LlmOperation::Chat, &Provider::OPENAI);
        call.usage(&usage(7, 3));
        call.end();
    });
    agent.end(Outcome::ANSWERED);
    let summary = |rig: &Rig| rig.ledger.summary("s-1").expect("it is there");
    let (one, other) = (summary(&one), summary(&other));
    assert_eq!((one.turns, one.inference_calls), (1, 0));
    assert_eq!((other.turns, other.input_tokens), (0, 7));
}

#[test]
fn a_summary_is_a_table_for_people() {
    let rig = Rig::new();
    let mut agent = rig.start_agent("s-1\u{1b}[31m");
    agent.scope(|| {
        let id = "s-1\u{1b}[31m";
        let mut call = rig.call(LlmOperation::Chat, Session::new(id).with_user("ann"));
        call.stream(true);
        rig.advance(250 * MS);
        call.content(Content::Text);
        call.usage(&usage(1_200, 340).with(Tokens::CacheRead, 800));
        call.end();
        let tool = rig.start_tool(id, "search");
        rig.advance(120 * MS);
        drop(tool);
    });
    agent.end(Outcome::ANSWERED);
    let [id] = &rig.ledger.sessions()[..] else {
        panic!("there is one")
    };
    let summary = rig.ledger.summary(id).expect("it is there");
    assert_eq!(
        summary.to_string(),
        "session s-1\\u{1b}[31m, user ann
  turns          1 in 0.370 s
  inferences     1
  input tokens   1200 (800 from caches, 0 to caches)
  output tokens  340 (0 of reasoning)
  cost           0.004600 USD
  first chunk    0.250 s p50, 0.250 s p95, 0.250 s at most
  tool calls     1 (1 failed)
    search                   1 (1 failed), 0.120 s mean, 0.120 s p95, 0.120 s at most"
    );
}
