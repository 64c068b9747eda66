//! Whose an operation is, where its span says it.

use obs_agent::normalise::Normaliser;
use obs_agent::obs_core::redact::UserIds;
use obs_agent::obs_core::{Builder, Session};
use obs_agent::session::Ledger;
use obs_agent::{AgentObserver, Handlers, Input, RunInfo, RunParent};
use obs_testing::{Capture, CaptureBuilder};
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_subscriber::layer::SubscriberExt;

struct World {
    capture: Capture,
    ledger: Ledger,
    handlers: Handlers,
}

impl World {
    fn new(capture: CaptureBuilder) -> Self {
        let capture = capture.build();
        Self {
            ledger: Ledger::new(capture.telemetry()),
            handlers: Handlers::new().with(AgentObserver::new(capture.telemetry())),
            capture,
        }
    }

    fn with(&self, work: impl FnOnce()) {
        let normaliser = Normaliser::new(&self.handlers).with_telemetry(self.capture.telemetry());
        let subscriber = tracing_subscriber::registry().with(normaliser.into_layer());
        tracing::subscriber::with_default(subscriber, work);
    }

    /// Conversations and users of what ended, in that order.
    fn whose(&self) -> Vec<(Option<String>, Option<String>)> {
        let records = self.capture.records();
        let each = records.iter().map(|record| {
            let of = |key| record.text(key).map(str::to_owned);
            (of("gen_ai.conversation.id"), of("user.id"))
        });
        each.collect()
    }
}

fn chat() -> Span {
    info_span!(
        "chat gpt-4o",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = "openai",
        gen_ai.request.model = "gpt-4o",
        gen_ai.conversation.id = Empty,
        user.id = Empty,
        gen_ai.usage.input_tokens = 12_u64,
        gen_ai.usage.output_tokens = 5_u64,
    )
}

fn whose(conversation: &str, user: &str) -> (Option<String>, Option<String>) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (some(conversation), some(user))
}

#[test]
fn a_call_alone_is_of_the_conversation_and_the_user_that_it_names() {
    let world = World::new(Capture::builder());
    world.with(|| {
        drop(info_span!(
            "chat gpt-4o",
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = "openai",
            gen_ai.request.model = "gpt-4o",
            gen_ai.conversation.id = "c-1",
            user.id = "ann",
            gen_ai.usage.input_tokens = 30_u64,
        ));
        // Later than it begins.
        let span = chat();
        span.record("gen_ai.conversation.id", "c-1");
        span.record("user.id", "ann");
        drop(span);
        // In other words.
        drop(info_span!(
            "execute_tool",
            gen_ai.operation.name = "execute_tool",
            gen_ai.tool.name = "search",
            langfuse.session.id = "c-1",
            langfuse.user.id = "ann"
        ));
        drop(chat());
    });
    assert_eq!(
        world.whose(),
        [
            whose("c-1", "ann"),
            whose("c-1", "ann"),
            whose("c-1", "ann"),
            whose("", "")
        ]
    );
    let summary = world.ledger.summary("c-1").expect("it is there");
    assert_eq!(
        (
            summary.inference_calls,
            summary.input_tokens,
            summary.tool_calls
        ),
        (2, 42, 1)
    );
    assert_eq!(summary.user_id.as_deref(), Some("ann"));
    assert_eq!(world.ledger.sessions().len(), 1);
}

#[test]
fn what_is_within_it_is_of_the_same_and_what_is_around_it_is_not() {
    let world = World::new(Capture::builder());
    world.with(|| {
        let agent = info_span!(
            "invoke_agent",
            gen_ai.operation.name = "invoke_agent",
            gen_ai.agent.name = "seller",
            gen_ai.conversation.id = Empty,
            user.id = "ann"
        );
        agent.in_scope(|| drop(chat()));
        agent.in_scope(|| {
            let span = chat();
            span.record("gen_ai.conversation.id", "c-1");
            drop(span);
        });
        drop(agent);
    });
    assert_eq!(
        world.whose(),
        [whose("", "ann"), whose("c-1", "ann"), whose("", "ann")]
    );
}

#[test]
fn what_is_known_from_around_it_stays() {
    let world = World::new(Capture::builder());
    let info = RunInfo::new(obs_agent::Component::Agent, "seller");
    let mut input = obs_agent::input::AgentInput::default();
    input.conversation_id = Some("c-1");
    let run = world
        .handlers
        .start(info, RunParent::Root, &Input::Agent(input));
    {
        run.reference()
            .and_then(|run| run.operation())
            .expect("it has one")
    }
    .set_session(
        Session::new("s-1")
            .with_conversation("c-1")
            .with_user("ann"),
    );
    world.with(|| {
        run.in_scope(|| {
            let span = chat();
            span.record("gen_ai.conversation.id", "c-2");
            span.record("user.id", "bob");
            drop(span);
        });
    });
    run.end(&obs_agent::Output::Agent(Default::default()));
    assert_eq!(world.whose(), vec![whose("c-1", "ann"); 2]);
    let summary = world.ledger.summary("s-1").expect("it is there");
    assert_eq!((summary.turns, summary.inference_calls), (1, 1));
}

#[test]
fn a_user_is_told_as_the_telemetry_shows_users() {
    let dropped = |builder: Builder| builder.with_user_ids(UserIds::dropped());
    let world = World::new(Capture::builder().with(dropped));
    world.with(|| {
        let span = chat();
        span.record("user.id", "ann");
        span.record("gen_ai.conversation.id", "talk of ann");
        drop(span);
    });
    assert_eq!(world.whose(), [whose("talk of ann", "")]);
    let summary = world.ledger.summary("talk of ann").expect("it is there");
    assert_eq!(summary.user_id, None);
    assert!(
        !world
            .capture
            .telemetry()
            .prometheus()
            .contains("talk of ann")
    );
}
