//! Spans of frameworks as runs: when they begin, what is merged, how they end.

use super::recorded::{
    Log, lines, rig_agent, rig_answers, rig_asks, rig_chat, rig_tool, subscriber, told, told_by,
};
use obs_agent::normalise::Normaliser;
use obs_agent::{Handler, Input, Starting, State};
use tracing::field::Empty;
use tracing::{error, error_span, info_span};

#[track_caller]
fn check(work: impl FnOnce(), expect: &str) {
    assert_eq!(told(work), lines(expect));
}

#[test]
fn a_span_that_says_all_at_its_beginning() {
    let work = || {
        let span = info_span!(
            "chat gpt-4o",
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = "openai",
            gen_ai.request.model = "gpt-4o",
            gen_ai.response.finish_reasons = Empty,
            gen_ai.response.time_to_first_chunk = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
        );
        span.record("gen_ai.response.finish_reasons", "[\"stop\"]");
        span.record("gen_ai.response.time_to_first_chunk", 0.25);
        span.record("gen_ai.usage.input_tokens", 12_u64);
        span.record("gen_ai.usage.output_tokens", 5_i64);
        // What is recorded last counts.
        span.record("gen_ai.usage.output_tokens", 7_i64);
    };
    check(
        work,
        "
        model begins by normalise: openai gpt-4o
        model ends stop after 250ms 12/7
        ",
    );
}

#[test]
fn rigs_turn_begins_when_it_is_known_whom_it_asks() {
    let log = Log::default();
    let normaliser = Normaliser::new(&log.handlers());
    tracing::subscriber::with_default(subscriber(normaliser), || {
        let agent = rig_agent();
        let chat = agent.in_scope(rig_chat);
        assert_eq!(log.take(), "agent assistant begins by rig");
        chat.in_scope(|| {
            assert_eq!(log.take(), "", "whom it asks is not said yet");
            rig_asks(&chat);
            assert_eq!(log.take(), "  model begins by rig: openai gpt-4o");
        });
        rig_answers(&chat, 40, 9);
        drop(chat);
        let tool = agent.in_scope(rig_tool);
        tool.in_scope(|| {
            tool.record("gen_ai.tool.name", "add");
            tool.record("gen_ai.tool.call.id", tracing::field::display("call_1"));
            tool.record("gen_ai.tool.call.arguments", "{\"a\":1}");
        });
        drop(tool);
        rig_answers(&agent, 40, 9);
    });
    // Arguments are content. The id comes after the name, by which the tool's run begins.
    let expect = "
        __model ends 40/9
        __tool add begins by rig
        __tool add ends
        agent assistant ends 40/9
        ";
    assert_eq!(log.take(), lines(expect).replace("__", "  "));
}

#[test]
fn what_is_never_said_is_not_waited_for() {
    // At its first exit, where a child begins, at its end.
    let work = || {
        let chat = rig_chat();
        chat.in_scope(|| ());
        drop(chat);
        let around = rig_chat();
        let tool = around.in_scope(rig_tool);
        tool.record("gen_ai.tool.name", "add");
        drop(tool);
        drop(around);
        drop(rig_chat());
    };
    check(
        work,
        "
        model begins by rig: ? ?
        model ends
        model begins by rig: ? ?
          tool add begins by rig
          tool add ends
        model ends
        model begins by rig: ? ?
        model ends
        ",
    );
}

#[test]
fn a_span_whose_operation_is_said_late_or_never() {
    let work = || {
        let span = || info_span!(target: "genai::otel", "x", gen_ai.operation.name = Empty);
        let late = span();
        late.record("gen_ai.operation.name", "embeddings");
        drop(late);
        drop(span());
        let other = span();
        other.record("gen_ai.operation.name", "image_generation");
        other.in_scope(|| ());
    };
    check(
        work,
        "
        embedding begins by genai
        embedding ends
        ",
    );
}

