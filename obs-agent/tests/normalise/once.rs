//! A call of a model counts once, however many tell it.

use super::recorded::{Log, lines, rig_agent, rig_answers, rig_asks, rig_chat};
use obs_agent::normalise::Normaliser;
use obs_agent::obs_core::ContextMode;
use obs_agent::obs_llm::wire::{RequestSink, ResponseSink};
use obs_agent::obs_llm::{Dialect, Llm, LlmOperation, Provider, Tokens, Usage};
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Output, RunInfo, RunParent, input, output,
};
use obs_testing::Capture;
use tracing_subscriber::layer::SubscriberExt;

const ACTIVE: &str = "obs.llm.client.active_calls";

struct World {
    capture: Capture,
    llm: Llm,
    handlers: Handlers,
    log: Log,
    dialect: Dialect,
}

impl World {
    fn new(dialect: Dialect, mode: ContextMode) -> Self {
        let capture = Capture::builder().with_context_mode(mode).build();
        let llm = Llm::new(capture.telemetry()).with_dialect(dialect);
        let log = Log::default();
        let observer = AgentObserver::new(capture.telemetry()).with_llm(&llm);
        Self {
            handlers: Handlers::new().with(observer).with(log.clone()),
            capture,
            llm,
            log,
            dialect,
        }
    }

    fn with(&self, work: impl FnOnce()) {
        let normaliser = Normaliser::new(&self.handlers).with_telemetry(self.capture.telemetry());
        let subscriber = tracing_subscriber::registry().with(normaliser.into_layer());
        tracing::subscriber::with_default(subscriber, work);
    }

    /// What a layer of obs-llm's tells of a call that it sees pass: nothing, if somebody around tells it.
    fn pass(&self, operation: LlmOperation, tokens: (u64, u64)) {
        if self.llm.kind(operation).is_around() {
            return;
        }
        let mut call = self.llm.call(operation, &Provider::OPENAI);
        call.model("gpt-4o");
        call.usage(&usage(tokens));
        call.end();
    }

    /// Calls that count, and their input tokens.
    fn counted(&self) -> (u64, f64) {
        assert_eq!(self.capture.in_flight(ACTIVE), 0, "calls that go on");
        let main = self.dialect == Dialect::Main;
        let duration = match main {
            true => "gen_ai.client.inference.duration",
            false => "gen_ai.client.operation.duration",
        };
        let tokens = match main {
            true => "gen_ai.client.inference.operation.input_tokens",
            false => "gen_ai.client.token.usage",
        };
        let points = self.capture.points();
        let of = [("gen_ai.token.type", "input".into())];
        let of = if main { &of[..0] } else { &of[..] };
        let sums = points.histograms(tokens, of).into_iter();
        (
            self.capture.count(duration),
            sums.filter_map(|point| point.sum).sum(),
        )
    }

    fn tree(&self) -> String {
        self.capture.tree().without_attributes().to_string()
    }
}

fn usage((input, output): (u64, u64)) -> Usage {
    Usage::new()
        .with(Tokens::Input, input)
        .with(Tokens::Output, output)
}

const ALL: [(Dialect, ContextMode); 4] = [
    (Dialect::V1_41, ContextMode::Full),
    (Dialect::Main, ContextMode::Full),
    (Dialect::V1_41, ContextMode::IdsOnly),
    (Dialect::V1_41, ContextMode::Off),
];

#[test]
fn a_framework_alone_tells_its_call() {
    for (dialect, mode) in ALL {
        let world = World::new(dialect, mode);
        world.with(|| {
            let agent = rig_agent();
            let chat = agent.in_scope(rig_chat);
            chat.in_scope(|| rig_asks(&chat));
            rig_answers(&chat, 40, 9);
            drop(chat);
            // Its sum counts nowhere.
            rig_answers(&agent, 40, 9);
        });
        assert_eq!(world.counted(), (1, 40.0), "{mode:?}");
    }
}

#[test]
fn a_layer_beneath_sees_it_happen_and_tells_it() {
    for (dialect, mode) in ALL {
        let world = World::new(dialect, mode);
        world.with(|| {
            let agent = rig_agent();
            let chat = agent.in_scope(rig_chat);
            chat.in_scope(|| {
                rig_asks(&chat);
                assert_eq!(world.capture.in_flight(ACTIVE), 1);
                world.pass(LlmOperation::Chat, (41, 10));
            });
            rig_answers(&chat, 40, 9);
        });
        assert_eq!(world.counted(), (1, 41.0), "{mode:?}");
        let told = world.log.take();
        assert!(told.contains("model ends as told within"), "{told}");
    }
}

#[test]
fn the_call_is_within_what_the_span_was() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly] {
        let world = World::new(Dialect::V1_41, mode);
        world.with(|| {
            let agent = rig_agent();
            let chat = agent.in_scope(rig_chat);
            chat.in_scope(|| {
                rig_asks(&chat);
                world.pass(LlmOperation::Chat, (41, 10));
            });
        });
        let expect = lines(
            "
            trace 1
              invoke_agent assistant [internal]
                model [internal]
                  chat gpt-4o [client]
            ",
        );
        assert_eq!(world.tree().trim_end(), expect, "{mode:?}");
    }
}

#[test]
fn before_it_is_known_whom_it_asks_it_is_a_call_all_the_same() {
    for (dialect, mode) in ALL {
        let world = World::new(dialect, mode);
        world.with(|| {
            let chat = rig_chat();
            chat.in_scope(|| world.pass(LlmOperation::Chat, (41, 10)));
            rig_answers(&chat, 40, 9);
        });
        assert_eq!(world.counted(), (1, 41.0), "{mode:?}");
    }
}

#[test]
fn a_call_of_another_sort_within_it_is_not_it() {
    let world = World::new(Dialect::V1_41, ContextMode::Full);
    world.with(|| {
        let chat = rig_chat();
        chat.in_scope(|| {
            rig_asks(&chat);
            world.pass(LlmOperation::Embeddings, (5, 0));
        });
        rig_answers(&chat, 40, 9);
    });
    assert_eq!(world.counted(), (2, 45.0));
}

#[test]
fn a_call_beside_it_is_not_it() {
    let world = World::new(Dialect::V1_41, ContextMode::Full);
    world.with(|| {
        let agent = rig_agent();
        agent.in_scope(|| {
            world.pass(LlmOperation::Chat, (41, 10));
            let chat = rig_chat();
            chat.in_scope(|| rig_asks(&chat));
            rig_answers(&chat, 40, 9);
        });
    });
    assert_eq!(world.counted(), (2, 81.0));
}

#[test]
fn of_two_frameworks_the_inner_one_tells_it() {
    for (dialect, mode) in ALL {
        let world = World::new(dialect, mode);
        world.with(|| {
            let agent = rig_agent();
            let chat = agent.in_scope(rig_chat);
            chat.in_scope(|| {
                rig_asks(&chat);
                let inner = tracing::info_span!(
                    target: "genai::otel",
                    "genai.chat",
                    gen_ai.operation.name = "chat",
                    gen_ai.provider.name = "openai",
                    gen_ai.request.model = "gpt-4o",
                    gen_ai.usage.input_tokens = 40,
                );
                inner.in_scope(|| ());
            });
            rig_answers(&chat, 40, 9);
        });
        assert_eq!(world.counted(), (1, 40.0), "{mode:?}");
        // The agent made one call.
        let records = world.capture.records();
        let agent = records
            .iter()
            .find(|record| record.name == "invoke_agent assistant");
        let calls = agent.and_then(|agent| agent.attr("obs.agent.run.inferences"));
        assert_eq!(calls.and_then(|calls| calls.as_i64()), Some(1), "{mode:?}");
    }
}

fn genai_chat(tokens: Option<u64>) {
    let inner = tracing::info_span!(
        target: "genai::otel",
        "genai.chat",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = "openai",
        gen_ai.request.model = "gpt-4o",
        gen_ai.usage.input_tokens = tracing::field::Empty,
    );
    if let Some(tokens) = tokens {
        inner.record("gen_ai.usage.input_tokens", tokens);
    }
}