#[test]
fn spans_of_frameworks_that_have_fields_of_their_own() {
    let work = || {
        let agent = info_span!(target: "langchain_rust::agent::executor", "agent.run", error = Empty, total_tokens = Empty);
        agent.in_scope(|| {
            let llm = info_span!(
                target: "langchain_rust::observability",
                "llm.generate",
                provider = "openai",
                model = "gpt-4o-mini",
                stream = true,
                prompt_tokens = Empty,
                completion_tokens = Empty,
                error = Empty,
            );
            llm.record("prompt_tokens", 7_u32);
            llm.record("completion_tokens", 3_u32);
            drop(llm);
            let tool = info_span!(target: "langchain_rust::agent::executor", "tool.call", tool = %"add", error = Empty);
            tool.record("error", tracing::field::display("no such number"));
        });
        drop(agent);
        let named =
            |name: &str| info_span!(target: "swiftide_agents::agent", "tool", otel.name = name);
        drop(named("tool.search"));
        drop(named("hook.OnStart"));
        drop(
            info_span!(target: "adk_agent::llm_agent", "", otel.name = %"execute_tool weather", tool.name = %"weather"),
        );
    };
    check(
        work,
        "
        agent begins by langchain-rust
          model begins by langchain-rust: openai gpt-4o-mini stream
          model ends 7/3
          tool add begins by langchain-rust
          tool add fails: no such number
        agent ends
        tool search begins by swiftide
        tool search ends
        tool weather begins by adk-rust
        tool weather ends
        ",
    );
}

#[test]
fn it_fails_by_what_it_records_or_by_an_event_in_it() {
    let chat = || {
        info_span!(
            target: "genai::otel",
            "chat",
            gen_ai.operation.name = "chat",
            otel.status_code = Empty,
            error.type = Empty,
        )
    };
    let work = || {
        chat().record("error.type", "429");
        chat().record("otel.status_code", "error");
        chat().record("otel.status_code", "ok");
        chat().in_scope(|| error!(target: "genai", error = %"it broke", "failed"));
        chat().in_scope(|| error!(target: "genai::client", { exception.r#type = "Timeout", exception.message = "too slow" }, "failed"));
        let span = chat();
        error!(target: "genai", parent: &span, "said from outside");
        drop(span);
        // Something of others failed in it, and it went on.
        chat().in_scope(|| error!(target: "hyper", "once more"));
        chat().in_scope(|| error_span!("retry").in_scope(|| error!("once more")));
        chat().in_scope(|| tracing::warn!("odd"));
    };
    check(
        work,
        "
        model begins by genai: ? ?
        model fails 429
        model begins by genai: ? ?
        model fails
        model begins by genai: ? ?
        model ends
        model begins by genai: ? ?
        model fails: it broke
        model begins by genai: ? ?
        model fails Timeout: too slow
        model begins by genai: ? ?
        model fails: said from outside
        model begins by genai: ? ?
        model ends
        model begins by genai: ? ?
        model ends
        model begins by genai: ? ?
        model ends
        ",
    );
}

#[test]
fn it_panics() {
    let work = || {
        let unwound = std::panic::catch_unwind(|| {
            let span = rig_agent();
            let _entered = span.enter();
            panic!("as the test wants");
        });
        assert!(unwound.is_err());
    };
    check(
        work,
        "
        agent assistant begins by rig
        agent assistant fails Panicked panic
        ",
    );
}

/// Whoever catches it, and has spans around it that go on.
#[test]
fn a_call_within_a_call_panics() {
    let work = || {
        let chat = rig_chat();
        let _entered = chat.enter();
        rig_asks(&chat);
        let unwound = std::panic::catch_unwind(|| {
            let inner = rig_chat();
            let _entered = inner.enter();
            rig_asks(&inner);
            panic!("as the test wants");
        });
        assert!(unwound.is_err());
        rig_answers(&chat, 1, 2);
    };
    check(
        work,
        "
        model begins by rig: openai gpt-4o
          model begins by rig: openai gpt-4o
          model fails Panicked panic
        model ends as told within
        ",
    );
}

#[test]
fn what_is_said_is_told_where_it_is_asked_for() {
    let work = || {
        let tool = info_span!(
            target: "genai::otel",
            "execute_tool",
            gen_ai.operation.name = "execute_tool",
            gen_ai.tool.name = "add",
            gen_ai.tool.call.arguments = "{\"a\":1}",
            gen_ai.tool.call.result = Empty,
        );
        tool.record("gen_ai.tool.call.result", "x".repeat(70_000));
    };
    let with = told_by(|normaliser| normaliser.with_content(true), work);
    let result = "x".repeat(64 << 10);
    let expect = format!("tool add begins by genai {{\"a\":1}}\ntool add ends {result}");
    // An argument has no id in front of it.
    assert_eq!(with, expect);
    assert_eq!(told(work), "tool add begins by genai\ntool add ends");
}

#[test]
fn facts_are_capped_and_cut_between_characters() {
    let name = "ä".repeat(400);
    let work = || {
        drop(info_span!(
            "x",
            gen_ai.operation.name = "execute_tool",
            gen_ai.tool.name = name.as_str()
        ));
        drop(info_span!("x", gen_ai.operation.name = "execute_tool", gen_ai.tool.name = %name));
    };
    let cut = "ä".repeat(256);
    let once = format!("tool {cut} begins by normalise\ntool {cut} ends");
    assert_eq!(told(work), format!("{once}\n{once}"));
}

#[test]
fn other_spans_are_none_of_ours() {
    let work = || {
        let _request =
            info_span!("request", method = "GET", provider = "x", error = Empty).entered();
        info_span!("chat", room = 7).in_scope(|| error!("nobody there"));
        info_span!("agent.run", error = "x").in_scope(|| ());
        tracing::debug_span!("x", gen_ai.operation.name = "chat").in_scope(|| ());
    };
    assert_eq!(told(work), "");
}

#[test]
fn a_framework_can_be_left_alone() {
    let work = || {
        let agent = rig_agent();
        agent.in_scope(|| {
            drop(info_span!(target: "genai::otel", "x", gen_ai.operation.name = "chat"))
        });
    };
    let told = told_by(|normaliser| normaliser.without("rig"), work);
    assert_eq!(told, "model begins by genai: ? ?\nmodel ends");
}

#[test]
fn of_two_layers_the_first_to_see_a_span_has_it() {
    use tracing_subscriber::layer::SubscriberExt;
    let (first, second) = (Log::default(), Log::default());
    let layer = |log: &Log| Normaliser::new(&log.handlers()).into_layer();
    let subscriber = tracing_subscriber::registry().with(layer(&first));
    let second_layer = Normaliser::new(&second.handlers()).into_layer();
    tracing::subscriber::with_default(subscriber.with(second_layer), || {
        let agent = rig_agent();
        rig_answers(&agent, 1, 2);
    });
    assert_eq!(
        first.take(),
        "agent assistant begins by rig\nagent assistant ends 1/2"
    );
    assert_eq!(second.take(), "");
}

/// Another layer wants them, so that they are made.
#[test]
fn what_is_finer_than_frameworks_speak_is_none_of_ours() {
    use tracing_subscriber::layer::SubscriberExt;
    struct Everything;
    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Everything {}
    let log = Log::default();
    let layer = Normaliser::new(&log.handlers()).into_layer();
    let subscriber = tracing_subscriber::registry().with(layer).with(Everything);
    tracing::subscriber::with_default(subscriber, || {
        let fine = || tracing::debug_span!("x", gen_ai.operation.name = "chat");
        fine().in_scope(|| assert!(!tracing::Span::current().is_disabled(), "it is made"));
    });
    assert_eq!(log.take(), "");
}

/// The model may come before who serves it.
#[test]
fn a_call_waits_for_whoever_serves_it() {
    let work = || {
        let chat = rig_chat();
        chat.record("gen_ai.request.model", "gpt-4o");
        chat.record("gen_ai.provider.name", "openai");
    };
    check(
        work,
        "
        model begins by rig: openai gpt-4o
        model ends
        ",
    );
}

/// A handler that tells the span something while it is told of its beginning.
struct Records;

impl Handler for Records {
    fn on_start(&self, _: &mut Starting<'_>, _: &Input<'_>) -> State {
        let span = tracing::Span::current();
        rig_answers(&span, 40, 9);
        State::none()
    }
}

#[test]
fn what_is_recorded_while_a_run_begins_is_told_at_its_end() {
    let log = Log::default();
    let normaliser = Normaliser::new(&log.handlers().with(Records));
    tracing::subscriber::with_default(subscriber(normaliser), || {
        let chat = rig_chat();
        chat.in_scope(|| rig_asks(&chat));
    });
    let expect = "
        model begins by rig: openai gpt-4o
        model ends 40/9
        ";
    assert_eq!(log.take(), lines(expect));
}