/// The inner ones of it, where they say tokens; else the outer one says them.
#[test]
fn of_two_frameworks_the_inner_one_that_has_tokens_counts() {
    for (dialect, mode) in ALL {
        for (inner, outer, calls, tokens) in [
            (&[None][..], Some(40), 1, 40.0),
            (&[Some(39)], Some(40), 1, 39.0),
            (&[None], None, 1, 0.0),
            // It is asked again, and who is around says what it came to.
            (&[None, None], Some(40), 2, 40.0),
            (&[None, Some(39)], Some(40), 2, 39.0),
            (&[Some(39), None], Some(40), 2, 39.0),
        ] {
            let world = World::new(dialect, mode);
            world.with(|| {
                let chat = rig_chat();
                chat.in_scope(|| {
                    rig_asks(&chat);
                    inner.iter().copied().for_each(genai_chat);
                });
                if let Some(outer) = outer {
                    rig_answers(&chat, outer, 0);
                }
            });
            let case = format!("{dialect:?} {mode:?} {inner:?} {outer:?}");
            assert_eq!(world.counted(), (calls, tokens), "{case}");
        }
    }
}

/// The one in the middle says nothing of them.
#[test]
fn of_three_frameworks_it_is_the_same() {
    let world = World::new(Dialect::V1_41, ContextMode::Full);
    world.with(|| {
        let chat = rig_chat();
        chat.in_scope(|| {
            rig_asks(&chat);
            let middle = rig_chat();
            middle.in_scope(|| {
                rig_asks(&middle);
                genai_chat(None);
            });
        });
        rig_answers(&chat, 40, 9);
    });
    assert_eq!(world.counted(), (1, 40.0));
    let told = world.log.take();
    assert_eq!(told.matches("as told within").count(), 2, "{told}");
}

#[test]
fn an_adapter_of_the_framework_tells_its_runs() {
    let world = World::new(Dialect::V1_41, ContextMode::Full);
    world.with(|| {
        let outer = rig_agent();
        outer.in_scope(|| {
            // What a hook of the framework's tells, by explicit parents.
            let info = RunInfo::new(Component::Agent, "assistant").with_kind("rig");
            let none = Input::Agent(input::AgentInput::default());
            let agent = world.handlers.start(info, RunParent::Current, &none);
            let chat = rig_chat();
            let info = RunInfo::new(Component::Model, "").with_kind("rig");
            let asked = Input::Model(input::ModelInput::default());
            let model = world.handlers.start(info, agent.as_parent(), &asked);
            chat.in_scope(|| rig_asks(&chat));
            rig_answers(&chat, 40, 9);
            drop(chat);
            let mut answer = output::ModelOutput::default();
            answer.usage = Some(usage((40, 9)));
            model.end(&Output::Model(answer));
            agent.end(&Output::Agent(output::AgentOutput::default()));
        });
    });
    assert_eq!(world.counted(), (1, 40.0));
    let expect = "
        agent assistant begins by rig
          agent assistant (first hand) begins by rig
            model (first hand) begins by rig: ? ?
            model ends 40/9
          agent assistant ends -1/-1
        agent assistant ends as told within
        ";
    let told = world
        .log
        .take()
        .replace("assistant ends\n", "assistant ends -1/-1\n");
    assert_eq!(told, lines(expect));
    let agents = world.capture.records();
    let agents = agents
        .iter()
        .filter(|record| record.name.starts_with("invoke_agent"));
    assert_eq!(agents.count(), 1);
}

#[test]
fn an_agent_of_another_framework_within_one_is_another_agent() {
    let world = World::new(Dialect::V1_41, ContextMode::Full);
    world.with(|| {
        rig_agent().in_scope(|| {
            let info = RunInfo::new(Component::Agent, "helper").with_kind("own");
            let none = Input::Agent(input::AgentInput::default());
            let agent = world.handlers.start(info, RunParent::Current, &none);
            agent.end(&Output::Agent(output::AgentOutput::default()));
        });
    });
    let told = world.log.take();
    assert!(!told.contains("told within"), "{told}");
}

#[test]
fn what_was_told_within_fails_within() {
    let world = World::new(Dialect::V1_41, ContextMode::Full);
    world.with(|| {
        let chat = rig_chat();
        chat.in_scope(|| {
            rig_asks(&chat);
            let mut call = world.llm.call(LlmOperation::Chat, &Provider::OPENAI);
            call.set_status(500);
            call.end();
            tracing::error!(target: "rig", "it failed");
        });
    });
    assert_eq!(world.counted(), (1, 0.0));
    let errors = world.capture.records();
    let errors = errors.iter().filter(|record| record.error_type().is_some());
    assert_eq!(errors.count(), 1, "of the call");
}
